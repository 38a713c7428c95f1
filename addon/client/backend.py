"""Finding, starting and stopping the backend of a data folder.

One server per data folder serves every Blender on the machine. It is found through its state file, and believed only
after it has answered as itself: a stale file, a stranger on the port or another version all show in that answer.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ...backend.omagen.protocol import PROTOCOL_VERSION, STATE_FILE, ErrorCode, OmagenError, ServerState
from .api import Client
from .process import ALREADY_RUNNING, LOG_FILE, explain_exit, python_program, start_server

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 8.0
POLL_S: Final = 0.05
LOG_TAIL_BYTES: Final = 256 * 1024


class BackendState(StrEnum):
    NOT_CONFIGURED = "not configured"
    """No server runs and no Python environment is set that could run one."""
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


class Backend:
    """The server of one data folder as this process sees it. Its properties may be read from any thread."""

    def __init__(self, python: str, data: Path) -> None:
        """`python`: the backend's Python program or environment folder, empty if none is set."""
        self.python = python
        self.data = data
        self.error: OmagenError | None = None
        """Why the state is FAILED or NOT_CONFIGURED, where that is known."""
        self.stopped = False
        """True after `stop` until the next `connect`: nobody but the user should start the server again."""
        self._state = self._resting
        self._child: subprocess.Popen[Any] | None = None
        self._busy = threading.Lock()
        self._given_up = threading.Event()

    @property
    def state(self) -> BackendState:
        child = self._child
        if self._state is BackendState.RUNNING and child is not None and child.poll() is not None:
            self.error = OmagenError(
                ErrorCode.ENVIRONMENT, f"The backend has ended (status {child.poll()}).", "Start it again; see its log."
            )
            self._state = BackendState.FAILED
        return self._state

    @property
    def may_run(self) -> bool:
        """Whether there is a sign of a running server; only `find`, which talks to it, can tell for sure."""
        return self.state is BackendState.RUNNING or (self.data / STATE_FILE).is_file()

    def connect(self) -> Client:
        """A client of the running server, which is started if there is none. Waits up to `START_TIMEOUT_S`."""
        with self._busy:
            try:
                client = self.find() or self._start()
            except OmagenError as error:
                self.error = error
                self._state = BackendState.FAILED if self.python else BackendState.NOT_CONFIGURED
                raise
            if self._child_ended():
                self._child = None
            self.error = None
            self.stopped = False
            self._state = BackendState.RUNNING
            return client

    def find(self) -> Client | None:
        """A client of the running server, or None. A server of another protocol version is asked to make room."""
        state = self._read_state()
        if state is None:
            return None
        client = Client(state)
        try:
            health = client.health()
        except OmagenError:
            return None
        if not isinstance(health, dict) or health.get("name") != "omagen":
            return None
        if health.get("protocol") == PROTOCOL_VERSION:
            return client
        self._replace(client, health)
        return None

    def stop(self) -> None:
        """End the server, whoever started it, and wait until it is gone."""
        with self._busy:
            state = self._read_state()
            if state is not None:
                with suppress(OmagenError):  # what cannot be asked is either gone or ended below
                    Client(state).shutdown()
            if not _until(lambda: self._child_ended() and not self._answers(state), STOP_TIMEOUT_S):
                self._kill_child()
            self._child = None
            if self._answers(state):
                raise OmagenError(
                    ErrorCode.ENVIRONMENT,
                    "The backend does not stop.",
                    f"End process {state.pid if state else ''} by hand.",
                )
            self.error = None
            self.stopped = True
            self._state = self._resting

    def give_up(self) -> None:
        """No longer wait for a server to start, now or later; called from another thread at the end of a session."""
        self._given_up.set()

    def mark_lost(self) -> None:
        """The server that `connect` found no longer answers; the next `connect` looks for it or starts another."""
        if self.state is BackendState.RUNNING:
            self._state = self._resting

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the server's log; empty if there is none."""
        try:
            with (self.data / LOG_FILE).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def _resting(self) -> BackendState:
        return BackendState.STOPPED if self.python else BackendState.NOT_CONFIGURED

    def _start(self) -> Client:
        python_program(self.python)
        self._state = BackendState.STARTING
        self._kill_child()  # one that we started and that does not answer has hung
        self._child = start_server(self.python, self.data)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._given_up.wait(POLL_S):
                raise OmagenError(ErrorCode.CANCELLED, "Waiting for the backend was given up.", "Try again.")
            status = self._child.poll()
            client = self.find()
            if client is not None:
                return client
            # Another Blender may have been quicker: then ours ends with this status and theirs is about to answer.
            if status is not None and status != ALREADY_RUNNING:
                raise explain_exit(self.python, status, self.log_tail())
        raise self._explain_timeout()

    def _explain_timeout(self) -> OmagenError:
        child = self._child
        if child is not None and child.poll() == ALREADY_RUNNING:
            return OmagenError(
                ErrorCode.ENVIRONMENT,
                f"A backend runs on {self.data} but cannot be reached through its state file.",
                "End that omagen process, or choose another data folder in the add-on's preferences.",
            )
        self._kill_child()
        return OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The backend did not answer within {START_TIMEOUT_S:.0f} s after its start.",
            "See the backend's log; start it again.",
        )

    def _replace(self, client: Client, health: dict[str, object]) -> None:
        """Make the server of another version end, unless that would cost somebody's work."""
        version = health.get("version")
        if health.get("worker") == "busy" or health.get("waiting"):
            raise OmagenError(
                ErrorCode.ENVIRONMENT,
                f"A backend of another version ({version}) is still working on {self.data}.",
                "Wait until its jobs have ended, or stop it from the Blender that uses it.",
            )
        with suppress(OmagenError):
            client.shutdown()
        if not _until(lambda: not self._answers(client.state), STOP_TIMEOUT_S):
            raise OmagenError(
                ErrorCode.ENVIRONMENT,
                f"A backend of another version ({version}) does not make room.",
                f"End process {client.state.pid} by hand, or choose another data folder.",
            )

    def _read_state(self) -> ServerState | None:
        try:
            state = ServerState.from_json(json.loads((self.data / STATE_FILE).read_text("utf-8")))
        except (OSError, ValueError, OmagenError):
            return None
        address = isinstance(state.port, int) and 0 < state.port < 65536 and isinstance(state.host, str)
        token = isinstance(state.token, str) and state.token.isascii() and state.token.isprintable()
        return state if address and token else None

    def _answers(self, state: ServerState | None) -> bool:
        if state is None:
            return False
        try:
            Client(state).health()
        except OmagenError:
            return False
        return True

    def _child_ended(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def _kill_child(self) -> None:
        if self._child is not None:
            if self._child.poll() is None:
                self._child.kill()
            self._child.wait()
            self._child = None


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
