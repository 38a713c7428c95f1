"""A real server in a process of its own, and the plainest possible client."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_engines
from omagen.protocol import ServerState
from omagen.server.instance import read_state

START_S = 30


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        """The error, whose shape is checked on the way."""
        error = self.json["error"]
        assert set(error) == {"code", "message", "remedy"}
        assert error["message"]
        return error


@dataclass
class RunningServer:
    process: subprocess.Popen[str]
    data: Path
    state: ServerState

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 30
    ) -> Answer:
        """One request on a connection of its own; `body` goes as JSON unless it is bytes; None is no header."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.state.token}"} | dict(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.state.port, timeout=timeout)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def submit(self, behaviour: str = "finish", engine: str = "fake", **parameters: Any) -> str:
        """Start a fake job; returns its id."""
        request = {"engine": engine, "parameters": {"behaviour": behaviour, **parameters}}
        answer = self.ask("POST", "/v1/jobs", request)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def wait(self, id: str, timeout: float = 60) -> dict[str, Any]:
        """The job once it has ended."""
        end = time.monotonic() + timeout
        while (job := self.ask("GET", f"/v1/jobs/{id}").json)["finished"] is None:
            assert time.monotonic() < end, job
            time.sleep(0.02)
        return job

    def events(self, id: str, **query: Any) -> list[dict[str, Any]]:
        """Every event of the job's stream, until it ends."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.ask("GET", f"/v1/jobs/{id}/events?{text}", timeout=60)
        assert answer.status == 200, answer.body
        lines = answer.body.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def spawn(data: Path, *options: str) -> subprocess.Popen[str]:
    """`omagen serve` with the fake engines."""
    environment = {**os.environ, **fake_engines.ENVIRONMENT, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "omagen", "serve", "--data", str(data), *options]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@contextmanager
def running_server(data: Path, *options: str) -> Iterator[RunningServer]:
    """A server that answers; ended when the block ends."""
    process = spawn(data, *options)
    try:
        yield RunningServer(process, data, await_state(process, data))
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            if process.stderr:
                process.stderr.close()


def await_state(process: subprocess.Popen[str], data: Path) -> ServerState:
    end = time.monotonic() + START_S
    while True:
        state = read_state(data)
        if state and state.pid == process.pid:
            return state
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.01)
