"""The network thread: callbacks on the pumping thread, followed jobs, cancel during transfers, a clean end."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from omagen_extension.addon.client.api import Client
from omagen_extension.addon.client.backend import Backend
from omagen_extension.addon.client.session import Session
from omagen_extension.backend.omagen.protocol import ErrorCode, Job, JobState, OmagenError, Request
from unit.fake_server import FakeServer

PATIENCE_S = 10.0


class FoundBackend(Backend):
    """A backend whose server is the stand-in; counts how often it was looked for."""

    def __init__(self, server: FakeServer, tmp_path) -> None:
        super().__init__("", tmp_path)
        self.server = server
        self.connects = 0

    def connect(self) -> Client:
        self.connects += 1
        self.stopped = False
        return Client(self.server.state)

    def stop(self) -> None:
        self.stopped = True
        self.server.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def session(server: FakeServer, tmp_path) -> Iterator[Session]:
    session = Session(FoundBackend(server, tmp_path))
    yield session
    session.close()


def pump_until(session: Session, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the session did not get there"
        session.pump()
        time.sleep(0.005)


def test_done_runs_on_the_pumping_thread_only(session: Session) -> None:
    threads: list[int] = []
    session.call(lambda client: client.health(), lambda _: threads.append(threading.get_ident()))
    time.sleep(0.3)
    assert not threads
    assert not session.idle
    pump_until(session, lambda: threads)
    assert threads == [threading.get_ident()]
    assert session.idle


def test_errors_come_as_results_and_never_stop_the_thread(session: Session) -> None:
    results: list[object] = []

    def fail(client: Client) -> None:
        raise ZeroDivisionError

    session.call(fail, results.append)
    session.call(lambda client: client.download("job1", "x" * 10_000), results.append)
    session.call(lambda client: client.health()["name"], results.append)
    pump_until(session, lambda: len(results) == 3)
    assert isinstance(results[0], OmagenError)
    assert isinstance(results[1], OmagenError)
    assert results[2] == "omagen"


def test_a_failing_callback_does_not_stop_the_others(session: Session) -> None:
    results: list[object] = []
    session.call(lambda client: 1, lambda _: 1 / 0)
    session.call(lambda client: 2, results.append)
    pump_until(session, lambda: results)


def test_pump_keeps_to_its_budget(session: Session) -> None:
    results: list[object] = []
    for number in range(5):
        session.call(lambda client, number=number: number, lambda n: (time.sleep(0.01), results.append(n)))
    time.sleep(0.3)
    session.pump(budget_s=0.001)
    assert results == [0]


def test_a_followed_job_is_told_up_to_its_end(server: FakeServer, session: Session) -> None:
    told: list[Job] = []
    session.follow("job1", told.append)
    pump_until(session, lambda: told)
    server.add("progress", stage="shape", fraction=0.5, remaining_s=2.0)
    server.add("warning", message="soft edges")
    pump_until(session, lambda: told[-1].warnings)
    assert told[-1].progress.fraction == 0.5
    server.job = replace(server.job, state=JobState.SUCCEEDED, result={"name": "cup"}, files=("object.glb",))
    server.add("state", state="succeeded", error=None)
    pump_until(session, lambda: session.idle)
    assert told[-1].state is JobState.SUCCEEDED
    assert told[-1].files == ("object.glb",)
    assert sum(job.state.ended for job in told) == 1


def test_following_a_job_that_has_ended_tells_it_once(server: FakeServer, session: Session) -> None:
    server.job = replace(server.job, state=JobState.FAILED, error=OmagenError("input", "No.", "Yes."))
    told: list[Job] = []
    session.follow("job1", told.append)
    pump_until(session, lambda: session.idle)
    assert [job.state for job in told] == [JobState.FAILED]


def test_changes_that_nobody_pumps_are_merged(server: FakeServer, session: Session) -> None:
    told: list[Job] = []
    session.follow("job1", told.append)
    for step in range(200):
        server.add("progress", stage="shape", fraction=step / 200, remaining_s=None)
        time.sleep(0.002)
    time.sleep(0.3)
    for _ in range(5):
        session.pump()
    assert len(told) <= 3
    assert told[-1].progress.fraction == 199 / 200


def test_a_cut_line_is_mended_without_repeating_events(server: FakeServer, session: Session) -> None:
    told: list[Job] = []
    server.add("warning", message="first")
    session.follow("job1", told.append)
    pump_until(session, lambda: told and told[-1].warnings)
    server.cut_streams.set()
    time.sleep(0.2)
    server.cut_streams.clear()
    server.add("warning", message="second")
    pump_until(session, lambda: len(told[-1].warnings) == 2)
    assert told[-1].warnings == ("first", "second")


def test_a_job_that_is_followed_twice_tells_both(server: FakeServer, session: Session) -> None:
    one: list[Job] = []
    two: list[Job] = []
    session.follow("job1", one.append)
    pump_until(session, lambda: one)
    session.follow("job1", two.append)
    pump_until(session, lambda: two)
    server.job = replace(server.job, state=JobState.CANCELLED)
    server.add("state", state="cancelled", error=None)
    pump_until(session, lambda: session.idle)
    assert one[-1].state is two[-1].state is JobState.CANCELLED


def test_an_unknown_job_is_told_as_interrupted_with_its_error(server: FakeServer, session: Session) -> None:
    server.error = 404, OmagenError("input", "There is no such job.", "")
    told: list[Job] = []
    session.follow("job1", told.append)
    pump_until(session, lambda: session.idle)
    assert told[0].state is JobState.INTERRUPTED
    assert told[0].error is not None and told[0].error.message == "There is no such job."


def test_stopping_the_backend_interrupts_followed_jobs_and_starts_nothing(server: FakeServer, session: Session) -> None:
    told: list[Job] = []
    session.follow("job1", told.append)
    pump_until(session, lambda: told)
    session.stop_backend(lambda error: None)
    pump_until(session, lambda: session.idle)
    assert told[-1].state is JobState.INTERRUPTED
    assert session.backend.connects == 1  # type: ignore[attr-defined]


def test_a_server_that_came_back_elsewhere_is_found_by_the_next_call(
    server: FakeServer, session: Session, tmp_path
) -> None:
    results: list[object] = []
    session.call(lambda client: client.health()["name"], results.append)
    pump_until(session, lambda: results)
    server.close()
    second = FakeServer()
    session.backend.server = second  # type: ignore[attr-defined]
    session.call(lambda client: client.health()["name"], results.append)
    pump_until(session, lambda: len(results) == 2)
    second.close()
    assert results == ["omagen", "omagen"]


def test_cancel_and_events_pass_an_upload_in_progress(server: FakeServer, session: Session) -> None:
    order: list[str] = []
    session.follow("job1", lambda job: order.append("event") if job.warnings else None)
    session.call(lambda client: client.upload(bytes(60 * 2**20)), lambda _: order.append("upload"))
    session.call(lambda client: client.health(), lambda _: order.append("later call"))
    assert server.upload_started.wait(PATIENCE_S)
    server.add("warning", message="still here")
    session.cancel("job1", lambda _: order.append("cancel"))
    pump_until(session, lambda: len(order) == 4)
    assert set(order[:2]) == {"event", "cancel"}
    assert order[2:] == ["upload", "later call"]


@pytest.mark.parametrize("reading", [True, False], ids=["reading", "stalled"])
def test_abandoning_an_upload_ends_it_at_once(server: FakeServer, session: Session, reading: bool) -> None:
    if not reading:
        server.reads_uploads.clear()
    results: list[Any] = []
    call = session.call(lambda client: client.upload(bytes(250 * 2**20)), results.append)
    assert server.upload_started.wait(PATIENCE_S)
    time.sleep(0.1)
    started = time.monotonic()
    session.abandon(call)
    pump_until(session, lambda: results)
    assert time.monotonic() - started < 1.0
    assert results[0].code is ErrorCode.CANCELLED
    session.call(lambda client: client.health()["name"], results.append)
    pump_until(session, lambda: session.idle)
    assert results[1:] == ["omagen"]
    assert session.backend.connects == 1  # type: ignore[attr-defined]


def test_abandoning_a_call_that_waits_leaves_the_one_that_runs_alone(server: FakeServer, session: Session) -> None:
    order: list[str] = []
    session.call(lambda client: client.upload(bytes(30 * 2**20)), lambda id: order.append(f"uploaded {id}"))
    assert server.upload_started.wait(PATIENCE_S)
    waiting = session.call(lambda client: order.append("ran"), lambda error: order.append(error.code))
    session.abandon(waiting)
    pump_until(session, lambda: order)
    assert order == ["cancelled"]
    pump_until(session, lambda: session.idle)
    assert order == ["cancelled", "uploaded blob1"]


def test_abandoning_lets_a_request_through_whose_effect_must_be_known(server: FakeServer, session: Session) -> None:
    server.answers_posts.clear()
    results: list[Any] = []
    call = session.call(lambda client: client.submit(Request("inflate")), results.append)
    assert server.upload_started.wait(PATIENCE_S)
    session.abandon(call)
    server.answers_posts.set()
    pump_until(session, lambda: results)
    assert results[0].id == "job1"


def test_close_ends_the_thread_in_the_midst_of_a_transfer(session: Session) -> None:
    entered = threading.Event()

    def hang(client: Client) -> None:
        entered.set()
        client.upload(bytes(200 * 2**20))

    called: list[object] = []
    session.call(hang, called.append)
    assert entered.wait(PATIENCE_S)
    started = time.monotonic()
    session.close()
    assert time.monotonic() - started < 2
    assert not session._thread.is_alive()
    session.pump()
    assert not called


def test_a_cancelled_code_is_kept(session: Session, server: FakeServer) -> None:
    server.error = 409, OmagenError("cancelled", "Cancelled.", "")
    results: list[Any] = []
    session.call(lambda client: client.health(), results.append)
    pump_until(session, lambda: results)
    (error,) = results
    assert isinstance(error, OmagenError)
    assert error.code is ErrorCode.CANCELLED
