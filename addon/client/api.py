"""The backend's HTTP API, one method per route: blocking, standard library only, every failure an `OmagenError`."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

from ...backend.omagen.protocol import EngineInfo, ErrorCode, Event, Job, OmagenError, Request, ServerState
from .events import EventStream, read_events

BLOB_LIMIT: Final = 256 * 2**20
"""Bytes the backend takes in one upload."""
CHUNK: Final = 256 * 1024
TIMEOUT_S: Final = 10.0
"""How long the backend may be silent before a request is given up."""
HEALTH_TIMEOUT_S: Final = 2.0


class Unreachable(OmagenError):
    """Nothing listens where the backend should be. No part of the request was sent, so it may be repeated safely."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.ENVIRONMENT, "The backend is not running.", "Start it again; its log says why it ended."
        )


class Client:
    """One server as `state` describes it. Each request has its own connection, so methods may be nested or threaded."""

    def __init__(self, state: ServerState, between_chunks: Callable[[], None] | None = None) -> None:
        """`between_chunks` is called before each piece of an upload or download; what it raises ends the transfer."""
        self.state = state
        self.between_chunks = between_chunks
        self._open: dict[http.client.HTTPConnection, bool] = {}
        """Requests in progress, and whether each transfers a file."""
        self._lock = threading.Lock()

    def health(self) -> dict[str, Any]:
        return self._json("GET", "/v1/health", timeout=HEALTH_TIMEOUT_S)

    def engines(self) -> list[EngineInfo]:
        return _parsed(
            lambda data: [EngineInfo.from_json(e) for e in data["engines"]], self._json("GET", "/v1/engines")
        )

    def upload(self, data: bytes | Path) -> str:
        """Store bytes or a file with the backend; returns the blob's id. A file is sent piece by piece."""
        with _source(data) as (stream, size):
            if size > BLOB_LIMIT:
                raise OmagenError(
                    ErrorCode.INPUT,
                    f"The file is too large to upload ({size / 2**20:.0f} MiB).",
                    f"The backend takes up to {BLOB_LIMIT // 2**20} MiB.",
                )
            with self._connection(TIMEOUT_S, is_transfer=True) as connection:
                self._begin(connection, "POST", "/v1/blobs", {"Content-Length": str(size)})
                # A server that refuses an upload answers and closes before the end: then its answer is what counts.
                with suppress(BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
                    while piece := stream.read(CHUNK):
                        self._breathe()
                        connection.send(piece)
                data = _answer(connection.getresponse())
        return _parsed(lambda answer: str(answer["id"]), json.loads(data))

    def submit(self, request: Request) -> Job:
        return self._job("POST", "/v1/jobs", request.to_json())

    def jobs(self, limit: int = 100) -> list[Job]:
        """The newest `limit` jobs, newest first."""
        answer = self._json("GET", f"/v1/jobs?limit={limit}")
        return _parsed(lambda data: [Job.from_json(job) for job in data["jobs"]], answer)

    def job(self, id: str) -> Job:
        return self._job("GET", f"/v1/jobs/{_quoted(id)}")

    def cancel(self, id: str) -> Job:
        return self._job("POST", f"/v1/jobs/{_quoted(id)}/cancel")

    def delete(self, id: str) -> None:
        """Forget an ended job and its files."""
        self._send("DELETE", f"/v1/jobs/{_quoted(id)}")

    def download(self, id: str, name: str) -> bytes:
        """One file of a job's result."""
        return b"".join(self._pieces(id, name))

    def download_to(self, id: str, name: str, path: Path) -> None:
        """One file of a job's result, written to `path`, which is whole or untouched."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                for piece in self._pieces(id, name):
                    file.write(piece)
            part.replace(path)
        except OSError as error:
            raise OmagenError(
                ErrorCode.ENVIRONMENT, f"{path} cannot be written: {error.strerror or error}.", "Choose another place."
            ) from error
        finally:
            part.unlink(missing_ok=True)

    def open_events(self, id: str, after: int = 0) -> EventStream:
        """The job's events numbered above `after`, as a stream that a selector can wait for. The caller closes it."""
        connection = http.client.HTTPConnection(self.state.host, self.state.port, timeout=TIMEOUT_S)
        try:
            with _explained(TIMEOUT_S):
                self._connect(connection)
                self._begin(connection, "GET", f"/v1/jobs/{_quoted(id)}/events?after={after}")
                connected = connection.sock
                response = connection.getresponse()
                if response.status != 200:
                    _answer(response)
                return EventStream(connected, response)
        except BaseException:
            connection.close()
            raise

    def events(self, id: str, after: int = 0) -> Iterator[Event]:
        """The job's events as they happen, until it has ended. Reconnects when the line drops."""
        return read_events(lambda seq: self.open_events(id, seq), after)

    def models(self) -> list[dict[str, Any]]:
        return _parsed(lambda data: list(data["models"]), self._json("GET", "/v1/models"))

    def download_model(self, id: str) -> dict[str, Any]:
        """Let the backend fetch a model's weights; returns the model as it now is, the download goes on."""
        return self._json("POST", f"/v1/models/{_quoted(id)}/download")

    def delete_model(self, id: str) -> None:
        self._send("DELETE", f"/v1/models/{_quoted(id)}")

    def shutdown(self) -> None:
        self._send("POST", "/v1/shutdown")

    def abort(self, only_transfers: bool = False) -> None:
        """End every request in progress, or every up- and download, from any thread; callers get an `OmagenError`."""
        with self._lock:
            for connection, is_transfer in self._open.items():
                if connection.sock is not None and (is_transfer or not only_transfers):
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def _job(self, method: str, path: str, body: Any = None) -> Job:
        return _parsed(Job.from_json, self._json(method, path, body))

    def _json(self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT_S) -> Any:
        data = self._send(method, path, body, timeout)
        return _parsed(json.loads, data)

    def _send(self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT_S) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        if method != "GET":
            headers["Content-Length"] = str(len(data))
        with self._connection(timeout) as connection:
            self._begin(connection, method, path, headers)
            if data:
                connection.send(data)
            return _answer(connection.getresponse())

    def _pieces(self, id: str, name: str) -> Iterator[bytes]:
        with self._connection(TIMEOUT_S, is_transfer=True) as connection:
            self._begin(connection, "GET", f"/v1/jobs/{_quoted(id)}/files/{_quoted(name)}")
            response = connection.getresponse()
            if response.status != 200:
                _answer(response)
            expected, received = response.length, 0
            while True:
                self._breathe()
                if not (piece := response.read(CHUNK)):
                    break
                received += len(piece)
                yield piece
            if expected is not None and received != expected:
                raise ConnectionResetError

    def _breathe(self) -> None:
        if self.between_chunks is not None:
            self.between_chunks()

    @contextmanager
    def _connection(self, timeout: float, is_transfer: bool = False) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self.state.host, self.state.port, timeout=timeout)
        with self._lock:
            self._open[connection] = is_transfer
        try:
            with _explained(timeout):
                self._connect(connection)
                yield connection
        finally:
            with self._lock:
                del self._open[connection]
            connection.close()

    @staticmethod
    def _connect(connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except OSError as error:
            raise Unreachable from error

    def _begin(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str] | None = None
    ) -> None:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("Authorization", f"Bearer {self.state.token}")
        # The server lives as long as one of its known parents does; see `omagen serve --parent`.
        connection.putheader("X-Omagen-Parent", str(os.getpid()))
        for key, value in (headers or {}).items():
            connection.putheader(key, value)
        connection.endheaders()


