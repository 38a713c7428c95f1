"""Compiles the kernels that are missing, in processes of their own: on all cores, watched, and ended at any moment.

Every kernel is kept as soon as it is compiled, so that what was ended half-way goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from omagen.commands.workers import Reporter, work_through
from omagen.kernels.folder import PACKAGE, VARIABLE, cache_folder, is_writable
from omagen.kernels.stamp import is_prepared, mark_prepared
from omagen.protocol import ErrorCode, OmagenError

_MEMORY_PER_PROCESS: Final = 2**30
_LOOK_EVERY_S: Final = 0.2
_KERNEL: Final = re.compile(r"^\s*@(?:numba\.)?njit\b", re.MULTILINE)

Report = Callable[[str, float], None]


def prepare(report: Report) -> int:
    """Compile every kernel that is missing; returns how many were. At once where `is_prepared()`.

    `report` is called several times a second with what is being compiled and the fraction (0 to 1) that is there; it
    may raise to cancel. Two processes that prepare at the same time share the work: the second one waits for the first.
    Raises `OmagenError` (environment) where compiled kernels cannot be kept, or what a kernel's run raised.
    """
    if is_prepared():
        return 0
    folder = cache_folder()
    if folder is None or not is_writable(folder):
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            "Compiled kernels cannot be kept: no folder for them can be written.",
            f"Set {VARIABLE} to a folder that you may write into.",
        )
    with _alone(report):
        if is_prepared():
            return 0
        progress = _Progress(report)
        first, last = _tasks()
        compiled = _run(first, progress) + _run(last, progress)
        mark_prepared()
    return compiled


class _Progress:
    """Counts the kernels that are there, whichever process has them."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._there: set[str] = set()
        self._running: dict[int, str] = {}
        self._total = sum(len(_KERNEL.findall(path.read_text("utf-8"))) for path in PACKAGE.rglob("*.py"))

    def __call__(self, task: int, title: str, names: Sequence[str]) -> None:
        self._running[task] = title
        self._there.update(names)
        what = ", ".join(self._running[task] for task in sorted(self._running))
        self._report(f"Compiling kernels: {what}", min(len(self._there) / self._total, 0.99))

    def end(self, task: int) -> None:
        self._running.pop(task, None)


def _tasks() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices into the tasks: those for all processes, and what comes after them."""
    from omagen.kernels.tasks import TASKS

    last = len(TASKS) - 1
    return tuple(range(last)), (last,)


def _run(tasks: Sequence[int], progress: _Progress) -> int:
    """Run tasks side by side; returns how many kernels were compiled."""
    compiled = 0

    def listen(index: int, kind: str, content: Any) -> None:
        progress(tasks[index], *content)

    with contextlib.closing(work_through(compile_for, tasks, _processes(len(tasks)), listen)) as running:
        for ended in running:
            if ended.error:
                raise ended.error
            progress.end(tasks[ended.index])
            compiled += ended.result
    return compiled


def compile_for(number: int, reporter: Reporter) -> int:
    """What a process does: run one task; returns how many kernels it had to compile."""
    from omagen.kernels import cache
    from omagen.kernels.tasks import TASKS

    cache.install()  # numba must have been imported before another thread looks into it
    task, over = TASKS[number], threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY_S):
            reporter.tell("kernels", (task.title, _loaded()))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    before = compilations()
    try:
        task.run()
    finally:
        over.set()
        watching.join()
    reporter.tell("kernels", (task.title, _loaded()))
    return compilations() - before


def compilations() -> int:
    """How many specialisations of our kernels this process has compiled, rather than loaded."""
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in _kernels().values())


def _loaded() -> list[str]:
    return [name for name, kernel in _kernels().items() if kernel.overloads]


def _kernels() -> dict[str, Any]:
    """Those of the modules that have been imported, by their full names."""
    from numba.core.dispatcher import Dispatcher

    modules = [module for name, module in sys.modules.copy().items() if name.startswith("omagen.") and module]
    kernels = [value for module in modules for value in vars(module).copy().values() if isinstance(value, Dispatcher)]
    return {f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}": kernel for kernel in kernels}


@contextlib.contextmanager
def _alone(report: Report) -> Iterator[None]:
    """One process at a time."""
    import filelock

    folder = cache_folder()
    assert folder is not None
    lock = filelock.FileLock(folder / "preparing.lock")
    while True:
        try:
            lock.acquire(timeout=_LOOK_EVERY_S)
            break
        except filelock.Timeout:
            report("Compiling kernels: another process is at it", 0.0)
        except (OSError, NotImplementedError):  # a file system without locks: the work may be done twice
            break
    try:
        yield
    finally:
        lock.release()


def _processes(tasks: int) -> int:
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = int(psutil.virtual_memory().available // _MEMORY_PER_PROCESS)
    return max(1, min(cores, memory, tasks))
