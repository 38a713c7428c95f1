"""One followed job: its event stream, the job folded from it, and whoever wants to know."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from ...backend.omagen.protocol import ErrorCode, Job, JobState, OmagenError, Progress, Request
from .api import Client
from .events import SILENCE_LIMIT_S, EventStream, ends_job, fold

RETRY_DELAYS_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Waits before the attempts to open a stream; once they are used up without an event the job counts as interrupted."""
STEADY_S: Final = 1.5
"""A stream that has been heard this long after its opening works: earlier attempts no longer count."""

Listener = Callable[[Job], None]


class Following:
    """Lives on the network thread; hands changes to `deliver` as callbacks for the main thread, merged meanwhile."""

    def __init__(self, job_id: str, listener: Listener, deliver: Callable[[Callable[[], None]], None]) -> None:
        self.job_id = job_id
        self.ended = False
        self._listeners = [listener]
        self._deliver = deliver
        self._latest: Job | None = None
        self._announced = False
        self._folded: Job | None = None
        self._seq = 0
        self._stream: EventStream | None = None
        self._attempts = 0
        self._retry_at = 0.0
        self._opened_at = 0.0

    def join(self, other: Following) -> None:
        """Let the listeners of `other`, which follows the same job, hear of this one's changes."""
        self._listeners += other._listeners
        if self._latest is not None:
            self._announce(self._latest)

    def read(self, selector: selectors.BaseSelector) -> None:
        """Take in what the stream has brought."""
        if self._stream is None or self._folded is None:
            return
        try:
            events = self._stream.read()
            for event in events:
                self._folded, self._seq = fold(self._folded, event), event.seq
        except (OmagenError, ValueError, TypeError, KeyError):
            self._lose(selector)
            return
        if events:
            self._attempts = 0
            if ends_job(events[-1]):
                self._lose(selector)  # the rest, the result among it, is fetched by the next `tend`
            else:
                self._announce(self._folded)
        if self._stream is not None and self._stream.ended:
            self._lose(selector)

    def tend(self, reconnect: Callable[[bool], Client], selector: selectors.BaseSelector) -> None:
        """Open the stream if there is none, drop a silent one. `reconnect(True)` looks for the server anew."""
        now = time.monotonic()
        if self._stream is not None:
            if now - self._stream.heard > SILENCE_LIMIT_S:
                self._lose(selector)
            elif self._stream.heard - self._opened_at > STEADY_S:
                self._attempts = 0
            return
        if self.ended or now < self._retry_at:
            return
        try:
            client = reconnect(self._attempts > 0)
        except OmagenError as error:
            self._give_up(error)
            return
        self._attempts += 1
        try:
            self._open(client, selector)
        except OmagenError as error:
            if error.code is ErrorCode.ENVIRONMENT and self._attempts < len(RETRY_DELAYS_S):
                self._lose(selector)
            else:
                self._give_up(error)

    def close(self, selector: selectors.BaseSelector) -> None:
        if self._stream is not None:
            with suppress(KeyError):
                selector.unregister(self._stream)
            self._stream.close()
            self._stream = None

    def _open(self, client: Client, selector: selectors.BaseSelector) -> None:
        job = client.job(self.job_id)
        if job.state.ended:
            self._end(job)
            return
        if self._folded is None:
            # The history is replayed from its beginning, so the fold starts from a blank job.
            self._folded = replace(job, state=JobState.QUEUED, progress=Progress(), warnings=())
            self._announce(job)
        self._stream = client.open_events(self.job_id, self._seq)
        self._opened_at = time.monotonic()
        selector.register(self._stream, selectors.EVENT_READ, self)
        self.read(selector)

    def _lose(self, selector: selectors.BaseSelector) -> None:
        self.close(selector)
        self._retry_at = time.monotonic() + RETRY_DELAYS_S[min(self._attempts, len(RETRY_DELAYS_S) - 1)]

    def _give_up(self, error: OmagenError) -> None:
        job = self._latest or Job(self.job_id, Request(""), JobState.INTERRUPTED, created=0.0)
        self._end(replace(job, state=JobState.INTERRUPTED, error=error))

    def _end(self, job: Job) -> None:
        self.ended = True
        self._announce(job)

    def _announce(self, job: Job) -> None:
        self._latest = job
        if not self._announced:
            self._announced = True
            self._deliver(self._tell)

    def _tell(self) -> None:
        """On the main thread: pass the newest state on. What arrives meanwhile is told next time."""
        self._announced = False
        if self._latest is not None:
            for listener in self._listeners:
                self._deliver(partial(listener, self._latest))
