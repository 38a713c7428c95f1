"""A job's server-sent events: decoded from a non-blocking socket and folded into a `Job`.

The network thread waits for many such streams at once with a selector, which `http.client` cannot: its buffered reader
blocks in the middle of a chunk. So `http.client` reads the head of the answer and the body is decoded here as it comes.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from ...backend.omagen.protocol import ErrorCode, Event, Job, JobState, OmagenError, Progress

SILENCE_LIMIT_S: Final = 10.0
"""The server sends a line every second; a stream that says nothing for this long is dead."""
RETRY_DELAYS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
LINE_LIMIT: Final = 1 << 20


class EventStream:
    """The body of an answer of `GET /v1/jobs/{id}/events`. `fileno` makes it fit for a selector; `read` never waits."""

    def __init__(self, connected: socket.socket, response: http.client.HTTPResponse) -> None:
        self._socket = connected
        self._response = response
        self._chunks = ChunkedBody() if response.chunked else None  # pyright: ignore[reportAttributeAccessIssue]
        self._events = EventParser()
        self.ended = False
        """True once the server has closed the stream; no more events will come from it."""
        self.heard = time.monotonic()
        """When anything, a heartbeat included, last arrived."""
        connected.setblocking(False)
        # What came in one packet with the head already lies in the response's buffer, where no selector sees it.
        self._head_rest = bytes(response.fp.peek())

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> list[Event]:
        """Every event that has arrived by now. Raises `OmagenError` (environment) if the body is no event stream."""
        data, self._head_rest = self._head_rest, b""
        with suppress(BlockingIOError):
            while not self.ended:
                try:
                    piece = self._socket.recv(65536)
                except ConnectionError:
                    piece = b""
                self.ended = not piece
                data += piece
        if data:
            self.heard = time.monotonic()
        if self._chunks is not None:
            data = self._chunks.decode(data)
            self.ended = self.ended or self._chunks.ended
        return self._events.feed(data)

    def close(self) -> None:
        self._response.close()
        self._socket.close()


class ChunkedBody:
    """Incremental decoder of HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self.ended = False

    def decode(self, data: bytes) -> bytes:
        """The payload in `data`, which may begin and end anywhere."""
        self._buffer += data
        payload = []
        while self._buffer and not self.ended:
            if self._left > 2:
                piece = self._buffer[: self._left - 2]
                payload.append(piece)
                self._left -= len(piece)
                self._buffer = self._buffer[len(piece) :]
            elif self._left:  # the line end behind a chunk
                skipped = len(self._buffer[: self._left])
                self._left -= skipped
                self._buffer = self._buffer[skipped:]
            else:
                head, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    break
                size = _chunk_size(head)
                self.ended = size == 0
                self._left = size + 2
                self._buffer = rest
        return b"".join(payload)


class EventParser:
    """Incremental parser of an event stream (WHATWG HTML, section 9.2.6) whose `data` is one `Event` as JSON."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_LIMIT:
            raise _unreadable()
        events = []
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                events.append(_event(b"\n".join(self._data)))
                self._data = []
        return events


def fold(job: Job, event: Event) -> Job:
    """`job` as it is after `event`. Results and files are not in events: fetch the job anew once it has ended."""
    data = event.data
    if event.kind == "progress":
        return replace(job, progress=Progress(**data))
    if event.kind == "warning":
        return replace(job, warnings=(*job.warnings, str(data["message"])))
    if event.kind == "state":
        state = JobState(data["state"])
        error = OmagenError.from_json(data["error"]) if data.get("error") else None
        started = job.started if state is JobState.QUEUED else job.started or time.time()
        return replace(job, state=state, error=error, started=started)
    return job


def ends_job(event: Event) -> bool:
    return event.kind == "state" and JobState(event.data["state"]).ended


def read_events(open_stream: Callable[[int], EventStream], after: int = 0) -> Iterator[Event]:
    """Yield events until the job's end, waiting for each; a lost line is opened anew behind the last event seen.

    Raises `OmagenError` once several attempts in a row brought nothing.
    """
    failures = 0
    while True:
        try:
            stream = open_stream(after)
        except OmagenError as error:
            if error.code is not ErrorCode.ENVIRONMENT or failures == len(RETRY_DELAYS_S):
                raise
            time.sleep(RETRY_DELAYS_S[failures])
            failures += 1
            continue
        try:
            while not stream.ended and time.monotonic() - stream.heard < SILENCE_LIMIT_S:
                for event in stream.read():
                    failures, after = 0, event.seq
                    yield event
                    if ends_job(event):
                        return
                if not stream.ended:
                    _wait_for(stream, 1.0)
        finally:
            stream.close()
        if failures == len(RETRY_DELAYS_S):
            raise OmagenError(
                ErrorCode.ENVIRONMENT, "The backend no longer reports on this job.", "Its log may say more; try again."
            )
        time.sleep(RETRY_DELAYS_S[failures])
        failures += 1


def _wait_for(stream: EventStream, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:  # select.select cannot take the high file numbers a busy Blender has
        selector.register(stream, selectors.EVENT_READ)
        selector.select(seconds)


def _event(data: bytes) -> Event:
    try:
        fields: dict[str, Any] = json.loads(data)
        return Event(int(fields["seq"]), str(fields["job"]), str(fields["kind"]), dict(fields["data"]))
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable() from error


def _chunk_size(head: bytes) -> int:
    try:
        return int(head.partition(b";")[0], 16)
    except ValueError as error:
        raise _unreadable() from error


def _unreadable() -> OmagenError:
    return OmagenError(ErrorCode.ENVIRONMENT, "The backend's event stream is not readable.", "Restart the backend.")
