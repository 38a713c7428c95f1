"""The HTTP client against a stand-in server: requests, errors, transfers, event streams."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from omagen_extension.addon.client.api import BLOB_LIMIT, Client, Unreachable
from omagen_extension.addon.client.events import ChunkedBody, EventParser
from omagen_extension.backend.omagen.protocol import ErrorCode, Job, JobState, OmagenError, Request, ServerState
from unit.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def client(server: FakeServer) -> Client:
    return Client(server.state)


def test_every_request_carries_token_and_parent(server: FakeServer, client: Client) -> None:
    client.health()
    client.submit(Request("inflate"))
    for _, _, headers in server.seen:
        assert headers["Authorization"] == "Bearer secret"
        assert headers["X-Omagen-Parent"] == str(os.getpid())


def test_an_upload_of_a_file_arrives_whole(server: FakeServer, client: Client, tmp_path: Path) -> None:
    data = os.urandom(700_001)
    (tmp_path / "picture").write_bytes(data)
    assert client.upload(tmp_path / "picture") == "blob1"
    assert server.received == data


def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(BLOB_LIMIT + 1)
    with pytest.raises(OmagenError) as caught:
        client.upload(tmp_path / "large")
    assert caught.value.code is ErrorCode.INPUT
    assert not server.seen


def test_a_missing_file_is_an_input_error(client: Client, tmp_path: Path) -> None:
    with pytest.raises(OmagenError) as caught:
        client.upload(tmp_path / "nothing")
    assert caught.value.code is ErrorCode.INPUT


def test_an_error_of_the_backend_arrives_unchanged(server: FakeServer, client: Client) -> None:
    server.error = 422, OmagenError("input", "No picture.", "Choose one.")
    for request in (client.health, lambda: client.upload(b"x" * 10), lambda: client.open_events("job1")):
        with pytest.raises(OmagenError) as caught:
            request()
        assert (caught.value.code, caught.value.message, caught.value.remedy) == (
            ErrorCode.INPUT,
            "No picture.",
            "Choose one.",
        )


def test_a_refused_connection_is_told_from_a_lost_one(server: FakeServer, client: Client) -> None:
    server.close()
    with pytest.raises(Unreachable) as caught:
        client.health()
    assert caught.value.code is ErrorCode.ENVIRONMENT
    assert caught.value.remedy


def test_a_download_is_whole_or_absent(server: FakeServer, client: Client, tmp_path: Path) -> None:
    server.files["object.glb"] = os.urandom(900_000)
    client.download_to("job1", "object.glb", tmp_path / "object.glb")
    assert (tmp_path / "object.glb").read_bytes() == server.files["object.glb"] == client.download("job1", "object.glb")

    server.truncate_downloads = True
    with pytest.raises(OmagenError):
        client.download_to("job1", "object.glb", tmp_path / "other.glb")
    assert [path.name for path in tmp_path.iterdir()] == ["object.glb"]


def test_names_cannot_leave_their_route(server: FakeServer, client: Client) -> None:
    client.job("../../x?y")
    assert server.seen[-1][1] == "/v1/jobs/..%2F..%2Fx%3Fy"


def test_events_end_with_the_job_and_resume_after_a_cut(server: FakeServer, client: Client) -> None:
    server.add("state", state="running", error=None)
    server.add("progress", stage="shape", fraction=0.5, remaining_s=None)
    events = client.events("job1")
    assert [next(events).seq, next(events).seq] == [1, 2]
    server.cut_streams.set()
    time.sleep(0.2)
    server.cut_streams.clear()
    server.add("state", state="succeeded", error=None)
    assert [event.seq for event in events] == [3]
    assert server.seen[-1][1].endswith("after=2")


def test_abort_ends_a_request_that_waits(server: FakeServer) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = Client(ServerState(0, silent.getsockname()[1], "secret", "0"))
        threading.Timer(0.2, client.abort).start()
        started = time.monotonic()
        with pytest.raises(OmagenError):
            client.job("job1")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_a_chunked_event_stream_may_be_cut_anywhere(step: int) -> None:
    text = (
        b'id: 1\r\ndata: {"seq": 1, "job": "a", "kind": "warning", "data": {"message": "\xc3\xa4"}}\r\n\r\n: alive\n\n'
    )
    wire = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(text[i : i + 5]), text[i : i + 5]) for i in range(0, len(text), 5))
    wire += b"0\r\n\r\n"
    body, parser, events = ChunkedBody(), EventParser(), []
    for i in range(0, len(wire), step):
        events += parser.feed(body.decode(wire[i : i + step]))
    assert body.ended
    assert [event.data["message"] for event in events] == ["ä"]


@pytest.mark.parametrize("data", [b"data: no json\n\n", b'data: {"seq": 1}\n\n', b"x" * (2 << 20)])
def test_an_unreadable_event_stream_is_an_error(data: bytes) -> None:
    with pytest.raises(OmagenError) as caught:
        EventParser().feed(data)
    assert caught.value.code is ErrorCode.ENVIRONMENT


@pytest.mark.parametrize(
    "answer", [[], "text", 3, {"id": "job1"}, {**Job("a", Request("b"), JobState.QUEUED, 0).to_json(), "state": "?"}]
)
def test_an_answer_of_the_wrong_form_is_an_error(server: FakeServer, client: Client, answer: object) -> None:
    server.answer = answer
    with pytest.raises(OmagenError):
        client.job("job1")
