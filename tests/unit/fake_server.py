"""A stand-in for the backend: the few routes the client's tests need, with failures that can be switched on."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from omagen_extension.backend.omagen.protocol import (
    PROTOCOL_VERSION,
    Event,
    Job,
    JobState,
    OmagenError,
    Request,
    ServerState,
)

TOKEN = "secret"


class FakeServer:
    """Serves one job, `job1`, whose history is `events`; tests append to it and look at `seen`."""

    def __init__(self, protocol: int = PROTOCOL_VERSION) -> None:
        self.protocol = protocol
        self.job = Job("job1", Request("inflate"), JobState.RUNNING, created=1.0)
        self.events: list[Event] = []
        self.files: dict[str, bytes] = {}
        self.answer: Any = None
        """What `GET /v1/jobs/{id}` answers instead of `job`."""
        self.error: tuple[int, OmagenError] | None = None
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.received = b""
        self.upload_started = threading.Event()
        self.reads_uploads = threading.Event()
        self.reads_uploads.set()
        """Cleared: the server stops reading after the first bytes of an upload."""
        self.answers_posts = threading.Event()
        self.answers_posts.set()
        self.cut_streams = threading.Event()
        self.heartbeat_s = 0.05
        self.truncate_downloads = False
        self.shut_down = False
        self.waiting = 0
        server = self

        class Handler(FakeHandler):
            fake = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def state(self) -> ServerState:
        return ServerState(0, self._http.server_address[1], TOKEN, "0", self.protocol)

    def add(self, kind: str, **data: Any) -> None:
        self.events.append(Event(len(self.events) + 1, "job1", kind, data))

    def close(self) -> None:
        self.cut_streams.set()
        self.reads_uploads.set()
        self.answers_posts.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def do_GET(self) -> None:
        if not self._admitted():
            return
        path, _, query = self.path.partition("?")
        if path.endswith("/events"):
            self._stream(int(query.removeprefix("after=")))
        elif path == "/v1/health":
            worker = {"worker": "idle", "waiting": self.fake.waiting}
            self._json(200, {"name": "omagen", "version": "0", "protocol": self.fake.protocol, **worker})
        elif "/files/" in path:
            self._file(self.fake.files[path.rpartition("/")[2]])
        elif path == "/v1/jobs":
            self._json(200, {"jobs": [self.fake.job.to_json()]})
        else:
            self._json(200, self.fake.job.to_json() if self.fake.answer is None else self.fake.answer)

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        self.fake.upload_started.set()
        body = bytearray()
        while left and (piece := self.rfile.read(min(left, 65536))):
            body += piece
            left -= len(piece)
            if self.path == "/v1/blobs":
                time.sleep(0.001)
                self.fake.reads_uploads.wait()
        self.fake.received = bytes(body)
        if left or not self._admitted():  # left: the client has hung up
            return
        self.fake.answers_posts.wait()
        if self.path == "/v1/blobs":
            self._json(201, {"id": "blob1", "size": len(body)})
        elif self.path == "/v1/shutdown":
            self._json(202, {})
            self.fake.shut_down = True
            threading.Thread(target=self.fake.close, daemon=True).start()
        else:
            self._json(200, self.fake.job.to_json())

    def do_DELETE(self) -> None:
        if self._admitted():
            self._file(b"", 204)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Keep the tests' output quiet."""

    def _admitted(self) -> bool:
        self.fake.seen.append((self.command, self.path, dict(self.headers)))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._json(401, {"error": OmagenError("environment", "wrong token").to_json()})
            return False
        if self.fake.error is not None:
            status, error = self.fake.error
            self._json(status, {"error": error.to_json()})
            return False
        return True

    def _json(self, status: int, data: Any) -> None:
        self._file(json.dumps(data).encode(), status)

    def _file(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.fake.truncate_downloads and "/files/" in self.path:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def _stream(self, after: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.fake.cut_streams.is_set():
            for event in self.fake.events[after:]:
                after = event.seq
                line = f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps(event.to_json())}\n\n".encode()
                # Two chunks, so that the client meets an event that is cut in the middle.
                self._chunk(line[:20])
                self._chunk(line[20:])
                if event.kind == "state" and JobState(event.data["state"]).ended:
                    self.wfile.write(b"0\r\n\r\n")
                    return
            self._chunk(b": alive\n\n")
            time.sleep(self.fake.heartbeat_s)
        self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
