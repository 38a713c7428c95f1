"""Tells the open event streams that something has happened to their job. What happened they read from the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omagen.protocol import Event

Subscribe = Callable[[Callable[[Event], None]], Callable[[], None]]


class EventHub:
    """Lives on the event loop; only `_on_event` is called from other threads."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._unsubscribe: Callable[[], None] = lambda: None
        self.closed = False

    def open(self, subscribe: Subscribe) -> None:
        """Listen to a queue. Call it on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._unsubscribe = subscribe(self._on_event)

    def close(self) -> None:
        """End every stream, now and from now on."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        self.closed = True
        for signals in self._waiting.values():
            for signal in signals:
                signal.set()

    @contextmanager
    def signal(self, job_id: str) -> Iterator[asyncio.Event]:
        """Set at every event of the job while the block runs."""
        signal = asyncio.Event()
        self._waiting[job_id].add(signal)
        try:
            yield signal
        finally:
            self._waiting[job_id].discard(signal)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _on_event(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._wake, event.job)

    def _wake(self, job_id: str) -> None:
        for signal in self._waiting.get(job_id, ()):
            signal.set()
