"""Tasks as the add-on follows them: cancelling at every stage, failures that belong to no task. No Blender needed."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from omagen_extension.addon.runtime import Runtime
from omagen_extension.addon.task import Delivery, Made
from omagen_extension.backend.omagen.protocol import ErrorCode, Job, JobState, OmagenError, Request
from unit.fake_server import FakeServer
from unit.test_client_session import PATIENCE_S, FoundBackend

MEGABYTE = 2**20


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def runtime(server: FakeServer, tmp_path) -> Iterator[Runtime]:
    runtime = Runtime(FoundBackend(server, tmp_path))
    yield runtime
    runtime.close()


def wait(runtime: Runtime, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        runtime.pump()
        time.sleep(0.005)


def send(client):
    return client.submit(Request("inflate", {"image": client.upload(bytes(200 * MEGABYTE))}))


def deliver(name: str, *warnings: str) -> Delivery:
    return Delivery(lambda client, job: client.download(job.id, "object.glb"), lambda job, data: Made(name, warnings))


def test_cancelling_while_the_picture_is_sent_ends_the_task_at_once(server: FakeServer, runtime: Runtime) -> None:
    server.reads_uploads.clear()
    task = runtime.submit("chair", send, deliver("chair"))
    assert task.stage == "Sending"
    assert server.upload_started.wait(PATIENCE_S)
    runtime.cancel(task)
    assert task.stage == "Cancelling"
    started = time.monotonic()
    wait(runtime, lambda: task.ended)
    assert time.monotonic() - started < 1.0
    assert task.error is not None and task.error.code is ErrorCode.CANCELLED
    assert not any(path == "/v1/jobs" for _, path, _ in server.seen)


def test_cancelling_one_task_leaves_the_upload_of_another_alone(server: FakeServer, runtime: Runtime) -> None:
    first = runtime.submit("first", send, deliver("first"))
    second = runtime.submit("second", send, deliver("second"))
    assert server.upload_started.wait(PATIENCE_S)
    runtime.cancel(second)
    wait(runtime, lambda: second.ended)
    assert not first.ended
    assert first.job is None
    wait(runtime, lambda: first.job)


def test_cancelling_while_the_result_is_fetched_brings_nothing(server: FakeServer, runtime: Runtime) -> None:
    server.files["object.glb"] = bytes(200 * MEGABYTE)
    done = Job("job1", Request("inflate"), JobState.SUCCEEDED, created=1.0, files=("object.glb",))
    task = runtime.deliver("chair", done, deliver("chair"))
    runtime.cancel(task)
    wait(runtime, lambda: task.ended)
    assert not task.made
    assert task.error is not None and task.error.code is ErrorCode.CANCELLED


def test_warnings_of_the_import_join_those_of_the_job(server: FakeServer, runtime: Runtime) -> None:
    server.files["object.glb"] = b"glTF"
    done = Job("job1", Request("mesh"), JobState.SUCCEEDED, created=1.0, warnings=("Holes.",))
    task = runtime.deliver("chair", done, deliver("chair", "3 triangles were left out."))
    wait(runtime, lambda: task.ended)
    assert task.made == "chair"
    assert task.warnings == ("Holes.", "3 triangles were left out.")


def test_a_job_that_cannot_be_deleted_is_told_and_stays(server: FakeServer, runtime: Runtime) -> None:
    runtime.remember(server.job)
    server.error = 409, OmagenError("input", "The job is still running.", "Cancel it first.")
    runtime.forget("job1")
    wait(runtime, lambda: runtime.error)
    assert str(runtime.error) == "The job is still running. Cancel it first."
    assert "job1" in runtime.jobs
