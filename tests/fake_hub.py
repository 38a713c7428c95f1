"""A stand-in for the Hugging Face hub: the two routes that fetching a repository needs, and ways to misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

REPOSITORY = "someone/tiny"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """Serves `files` of one repository at one commit; large ones as LFS, behind a redirect, as the hub does."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], repository: str, revision: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.repository, self.asked = repository, revision
        self.revision = revision
        """The commit that it says it gives"""
        self.send: Callable[[_Handler, str, bytes, int], object] = whole
        """Writes the body of a file from an offset on"""
        self.fetched: list[tuple[str, str | None]] = []
        """Names of files and the `Range` asked for"""
        self.tokens: list[tuple[str, str | None]] = []
        """First word of each path and the `Authorization` that came with it"""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def siblings(self) -> list[dict]:
        return [_sibling(name, content) for name, content in self.files.items()]


def _sibling(name: str, content: bytes) -> dict:
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    sibling = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith(".safetensors"):
        digest = hashlib.sha256(content).hexdigest()
        sibling |= {"blobId": "0" * 40, "lfs": {"sha256": digest, "size": len(content), "pointerSize": 134}}
    return sibling


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        path, hub = unquote(self.path.partition("?")[0]), self.server
        hub.tokens.append((path.split("/")[1], self.headers["Authorization"]))
        resolve, at_store = f"/{hub.repository}/resolve/{hub.asked}/", "/store/"
        if path == f"/api/models/{hub.repository}/revision/{hub.asked}":
            info = {"id": hub.repository, "modelId": hub.repository, "sha": hub.revision, "siblings": hub.siblings()}
            self._answer(200, json.dumps(info).encode())
        elif path.startswith(resolve) and path.endswith(".safetensors"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{hub.server_port}{at_store}{path.removeprefix(resolve)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.startswith((resolve, at_store)):
            self._file(path.removeprefix(resolve).removeprefix(at_store))
        else:
            self._answer(404, b"{}")

    def _file(self, name: str) -> None:
        content, asked = self.server.files[name], self.headers["Range"]
        self.server.fetched.append((name, asked))
        start = int((asked or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.server.send(self, name, content, start)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def whole(handler: _Handler, name: str, content: bytes, start: int) -> None:
    handler.wfile.write(content[start:])


@contextmanager
def fake_hub(files: Mapping[str, bytes], repository: str = REPOSITORY, revision: str = REVISION) -> Iterator[FakeHub]:
    with FakeHub(files, repository, revision) as hub:
        threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield hub
        hub.shutdown()
