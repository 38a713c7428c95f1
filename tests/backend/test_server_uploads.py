"""Uploads: whole or absent, bounded in size and memory."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from omagen.jobs.blobs import BLOB_LIMIT
from server_process import Answer, RunningServer, running_server
from small_disk import needs_root, small_disk


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("uploads")) as server:
        yield server


def _blobs(server: RunningServer) -> set[str]:
    return {path.name for path in (server.data / "blobs").iterdir()}


def _send(server: RunningServer, size: int, chunked: bool) -> Answer:
    """Upload `size` zero bytes without holding them here."""
    connection = http.client.HTTPConnection("127.0.0.1", server.state.port, timeout=60)
    headers = {"Authorization": f"Bearer {server.state.token}"}
    if not chunked:
        headers["Content-Length"] = str(size)
    piece = bytes(2**20)
    body = (piece[: min(2**20, size - start)] for start in range(0, size, 2**20))
    connection.request("POST", "/v1/blobs", body, headers, encode_chunked=chunked)
    reply = connection.getresponse()
    answer = Answer(reply.status, dict(reply.getheaders()), reply.read())
    connection.close()
    return answer


def test_an_upload_is_named_by_its_content(server: RunningServer) -> None:
    content = os.urandom(3_000_001)
    answer = server.ask("POST", "/v1/blobs", content)
    assert answer.status == 201
    assert answer.json == {"id": hashlib.sha256(content).hexdigest(), "size": len(content)}
    assert server.ask("POST", "/v1/blobs", content).json == answer.json
    assert (server.data / "blobs" / answer.json["id"]).read_bytes() == content


def test_simultaneous_uploads_do_not_mix(server: RunningServer) -> None:
    contents = [os.urandom(500_000) for _ in range(8)] * 2
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda content: server.ask("POST", "/v1/blobs", content), contents))
    assert [a.json["id"] for a in answers] == [hashlib.sha256(c).hexdigest() for c in contents]


def test_an_empty_upload_is_refused(server: RunningServer) -> None:
    before = _blobs(server)
    answer = server.ask("POST", "/v1/blobs", b"")
    assert (answer.status, answer.error["code"]) == (422, "input")
    assert _blobs(server) == before


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "undeclared"])
def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(server: RunningServer, chunked: bool) -> None:
    before = _blobs(server)
    answer = _send(server, BLOB_LIMIT + 2**20, chunked)
    assert (answer.status, answer.error["code"]) == (413, "input")
    assert "256 MiB" in answer.error["message"]
    assert _blobs(server) == before


def test_a_large_upload_stays_out_of_memory(server: RunningServer) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    assert _send(server, 200 * 2**20, chunked=True).status == 201
    assert process.memory_info().rss - before < 50 * 2**20


def test_an_upload_that_breaks_off_leaves_nothing(server: RunningServer) -> None:
    before = _blobs(server)
    with socket.create_connection(("127.0.0.1", server.state.port)) as connection:
        connection.sendall(
            b"POST /v1/blobs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: 5000000\r\n\r\n"
            % (server.state.port, server.state.token.encode())
        )
        connection.sendall(bytes(3_000_000))
        end = time.monotonic() + 5
        while _blobs(server) == before and time.monotonic() < end:
            time.sleep(0.01)
    end = time.monotonic() + 5
    while _blobs(server) != before:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"\xff\xfe", b"nan", b'{"engine": Infinity}', b"1" * 10_000, b""]
)
def test_a_request_that_is_not_json_is_refused(server: RunningServer, body: bytes) -> None:
    answer = server.ask("POST", "/v1/jobs", body)
    assert (answer.status, answer.error["code"]) == (422, "input")


def test_a_request_beyond_a_megabyte_is_refused(server: RunningServer) -> None:
    answer = server.ask("POST", "/v1/jobs", b'{"engine": "' + b"x" * 2**20 + b'"}')
    assert (answer.status, answer.error["code"]) == (413, "input")


@needs_root
def test_a_full_disk_is_said_clearly_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=8), running_server(tmp_path / "data") as server:
        answer = server.ask("POST", "/v1/blobs", bytes(12 * 2**20))
        assert (answer.status, answer.error["code"]) == (507, "environment")
        assert "full" in answer.error["message"]
        assert answer.error["remedy"]
        assert not _blobs(server)
        assert server.ask("POST", "/v1/blobs", b"small").status == 201
