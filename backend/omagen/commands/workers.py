"""Works through many files in processes of their own: several at once, each can be killed, none can break another.

Unlike jobs, which are stored and survive a crash, this leaves nothing behind but the files it was asked for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omagen.jobs.failures import out_of_memory, unexpected, worker_death
from omagen.jobs.parent_death import die_with_parent
from omagen.protocol import OmagenError

if TYPE_CHECKING:  # multiprocessing is slow to import, and every command's parser imports this file
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

_POLL_S = 0.5
"""Windows delivers Ctrl-C between waits only."""


@dataclass(frozen=True)
class Ended:
    """How one order came out: a result, or an error."""

    index: int
    """Which of the orders."""
    result: Any = None
    error: OmagenError | None = None


class Reporter:
    """The `RunProgress` of one order: passes everything on to the process that gave it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, stage: str, fraction: float) -> None:
        self._connection.send(("progress", (stage, fraction)))

    def warn(self, message: str) -> None:
        self._connection.send(("warning", message))

    def tell(self, kind: str, content: Any) -> None:
        """Report something else, of a kind of one's own."""
        self._connection.send((kind, content))


Work = Callable[[Any, Reporter], Any]
Listener = Callable[[int, str, Any], None]


def work_through(work: Work, orders: Sequence[Any], processes: int, listen: Listener) -> Generator[Ended, None, None]:
    """`work(order, reporter)` for every order, yielding them in the order in which they end.

    `work` is a function of a module; orders and results can be pickled. `listen` gets what is reported: the order's
    index, `progress` with (stage, fraction), `warning` with a message, or what `Reporter.tell` was given. All processes
    end with the iteration, whatever they are doing; closing the iterator or an exception such as Ctrl-C ends them at
    once.
    """
    waiting = deque(range(len(orders)))
    from multiprocessing.connection import Connection, wait

    workers: dict[Connection, _Worker] = {}

    def occupy(worker: _Worker) -> None:
        workers[worker.connection] = worker
        worker.give(waiting.popleft(), orders)

    try:
        while waiting and len(workers) < processes:
            occupy(_Worker(work))
        while workers:
            for connection in wait(list(workers), _POLL_S):
                assert isinstance(connection, Connection)
                worker = workers[connection]
                kind, content = worker.receive()
                if kind not in ("result", "error"):
                    listen(worker.index, kind, content)
                    continue
                yield Ended(worker.index, **{kind: content})
                del workers[connection]
                if waiting:
                    occupy(worker if worker.is_alive else _Worker(work))
                else:
                    worker.kill()
    finally:
        for worker in workers.values():
            worker.kill()


class _Worker:
    """One process, from outside."""

    def __init__(self, work: Work) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.index = -1
        self._process = context.Process(target=_serve, args=(theirs, work))
        self._process.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def give(self, index: int, orders: Sequence[Any]) -> None:
        self.index = index
        with contextlib.suppress(OSError):  # it has died: `receive` will say so
            self.connection.send(orders[index])

    def receive(self) -> tuple[str, Any]:
        """What the process has sent, or why it is gone."""
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_POLL_S)  # its own exit status tells more than that of being killed
            self.kill()
            return "error", worker_death(self._process.exitcode)
        if kind == "trace":
            log.error("order %d failed unexpectedly\n%s", self.index, content)
            return self.receive()
        return kind, content

    def kill(self) -> None:
        """End the process and those it has started."""
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, work: Work) -> None:
    """The process: takes orders until nobody gives any more."""
    from multiprocessing import parent_process

    parent = parent_process()
    die_with_parent(parent.pid if parent else None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the owner decides what it means
    os.dup2(2, 1)  # what a library prints must not get between the results
    reporter = Reporter(connection)
    with contextlib.suppress(EOFError, OSError):
        while True:
            _send_outcome(connection, work, connection.recv(), reporter)


def _send_outcome(connection: Connection, work: Work, order: Any, reporter: Reporter) -> None:
    try:
        connection.send(("result", work(order, reporter)))
    except OmagenError as error:
        connection.send(("error", error))
    except MemoryError as error:
        connection.send(("error", out_of_memory(error)))
    except Exception as error:
        connection.send(("trace", "".join(traceback.format_exception(error))))
        connection.send(("error", unexpected(error)))
