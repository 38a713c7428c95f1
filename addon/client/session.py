"""The add-on's one network thread: calls go in, finished callbacks come out on the thread that pumps.

The thread is a selector loop over the event streams of followed jobs and a wake-up socket; queued calls run between its
turns. While a call uploads or downloads, the loop takes a turn after every piece, in which urgent calls (cancel) run
too: a large transfer holds up neither. The thread never waits for the main thread, `pump` never waits for the network.
"""

from __future__ import annotations

import atexit
import logging
import queue
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ...backend.omagen.protocol import ErrorCode, Job, OmagenError
from .api import Client, Unreachable
from .backend import Backend
from .following import Following

T = TypeVar("T")
Work = Callable[[], Any]
Done = Callable[[Any], None]

JOIN_S: Final = 1.0
TURN_S: Final = 0.5
"""How often the loop looks for silent streams and streams to open anew while jobs are followed."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Call:
    """One piece of work for the network thread; `abandon` of the session that it came from calls it off."""

    work: Work
    done: Done
    abandoned: bool = False


class Session:
    """Non-blocking access to one backend. All methods belong to one thread, Blender's main thread."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._client: Client | None = None
        self._urgent: deque[Call] = deque()
        self._calls: deque[Call] = deque()
        self._current: Call | None = None
        self._switching = threading.Lock()
        self._wanted: deque[Following] = deque()
        self._followed: dict[str, Following] = {}
        self._finished: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outstanding = 0
        self._closing = False
        self._in_turn = False
        self._selector = selectors.DefaultSelector()
        self._wake_end, self._bell = socket.socketpair()
        self._wake_end.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._wake_end, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="omagen-network", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def call(self, work: Callable[[Client], T], done: Callable[[T | OmagenError], None], urgent: bool = False) -> Call:
        """Run `work` on the network thread, starting the backend if need be; `done` gets its result or error in `pump`.

        Calls run in the order they came, urgent ones first. An urgent call also runs in the midst of another call's
        transfer, so it must be short.
        """
        return self._put(self._urgent if urgent else self._calls, lambda: self._with_client(work), done)

    def abandon(self, call: Call) -> None:
        """Call off what `call` returned: it does not begin, or its transfer ends at once.

        `done` then gets an error of code `cancelled`. A request that transfers no file is let through, so that what it
        has set off is known: `done` gets its result all the same.
        """
        with self._switching:
            call.abandoned = True
            if call is self._current and self._client is not None:
                self._client.abort(only_transfers=True)
        with suppress(ValueError):  # it is running or has ended
            self._calls.remove(call)
            self._finished.put(lambda: call.done(_abandoned()))

    def cancel(self, job_id: str, done: Callable[[Job | OmagenError], None]) -> None:
        """Cancel a job, ahead of whatever else is queued or being transferred."""
        self.call(lambda client: client.cancel(job_id), done, urgent=True)

    def stop_backend(self, done: Callable[[OmagenError | None], None]) -> None:
        """End the server; jobs that are still followed are reported as interrupted."""
        self._put(self._urgent, self._stop_backend, done)

    def follow(self, job_id: str, on_change: Callable[[Job], None]) -> None:
        """Call `on_change` in `pump` with the job as it is now and whenever it has changed, until it has ended.

        Changes that come faster than `pump` is called are merged. If the backend stays away, the job is reported as
        interrupted.
        """

        def tell(job: Job) -> None:
            self._outstanding -= job.state.ended
            on_change(job)

        self._outstanding += 1
        self._wanted.append(Following(job_id, tell, self._finished.put))
        self._ring()

    def pump(self, budget_s: float = 0.008) -> None:
        """Deliver finished callbacks on this thread; stops once `budget_s` is used up and goes on at the next call."""
        deadline = time.perf_counter() + budget_s
        while not self._closing:
            try:
                callback = self._finished.get_nowait()
            except queue.Empty:
                return
            try:
                callback()
            except Exception:
                log.exception("A callback of the Omagen session failed")
            if time.perf_counter() >= deadline:
                return

    @property
    def idle(self) -> bool:
        """True once every call and every followed job has come to its end and has been delivered: no need to pump."""
        return not self._outstanding

    def close(self) -> None:
        """End the thread within a second; callbacks that have not been delivered never will be. The server stays."""
        atexit.unregister(self.close)
        self._closing = True
        self.backend.give_up()
        if self._client is not None:
            self._client.abort()
        self._ring()
        self._thread.join(JOIN_S)

    def _put(self, calls: deque[Call], work: Work, done: Done) -> Call:
        def deliver(result: Any) -> None:
            self._outstanding -= 1
            done(result)

        self._outstanding += 1
        call = Call(work, deliver)
        calls.append(call)
        self._ring()
        return call

    def _ring(self) -> None:
        with suppress(OSError):  # a full pipe wakes the thread just as well; a closed one has nobody to wake
            self._bell.send(b"\0")

    # Everything below runs on the network thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                waiting = bool(self._urgent or self._calls)
                self._turn(0.0 if waiting else TURN_S if self._followed else None)
                if self._calls and not self._closing:
                    self._do_next()
        except Exception:
            log.exception("The Omagen network thread failed")
        finally:
            for following in self._followed.values():
                following.close(self._selector)
            self._selector.close()
            self._wake_end.close()
            self._bell.close()

    def _turn(self, timeout: float | None) -> None:
        """Wait for something to do, then run urgent calls and read what followed jobs have to say."""
        self._in_turn = True
        ready = self._selector.select(timeout)
        while self._urgent and not self._closing:
            self._do(self._urgent.popleft())
        while self._wanted:
            following = self._wanted.popleft()
            present = self._followed.setdefault(following.job_id, following)
            if present is not following:
                present.join(following)
        for key, _ in ready:
            if key.fileobj is self._wake_end:
                with suppress(BlockingIOError):
                    self._wake_end.recv(4096)
            elif not self._closing:
                key.data.read(self._selector)
        for following in list(self._followed.values()):
            if not self._closing:
                following.tend(self._reconnect, self._selector)
            if following.ended:
                del self._followed[following.job_id]
        self._in_turn = False

    def _between_chunks(self) -> None:
        if not self._in_turn:  # transfers of urgent calls run inside a turn: they do not nest another
            self._turn(0.0)
        if self._closing or (self._current is not None and self._current.abandoned and not self._in_turn):
            raise _abandoned()

    def _do_next(self) -> None:
        """Run the next call that waits; `_current` says which, to whoever abandons it."""
        with self._switching, suppress(IndexError):  # the last one may just have been abandoned
            self._current = self._calls.popleft()
        if self._current is not None:
            self._do(self._current)
        with self._switching:
            self._current = None

    def _do(self, call: Call) -> None:
        work, done = call.work, call.done
        try:
            result = work()
        except OmagenError as error:
            # Whatever a transfer says that was cut off, it says nothing about the server.
            result = _abandoned() if call.abandoned else error
        except Exception as error:
            log.exception("A call of the Omagen session failed")
            result = OmagenError(
                ErrorCode.ENVIRONMENT, f"Something unexpected went wrong: {error!r}.", "The log says more."
            )
        self._finished.put(lambda: done(result))

    def _with_client(self, work: Callable[[Client], T]) -> T:
        known = self._client is not None
        client = self._connected()
        try:
            return work(client)
        except Unreachable:
            self._drop_client()
            if not known:
                raise
            return work(self._connected())  # the server has ended since the last call: find or start another
        except OmagenError as error:
            cut_off = self._current is not None and self._current.abandoned
            if error.code is ErrorCode.ENVIRONMENT and not cut_off:
                self._drop_client()
            raise

    def _connected(self) -> Client:
        if self._client is None:
            client = self.backend.connect()
            client.between_chunks = self._between_chunks
            self._client = client
        return self._client

    def _reconnect(self, fresh: bool) -> Client:
        """The client for a followed job, `fresh` after its line was lost. Starts no server that the user stopped."""
        if fresh:
            self._drop_client()
        if self._client is None and self.backend.stopped:
            raise OmagenError(ErrorCode.CANCELLED, "The backend was stopped.", "Start it and run the job again.")
        return self._connected()

    def _drop_client(self) -> None:
        self._client = None
        self.backend.mark_lost()

    def _stop_backend(self) -> None:
        self._client = None
        self.backend.stop()


def _abandoned() -> OmagenError:
    return OmagenError(ErrorCode.CANCELLED, "The transfer was ended.", "Start it again.")
