"""Work on several cores: results in order, errors once all has ended, nesting without standstill."""

from __future__ import annotations

import threading
import time

import pytest
from omagen.omage import cores
from omagen.omage.cores import in_parts, on_cores


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 4)


def test_results_are_in_the_order_of_the_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (5 - number % 5))
        return number**2

    assert on_cores(work, range(20)) == [number**2 for number in range(20)]
    assert on_cores(work, []) == []


def test_an_error_is_raised_when_nothing_runs_any_more() -> None:
    running: set[int] = set()
    lock = threading.Lock()

    def work(number: int) -> None:
        with lock:
            running.add(number)
        try:
            time.sleep(0.01)
            if number == 2:
                raise IndexError("two")
        finally:
            with lock:
                running.discard(number)

    with pytest.raises(IndexError, match="two"):
        on_cores(work, range(50))
    assert not running


def test_work_may_spread_its_own_work() -> None:
    def outer(number: int) -> int:
        return sum(on_cores(lambda inner: number * inner, range(30)))

    assert on_cores(outer, range(40)) == [number * 435 for number in range(40)]


def test_parts_cover_everything_once() -> None:
    seen = [0] * 103
    in_parts(103, 10, lambda part: seen.__setitem__(part, [n + 1 for n in seen[part]]))
    assert seen == [1] * 103
