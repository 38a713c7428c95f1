"""One server per data folder: the lock that makes it so, and the state file through which it is found."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from omagen.protocol import STATE_FILE, ErrorCode, OmagenError, ServerState


class AlreadyRunning(OmagenError):
    """Another server holds the data folder."""


@contextmanager
def sole_server(data: Path) -> Iterator[None]:
    """Hold the data folder for this process; the system lets go of it when the process ends, however it ends.

    Raises `AlreadyRunning`, or `OmagenError` (environment) for a folder that cannot be used.
    """
    lock = FileLock(data / "server.lock")
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        state = read_state(data)
        where = f" (process {state.pid}, port {state.port})" if state else ""
        raise AlreadyRunning(
            ErrorCode.ENVIRONMENT,
            f"A backend is already running for the data folder {data}{where}.",
            "Use that one, end it, or choose another folder with --data.",
        ) from error
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The data folder {data} cannot be used: {error.strerror or error}.",
            "Choose another folder with --data.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def announced(data: Path, state: ServerState) -> Iterator[ServerState]:
    """Keep the state file while the block runs. It holds the token, so only its owner may read it."""
    path = data / STATE_FILE
    part = path.with_name(f".{STATE_FILE}.{secrets.token_hex(4)}")
    # On Windows the mode means little: there the user's own folder is what keeps others out.
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(state.to_json(), file)
    part.replace(path)
    try:
        yield state
    finally:
        if read_state(data) == state:
            path.unlink(missing_ok=True)


def read_state(data: Path) -> ServerState | None:
    """What the state file says, or None where it is missing or unreadable. It may be stale: ask the server itself."""
    try:
        return ServerState.from_json(json.loads((data / STATE_FILE).read_text("utf-8")))
    except (OSError, ValueError, OmagenError):
        return None
