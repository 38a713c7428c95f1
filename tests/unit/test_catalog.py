"""Weights are fetched from a local HTTP server that misbehaves on request; only the published bytes are accepted."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from omagen import catalog
from omagen.catalog import MODELS, Downloads, FileModel, ModelState, find, model_path
from omagen.protocol import ErrorCode, OmagenError

CONTENT = random.Random(1).randbytes(3_000_000)


class Publisher(ThreadingHTTPServer):
    """Serves `CONTENT`; `serve` may be replaced to misbehave. Remembers the `Range` of every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ranges: list[str | None] = []
        self.serve: Callable[[_Handler], None] = whole

    @property
    def model(self) -> FileModel:
        url = f"http://127.0.0.1:{self.server_port}/weights.onnx"
        digest = hashlib.md5(CONTENT).hexdigest()
        return FileModel("tiny", "Tiny", "", "weights.onnx", url, len(CONTENT), digest, "MIT", True, "")


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers["Range"])
        self.server.serve(self)

    def start_from(self) -> int:
        """Send the head of an answer that continues where the client asks; returns where that is."""
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        return start

    def log_message(self, *args: object) -> None:
        pass


def whole(handler: _Handler) -> None:
    handler.wfile.write(CONTENT[handler.start_from() :])


def without_resuming(handler: _Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(CONTENT)


def breaking_off(handler: _Handler) -> None:
    start = handler.start_from()
    handler.wfile.write(CONTENT[start : start + 1_100_000])


def corrupt(handler: _Handler) -> None:
    start = handler.start_from()
    handler.wfile.write(b"x" + CONTENT[start + 1 :])


def endless(handler: _Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(CONTENT + CONTENT)


def missing(handler: _Handler) -> None:
    handler.send_error(404)


def slow(handler: _Handler) -> None:
    start = handler.start_from()
    try:
        for at in range(start, len(CONTENT), 10_000):
            handler.wfile.write(CONTENT[at : at + 10_000])
            time.sleep(0.02)
    except ConnectionError:
        pass  # the client has had enough


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        threading.Thread(target=publisher.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield publisher
        publisher.shutdown()


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def test_a_model_is_downloaded_verified_and_installed(publisher: Publisher, tmp_path: Path) -> None:
    downloads = Downloads(tmp_path, [publisher.model])
    assert downloads.status("tiny").state is ModelState.ABSENT
    downloads.start("tiny")
    status = downloads.wait("tiny", 30)
    assert (status.state, status.progress, status.error) == (ModelState.INSTALLED, 1.0, None)
    path = model_path(tmp_path, publisher.model)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")] == ["weights.onnx"]
    downloads.start("tiny")
    assert len(publisher.ranges) == 1, "what is here is not fetched again"


def test_a_broken_off_download_goes_on_where_it_stopped(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = breaking_off
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.INSTALLED
    assert publisher.ranges == [None, "bytes=1100000-", "bytes=2200000-"]


def test_a_download_is_resumed_by_another_process(publisher: Publisher, tmp_path: Path) -> None:
    path = model_path(tmp_path, publisher.model)
    path.parent.mkdir(parents=True)
    _part(path).write_bytes(CONTENT[:2_000_000])
    downloads = Downloads(tmp_path, [publisher.model])
    status = downloads.status("tiny")
    assert (status.state, round(status.progress, 3)) == (ModelState.ABSENT, 0.667)
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.INSTALLED
    assert publisher.ranges == ["bytes=2000000-"]


def test_a_publisher_that_cannot_resume_is_asked_for_everything(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = without_resuming
    path = model_path(tmp_path, publisher.model)
    path.parent.mkdir(parents=True)
    _part(path).write_bytes(b"old" * 1000)
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.INSTALLED


@pytest.mark.parametrize("misbehave", [corrupt, endless])
def test_what_is_not_the_published_file_is_refused_and_removed(
    publisher: Publisher, tmp_path: Path, misbehave: Callable[[_Handler], None]
) -> None:
    publisher.serve = misbehave
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    status = downloads.wait("tiny", 30)
    assert status.state is ModelState.FAILED
    assert status.error is not None
    assert status.error.code is ErrorCode.MODEL
    assert "weights.onnx" in status.error.message
    path = model_path(tmp_path, publisher.model)
    assert not path.exists()
    assert not _part(path).exists()
    publisher.serve = whole
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.INSTALLED


def test_damage_in_a_resumed_part_is_found(publisher: Publisher, tmp_path: Path) -> None:
    path = model_path(tmp_path, publisher.model)
    path.parent.mkdir(parents=True)
    _part(path).write_bytes(b"x" * 2_000_000)
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.FAILED


def test_a_refusal_by_the_publisher_is_told(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = missing
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    status = downloads.wait("tiny", 30)
    assert status.error is not None
    assert "404" in status.error.message


def test_no_connection_is_told(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omagen.catalog.fetch.time.sleep", lambda seconds: None)
    model = publisher.model
    publisher.shutdown()
    publisher.server_close()
    downloads = Downloads(tmp_path, [model])
    downloads.start("tiny")
    status = downloads.wait("tiny", 30)
    assert status.state is ModelState.FAILED
    assert status.error is not None
    assert status.error.code is ErrorCode.ENVIRONMENT


def test_a_download_can_be_watched_and_cancelled(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = slow
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    end = time.monotonic() + 10
    while not 0 < downloads.status("tiny").progress < 1:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert downloads.status("tiny").state is ModelState.DOWNLOADING
    downloads.delete("tiny")
    assert downloads.status("tiny").state is ModelState.ABSENT
    downloads.wait("tiny", 10)
    assert not _part(model_path(tmp_path, publisher.model)).exists()
    publisher.serve = whole
    downloads.start("tiny")
    assert downloads.wait("tiny", 30).state is ModelState.INSTALLED


def test_closing_keeps_what_has_arrived(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = slow
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    part = _part(model_path(tmp_path, publisher.model))
    end = time.monotonic() + 10
    while downloads.status("tiny").progress < 0.1:
        assert time.monotonic() < end
        time.sleep(0.01)
    downloads.close()
    downloads.wait("tiny", 10)
    assert part.stat().st_size > 0
    assert CONTENT.startswith(part.read_bytes())


def test_two_programs_do_not_write_the_same_file(publisher: Publisher, tmp_path: Path) -> None:
    publisher.serve = slow
    first, second = Downloads(tmp_path, [publisher.model]), Downloads(tmp_path, [publisher.model])
    first.start("tiny")
    end = time.monotonic() + 10
    while not first.status("tiny").progress:
        assert time.monotonic() < end
        time.sleep(0.01)
    second.start("tiny")
    status = second.wait("tiny", 10)
    assert status.error is not None
    assert "Another program" in status.error.message
    first.delete("tiny")
    first.wait("tiny", 10)


def test_too_little_space_is_told_before_anything_is_fetched(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1_000_000

    monkeypatch.setattr("omagen.catalog.fetch.shutil.disk_usage", lambda path: Usage)
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    status = downloads.wait("tiny", 10)
    assert status.error is not None
    assert "space" in status.error.message
    assert publisher.ranges == []


def test_models_are_found_only_when_they_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMAGEN_DATA", str(tmp_path))
    model = next(m for m in MODELS if isinstance(m, FileModel))
    path = model_path(tmp_path, model)
    assert find(model.id) is None
    path.parent.mkdir(parents=True)
    path.write_bytes(b"short")
    assert find(model.id) is None
    with path.open("r+b") as file:
        file.truncate(model.size)
    assert find(model.id) == path
    assert find("nothing") is None


def test_deleting_removes_the_file_and_unknown_models_are_refused(publisher: Publisher, tmp_path: Path) -> None:
    downloads = Downloads(tmp_path, [publisher.model])
    downloads.start("tiny")
    downloads.wait("tiny", 30)
    downloads.delete("tiny")
    downloads.delete("tiny")
    assert downloads.status("tiny").state is ModelState.ABSENT
    for method in (downloads.status, downloads.start, downloads.delete):
        with pytest.raises(OmagenError, match="no model"):
            method("nothing")


@pytest.mark.skipif(importlib.util.find_spec("rembg") is None, reason="rembg is not installed")
@pytest.mark.parametrize("model", [m for m in MODELS if isinstance(m, FileModel)], ids=lambda model: model.id)
def test_addresses_and_hashes_are_the_ones_rembg_publishes(model: FileModel) -> None:
    spec = importlib.util.find_spec("rembg")
    assert spec is not None
    assert spec.origin is not None
    text = "".join(path.read_text() for path in (Path(spec.origin).parent / "sessions").glob("*.py"))
    address = text.index(f'"{model.url}"')
    assert f'"md5:{model.md5}"' in text[address : address + 400]
    assert f'"{model.id}"' in text


def test_every_model_states_its_licence() -> None:
    for model in catalog.MODELS:
        assert model.licence
        assert model.source.startswith("https://")
        assert model.size > 1_000_000
