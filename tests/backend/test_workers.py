"""Processes that work through orders: parallel, isolated, gone when nobody wants them any more."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
from omagen.commands.workers import Ended, work_through
from omagen.protocol import ErrorCode
from worker_orders import do


def outcomes(orders: list[dict[str, Any]], processes: int = 2) -> dict[int, Ended]:
    return {ended.index: ended for ended in work_through(do, orders, processes, lambda *_: None)}


def test_every_order_has_an_outcome_whatever_happens_to_the_others() -> None:
    found = outcomes(
        [{"do": "square", "value": 3}]
        + [{"do": name} for name in ("refuse", "raise", "exhaust", "die")]
        + [{"do": "square", "value": n} for n in range(4)]
    )
    assert [found[i].result for i in (0, 5, 6, 7, 8)] == [9, 0, 1, 4, 9]
    codes = [found[i].error.code for i in (1, 2, 3, 4)]  # type: ignore[union-attr]
    assert codes == [ErrorCode.GEOMETRY, ErrorCode.ENVIRONMENT, ErrorCode.MEMORY, ErrorCode.ENVIRONMENT]
    assert str(found[1].error) == "It has no surface. Take another."
    assert "status 7" in str(found[4].error)


def test_a_process_is_used_again() -> None:
    found = outcomes([{"do": "print"}] * 3, processes=1)
    assert len({ended.result for ended in found.values()}) == 1


def test_reports_come_with_the_index_of_their_order() -> None:
    heard: list[Any] = []
    list(work_through(do, [{"do": "square", "value": 1}] * 2, 1, lambda *report: heard.append(report)))
    assert heard == [(0, "progress", ("Starting", 0.0)), (1, "progress", ("Starting", 0.0))]


def test_closing_ends_the_processes_at_once() -> None:
    orders = [{"do": "square", "value": 1}, {"do": "sleep"}]
    running = work_through(do, orders, 1, lambda *_: None)
    assert next(running).result == 1
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_without_orders_nothing_is_started() -> None:
    assert outcomes([]) == {}
