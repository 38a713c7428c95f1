"""Work on arrays spread over the processor's cores, by threads: for kernels and libraries that let go of the lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
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
    """`work` of every item, in their order; the first error is raised once all that began has ended."""
    items = list(items)
    if len(items) < 2 or cores() < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(cores(), len(items))) as pool:
        return list(pool.map(work, items))


def in_parts(count: int, size: int, work: Callable[[slice], Any]) -> None:
    """Call `work` with slices of 0 to `count`, each at most `size` long."""
    on_cores(work, [slice(begin, min(begin + size, count)) for begin in range(0, count, size)])
