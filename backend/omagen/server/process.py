"""The life of a server process: claim the data folder, listen, announce, serve, and leave nothing behind."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from omagen import __version__
from omagen.protocol import ErrorCode, OmagenError, ServerState
from omagen.server.instance import announced, sole_server

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

SHORTEST_TOKEN: Final = 16
_GRACE_S: Final = 1
"""How long running requests may take to end once the server is told to."""
_DEADLINE_S: Final = 4.0
"""After this long an ending server is ended by force, so that nothing outlives Blender by five seconds."""
_LOG_LIMIT: Final = 5 * 2**20


@dataclass(frozen=True)
class Options:
    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    token: str = ""
    """Empty makes a random one."""
    parents: Sequence[int] = ()
    """Processes to live for; none means to live until told to end."""


def serve(options: Options) -> None:
    """Serve until told to end.

    Raises `OmagenError`: `AlreadyRunning`, a port that is taken, a folder or a token that will not do.
    """
    loopback = _is_loopback(options.host)
    if not loopback and len(options.token) < SHORTEST_TOKEN:
        raise OmagenError(
            ErrorCode.INPUT,
            f"Serving on {options.host} lets other computers in.",
            f"Give a --token of at least {SHORTEST_TOKEN} characters.",
        )
    with sole_server(options.data), _listen(options.host, options.port) as listener:
        log_file = options.data / "server.log"
        _log_to(log_file)
        # FastAPI takes most of the start-up time: a second server or a taken port is told without waiting for it.
        from omagen.server.app import Address, create_app
        from omagen.server.parents import ParentWatch

        port, token = listener.getsockname()[1], options.token or secrets.token_urlsafe(32)
        watch = ParentWatch(options.parents, lambda: server.stop()) if options.parents else None
        app = create_app(
            options.data,
            Address(options.host, port, token),
            stop=lambda: server.stop(),
            on_parent=watch.add if watch and loopback else None,
        )
        state = ServerState(os.getpid(), port, token, __version__, host=options.host, log=str(log_file))
        server = Server(app, options.data, state)
        if watch:
            watch.start()
        server.run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn with its own beginning and end: announced while it serves, streams closed first, a firm deadline."""

    def __init__(self, app: FastAPI, data: Path, state: ServerState) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
        )
        super().__init__(config)
        self._hub = app.state.services.hub
        self._announcement = announced(data, state)
        self._deadline = threading.Timer(_DEADLINE_S, _end_by_force)
        self._deadline.daemon = True

    def stop(self) -> None:
        """Ask the server to end. From any thread or signal handler, any number of times."""
        if not self.should_exit:
            self.should_exit = True
            self._deadline.start()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        except SystemExit as error:  # uvicorn's answer to an application that fails at its start; the log has the cause
            raise OmagenError(ErrorCode.ENVIRONMENT, "The backend could not start.", "See its log.") from error
        finally:
            self._deadline.cancel()
        log.info("ended")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again once it has ended, and so end the process before its clean-up.
        signals = [signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if sys.platform == "win32" else [])]
        for number in signals:
            signal.signal(number, lambda *_: self.stop())
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        state = self._announcement.__enter__()
        log.info("omagen %s serves on %s:%d, process %d", __version__, state.host, state.port, state.pid)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._announcement.__exit__(None, None, None)
        self._hub.close()
        await super().shutdown(sockets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: otherwise every answer,
    # being sent as head and body, waits 40 ms for a delayed acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows the option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
        return listener
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "another program uses it" if taken else error.strerror or str(error)
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The backend cannot listen on {host} port {port}: {reason}.",
            "Choose another --port; 0 takes any free one." if taken else "Check --host and --port.",
        ) from error


def _log_to(path: Path) -> None:
    """Log to the data folder, and to the terminal if there is one. An old log is kept once, so two files bound it."""
    with contextlib.suppress(OSError):  # none yet, or held open by another program: then it grows a little longer
        if path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".old.log"))
    handlers: list[logging.Handler] = [logging.FileHandler(path, encoding="utf-8")]
    if sys.stderr is not None and sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
    logging.captureWarnings(True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _end_by_force() -> None:
    import psutil

    log.error("the server did not end by itself; ending it and its workers by force")
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    os._exit(1)
