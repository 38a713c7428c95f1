"""The add-on's side of the backend's life, with the real server: found, started, shared, lost, replaced, stopped."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from omagen_extension.addon.client.backend import Backend, BackendState
from omagen_extension.addon.client.session import Session
from omagen_extension.backend.omagen.protocol import ErrorCode, Job, JobState, OmagenError, Request, ServerState
from server_process import running_server
from unit.fake_server import FakeServer

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 40.0
SLOW = Request("fake", {}, {"behaviour": "stubborn", "seconds": 60})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def backend(data: Path) -> Iterator[Backend]:
    backend = Backend(sys.executable, data)
    yield backend
    backend.stop()


@pytest.fixture
def session(backend: Backend) -> Iterator[Session]:
    session = Session(backend)
    yield session
    session.close()


def wait(condition: Callable[[], object], session: Session | None = None, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        if session:
            session.pump()
        time.sleep(0.01)


def write_state(data: Path, **fields: object) -> None:
    data.mkdir(exist_ok=True)
    state = {**ServerState(999_999, 1, "stale", "0").to_json(), **fields}
    (data / "server.json").write_text(json.dumps(state))


def test_the_server_is_started_once_found_again_and_stopped(backend: Backend, data: Path) -> None:
    assert backend.state is BackendState.STOPPED
    first = backend.connect().health()
    assert backend.state is BackendState.RUNNING
    assert backend.connect().health()["pid"] == first["pid"]
    # What an add-on that has been reloaded does: it knows nothing but the data folder.
    reloaded = Backend("", data)
    assert reloaded.connect().health()["pid"] == first["pid"]
    wait(lambda: "serves on" in backend.log_tail(1000), seconds=5)
    backend.stop()
    assert backend.state is BackendState.STOPPED
    assert not psutil.pid_exists(first["pid"])
    assert reloaded.find() is None


def test_two_starters_at_once_share_one_server(data: Path) -> None:
    backends = [Backend(sys.executable, data) for _ in range(3)]
    pids: list[int] = []
    threads = [threading.Thread(target=lambda b=b: pids.append(b.connect().health()["pid"])) for b in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(pids) == 3 and len(set(pids)) == 1
        assert all(backend.state is BackendState.RUNNING for backend in backends)
    finally:
        for backend in backends:
            backend.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid":1,"port":"x","token":"t","version":"0"}'])
def test_an_unreadable_state_file_counts_as_none(text: str, data: Path) -> None:
    data.mkdir()
    (data / "server.json").write_text(text)
    assert Backend("", data).find() is None


def test_a_stale_state_file_is_replaced(backend: Backend, data: Path) -> None:
    write_state(data)
    pid = backend.connect().health()["pid"]
    assert json.loads((data / "server.json").read_text())["pid"] == pid


def test_a_stranger_on_the_port_is_not_taken_for_the_server(backend: Backend, data: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        write_state(data, port=stranger.getsockname()[1])
        health = backend.connect().health()
    assert health["data"] == str(data)


def test_a_wrong_token_is_not_taken_for_the_server(data: Path) -> None:
    server = FakeServer()
    write_state(data, port=server.state.port, token="wrong")
    assert Backend("", data).find() is None
    server.close()


def test_an_idle_server_of_another_protocol_makes_room(backend: Backend, data: Path) -> None:
    old = FakeServer(protocol=99)
    write_state(data, port=old.state.port, token=old.state.token)
    assert backend.connect().health()["protocol"] != 99
    assert old.shut_down


def test_a_busy_server_of_another_protocol_keeps_its_work(data: Path) -> None:
    old = FakeServer(protocol=99)
    old.waiting = 1
    write_state(data, port=old.state.port, token=old.state.token)
    backend = Backend(sys.executable, data)
    with pytest.raises(OmagenError) as caught:
        backend.connect()
    assert caught.value.code is ErrorCode.ENVIRONMENT and "still working" in caught.value.message
    assert backend.state is BackendState.FAILED
    assert not old.shut_down
    old.close()


def test_without_a_python_it_says_what_to_set(data: Path) -> None:
    backend = Backend("", data)
    assert backend.state is BackendState.NOT_CONFIGURED
    with pytest.raises(OmagenError) as caught:
        backend.connect()
    assert "preferences" in caught.value.remedy
    assert backend.state is BackendState.NOT_CONFIGURED


def test_a_python_that_is_not_there_is_said(data: Path) -> None:
    backend = Backend(str(data / "no" / "python"), data)
    with pytest.raises(OmagenError) as caught:
        backend.connect()
    assert "no Python at" in caught.value.message
    assert backend.state is BackendState.FAILED and backend.error is caught.value


def test_an_environment_without_omagen_is_told_how_to_get_it(data: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    backend = Backend(str(tmp_path / "bare"), data)
    with pytest.raises(OmagenError) as caught:
        backend.connect()
    assert "No module named 'omagen'" in caught.value.message
    assert "-m pip install" in caught.value.remedy


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OmagenError) as caught:
        Backend(sys.executable, tmp_path / "file" / "data").connect()
    assert "cannot be written" in caught.value.message


def test_a_killed_server_shows_and_the_next_call_starts_another(session: Session, backend: Backend) -> None:
    pids: list[int] = []
    session.call(lambda client: client.health()["pid"], pids.append)
    wait(lambda: pids, session)
    psutil.Process(pids[0]).kill()
    wait(lambda: backend.state is BackendState.FAILED)
    assert backend.error is not None
    session.call(lambda client: client.health()["pid"], pids.append)
    wait(lambda: len(pids) == 2, session)
    assert isinstance(pids[1], int) and pids[1] != pids[0]
    assert backend.state is BackendState.RUNNING


def test_a_followed_job_is_interrupted_when_its_server_is_killed(session: Session, data: Path) -> None:
    told: list[Job] = []
    with running_server(data) as server:
        session.call(lambda client: client.submit(SLOW), lambda job: session.follow(job.id, told.append))
        wait(lambda: told and told[-1].state is JobState.RUNNING, session)
        server.process.kill()
        wait(lambda: told[-1].state.ended, session)
    assert told[-1].state is JobState.INTERRUPTED
    assert told[-1].request.parameters["seconds"] == 60
    assert session.backend.connect().job(told[-1].id).state is JobState.INTERRUPTED


def test_a_real_job_is_followed_to_its_cancellation(session: Session, data: Path) -> None:
    told: list[Job] = []
    with running_server(data):
        session.call(lambda client: client.submit(SLOW), lambda job: session.follow(job.id, told.append))
        wait(lambda: told and told[-1].state is JobState.RUNNING, session)
        session.cancel(told[-1].id, lambda job: None)
        wait(lambda: session.idle, session)
        assert told[-1].state is JobState.CANCELLED
        assert told[-1].finished is not None
        session.stop_backend(lambda error: None)
        wait(lambda: session.idle, session)


def test_the_server_dies_with_the_process_that_started_it(data: Path) -> None:
    child = _blender_stand_in(data)
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.communicate()
    wait(lambda: not psutil.pid_exists(pid), seconds=6)


def test_the_server_outlives_its_starter_while_another_uses_it(backend: Backend, data: Path) -> None:
    child = _blender_stand_in(data)
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    assert backend.connect().health()["pid"] == pid
    child.kill()
    child.communicate()
    time.sleep(3)
    assert backend.connect().health()["pid"] == pid


def _blender_stand_in(data: Path) -> subprocess.Popen[str]:
    """A process that starts the server as Blender does, says its process id and stays."""
    code = (
        "import sys, time; import conftest\n"
        "from omagen_extension.addon.client.backend import Backend\n"
        "from pathlib import Path\n"
        "print(Backend(sys.executable, Path(sys.argv[1])).connect().health()['pid'], flush=True)\n"
        "time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.Popen([sys.executable, "-c", code, str(data)], env=environment, stdout=subprocess.PIPE, text=True)
