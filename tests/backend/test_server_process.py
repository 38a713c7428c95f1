"""A server process: found, alone on its data folder, gone with its parents, and never leaving anything behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from omagen.server.instance import read_state
from server_process import await_state, running_server, spawn


def _end(process: subprocess.Popen[str], timeout: float = 10) -> tuple[int, str]:
    """Exit status and standard error of a process that is about to end."""
    try:
        _, text = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, text


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def _gone(pids: set[int], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_second_server_on_a_data_folder_ends_with_status_3(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        status, text = _end(spawn(tmp_path))
        assert status == 3
        assert "already running" in text
        assert str(server.state.port) in text
        assert read_state(tmp_path) == server.state
        assert server.ask("GET", "/v1/health").status == 200


def test_of_two_that_start_at_once_one_serves(tmp_path: Path) -> None:
    first, second = spawn(tmp_path), spawn(tmp_path)
    end = time.monotonic() + 20
    while first.poll() is None and second.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    loser, winner = (first, second) if first.poll() is not None else (second, first)
    assert _end(loser)[0] == 3
    await_state(winner, tmp_path)
    winner.terminate()
    assert _end(winner)[0] == 0


def test_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, text = _end(spawn(tmp_path, "--port", str(port)))
    assert status == 2
    assert f"port {port}" in text
    assert "Traceback" not in text
    assert not (tmp_path / "server.json").exists()


@pytest.mark.parametrize("options", [("--host", "0.0.0.0"), ("--host", "0.0.0.0", "--token", "short")])
def test_other_computers_are_let_in_only_with_a_long_token(tmp_path: Path, options: tuple[str, ...]) -> None:
    status, text = _end(spawn(tmp_path, *options))
    assert status == 2
    assert "--token" in text


def test_a_server_for_other_computers_takes_any_of_its_addresses_but_no_names(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    with running_server(tmp_path, "--host", "0.0.0.0", "--token", token) as server:
        assert server.state.token == token
        port = server.state.port
        assert server.ask("GET", "/v1/health", headers={"Host": f"192.168.7.9:{port}"}).status == 200
        assert server.ask("GET", "/v1/health", headers={"Host": f"evil.example:{port}"}).status == 403


def test_a_data_folder_that_cannot_be_made_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, text = _end(spawn(tmp_path / "file" / "data"))
    assert status == 2
    assert "cannot be used" in text


@pytest.mark.parametrize("left", ["", "{", '{"pid": 1}', '{"pid": 999999, "port": 1, "token": "t", "version": "0"}'])
def test_a_stale_state_file_is_replaced(tmp_path: Path, left: str) -> None:
    (tmp_path / "server.json").write_text(left)
    with running_server(tmp_path) as server:
        assert server.ask("GET", "/v1/health").status == 200


def test_a_state_file_of_another_server_is_left_alone(tmp_path: Path) -> None:
    other = {"pid": 1, "port": 1, "token": "t", "version": "0", "protocol": 1, "host": "h", "log": ""}
    with running_server(tmp_path) as server:
        (tmp_path / "server.json").write_text(json.dumps(other))
        server.ask("POST", "/v1/shutdown")
        assert _end(server.process)[0] == 0
    assert json.loads((tmp_path / "server.json").read_text()) == other


@pytest.mark.parametrize("behaviour", ["sleep", "stubborn", "frozen"])
@pytest.mark.parametrize("how", ["request", "terminate", "interrupt"])
def test_ending_leaves_no_process_and_no_state_file(tmp_path: Path, how: str, behaviour: str) -> None:
    with running_server(tmp_path) as server:
        id = server.submit(behaviour, seconds=60)
        while server.ask("GET", f"/v1/jobs/{id}").json["state"] == "queued":
            time.sleep(0.02)
        family = {
            server.process.pid,
            *(child.pid for child in psutil.Process(server.process.pid).children(recursive=True)),
        }
        assert len(family) > 1
        if how == "request":
            assert server.ask("POST", "/v1/shutdown").status == 202
        else:
            server.process.send_signal(signal.SIGTERM if how == "terminate" else signal.SIGINT)
        assert _end(server.process, timeout=5)[0] == 0
        assert _gone(family, 1)
    assert not (tmp_path / "server.json").exists()


def test_ending_closes_open_streams(tmp_path: Path) -> None:
    import threading

    with running_server(tmp_path) as server:
        id = server.submit("sleep", seconds=60)
        streams = [threading.Thread(target=server.events, args=(id,)) for _ in range(3)]
        for stream in streams:
            stream.start()
        time.sleep(0.5)
        server.process.terminate()
        begin = time.monotonic()
        for stream in streams:
            stream.join(5)
            assert not stream.is_alive()
        assert _end(server.process, timeout=5)[0] == 0
        assert time.monotonic() - begin < 5


def test_a_killed_server_takes_its_worker_along_and_the_next_one_settles_its_job(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        id = server.submit("stubborn", seconds=60)
        while server.ask("GET", f"/v1/jobs/{id}").json["state"] == "queued":
            time.sleep(0.02)
        family = {child.pid for child in psutil.Process(server.process.pid).children(recursive=True)}
        server.process.kill()
        server.process.wait()
        assert _gone(family, 5)
    with running_server(tmp_path) as server:
        assert server.ask("GET", f"/v1/jobs/{id}").json["state"] == "interrupted"


def test_the_server_ends_within_five_seconds_of_its_parent(tmp_path: Path) -> None:
    parent = _sleeper()
    with running_server(tmp_path, "--parent", str(parent.pid)) as server:
        server.submit("stubborn", seconds=60)
        time.sleep(1)
        assert server.process.poll() is None
        family = {
            server.process.pid,
            *(child.pid for child in psutil.Process(server.process.pid).children(recursive=True)),
        }
        parent.kill()
        parent.wait()
        assert _gone(family, 5)
    assert not (tmp_path / "server.json").exists()


def test_a_parent_that_is_a_zombie_counts_as_dead(tmp_path: Path) -> None:
    parent = _sleeper()
    with running_server(tmp_path, "--parent", str(parent.pid)) as server:
        parent.kill()  # not waited for
        assert _end(server.process, timeout=5)[0] == 0
    parent.wait()


def test_the_server_lives_as_long_as_any_of_its_parents(tmp_path: Path) -> None:
    first, second = _sleeper(), _sleeper()
    with running_server(tmp_path, "--parent", str(first.pid)) as server:
        server.ask("GET", "/v1/health", headers={"X-Omagen-Parent": str(second.pid)})
        for nonsense in ("0", "-1", "x", "9" * 30, "٣"):
            server.ask("GET", "/v1/health", headers={"X-Omagen-Parent": nonsense.encode().decode("latin-1")})
        first.kill()
        first.wait()
        time.sleep(2)
        assert server.process.poll() is None
        second.kill()
        second.wait()
        assert _end(server.process, timeout=5)[0] == 0


def test_a_server_started_by_hand_does_not_end_with_its_clients(tmp_path: Path) -> None:
    client = _sleeper()
    with running_server(tmp_path) as server:
        server.ask("GET", "/v1/health", headers={"X-Omagen-Parent": str(client.pid)})
        client.kill()
        client.wait()
        time.sleep(2)
        assert server.ask("GET", "/v1/health").status == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_stopped_worker_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.wait(server.submit())
        workers = psutil.Process(server.process.pid).children(recursive=True)
        for worker in workers:
            worker.suspend()
        server.process.terminate()
        assert _end(server.process, timeout=6)[0] == 0
        assert _gone({worker.pid for worker in workers}, 1)