@contextmanager
def _explained(timeout: float) -> Iterator[None]:
    """Turn what sockets raise into what a user can act on."""
    try:
        yield
    except TimeoutError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT, f"The backend did not answer within {timeout:.0f} s.", "Try again, or restart it."
        ) from error
    except (ConnectionError, http.client.HTTPException) as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            "The connection to the backend was lost.",
            "Try again; the backend's log may say more.",
        ) from error


@contextmanager
def _source(data: bytes | Path) -> Iterator[tuple[IO[bytes], int]]:
    if isinstance(data, bytes):
        yield io.BytesIO(data), len(data)
        return
    try:
        file = data.open("rb")
    except OSError as error:
        raise OmagenError(
            ErrorCode.INPUT, f"{data} cannot be read: {error.strerror or error}.", "Choose another file."
        ) from error
    with file:
        yield file, os.fstat(file.fileno()).st_size


def _answer(response: http.client.HTTPResponse) -> bytes:
    """The body of a good answer; raises the `OmagenError` that a bad one carries."""
    body = response.read()
    if response.status < 400:
        return body
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        raise OmagenError(
            ErrorCode.ENVIRONMENT, f"The backend answered with HTTP status {response.status}.", "Its log may say more."
        ) from None
    raise OmagenError.from_json(error)


def _parsed(parse: Callable[[Any], Any], data: Any) -> Any:
    try:
        return parse(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            "The backend's answer could not be understood.",
            "Use the backend version that belongs to this add-on.",
        ) from error


def _quoted(text: str) -> str:
    return quote(text, safe="")
