"""The queue: takes checked requests, spreads them over one lane per device, and tells whoever listens what happens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from omagen.jobs.lane import Lane
from omagen.jobs.store import Store
from omagen.protocol import ErrorCode, Event, Job, JobState, OmagenError, Request

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class Queue:
    """Runs the jobs of one process. Methods may be called from any thread; listeners run on the lanes' threads."""

    def __init__(self, store: Store, devices: Sequence[str] = ("cpu",)) -> None:
        self.store = store
        self.devices = tuple(devices)
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._lanes = [Lane(store, device, self._publish) for device in devices]

    def start(self) -> None:
        """Start the workers, so that they are warm when the first job comes."""
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """End the workers within a second; unfinished jobs become interrupted."""
        for lane in self._lanes:
            lane.stop()
        for job in self.store.queued():
            error = OmagenError(
                ErrorCode.ENVIRONMENT, "The backend was stopped before this job began.", "Run it again."
            )
            self._publish(self.store.move(job.id, JobState.INTERRUPTED, error=error))

    def submit(self, request: Request) -> Job:
        """Store `request` (checked against its engine's description already) and run it when its turn comes."""
        if request.device != "auto" and request.device not in self.devices:
            raise OmagenError(
                ErrorCode.INPUT, f"There is no device {request.device!r}.", f"Choose auto or {', '.join(self.devices)}."
            )
        job = self.store.create(request)
        for lane in self._lanes:
            lane.wake()
        return job

    def cancel(self, id: str) -> Job:
        """Cancel a job, waiting or running; one that has ended stays as it is. It is over within a second."""
        for state in (JobState.CANCELLED, JobState.CANCELLING):
            try:
                event = self.store.move(id, state)
            except ValueError:
                self.store.job(id)  # raises for a job that does not exist
                continue
            for lane in self._lanes:
                lane.cancel(id)
            self._publish(event)
            break
        return self.store.job(id)

    def wait(self, id: str, timeout: float | None = None) -> Job:
        """The job once it has ended, or as it is after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                job = self.store.job(id)
                left = None if end is None else end - time.monotonic()
                if job.state.ended or (left is not None and left <= 0):
                    return job
                self._changed.wait(left)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with every event from now on; call what is returned to end that."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return unsubscribe

    @property
    def worker_state(self) -> str:
        """`busy` if any worker is, else `starting`, `idle` or `stopped`."""
        states = {lane.state for lane in self._lanes}
        return next((state for state in ("busy", "starting", "idle") if state in states), "stopped")

    @property
    def waiting(self) -> int:
        return self.store.waiting()

    def _publish(self, event: Event) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed")
        if event.kind == "state":
            with self._changed:
                self._changed.notify_all()
