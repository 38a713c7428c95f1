"""Work on arrays spread over the processor's cores, by threads: for kernels and libraries that let go of the lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any, Final, TypeVar

MOST_THREADS: Final = 8
"""Beyond it memory is what limits these passes."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many threads are worth starting: the cores that this process may use, up to `MOST_THREADS`."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, MOST_THREADS)


def on_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, in their order; an error is raised once all that began has ended. May be nested."""
    items = list(items)
    results: dict[int, Result] = {}
    waiting = deque(enumerate(items))

    def drain() -> None:
        while True:
            try:
                number, item = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = work(item)
            except BaseException:
                waiting.clear()
                raise

    helpers = [_pool().submit(drain) for _ in range(min(cores(), len(items)) - 1)]
    try:
        drain()
    finally:  # those that found no thread are not needed any more
        wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()
    return [results[number] for number in range(len(items))]


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept, as starting threads takes longer than many a piece of work."""
    return ThreadPoolExecutor(MOST_THREADS - 1)


def in_parts(count: int, size: int, work: Callable[[slice], Any]) -> None:
    """Call `work` with slices of 0 to `count`, each at most `size` long."""
    on_cores(work, [slice(begin, min(begin + size, count)) for begin in range(0, count, size)])
