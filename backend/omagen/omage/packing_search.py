"""Searches for an order of charts that stacks them low in a strip.

Charts are placed one by one, the large ones first; what is large can be measured in several ways, and a little noise on
the measure changes the stack a lot. So many orders are tried, new ones and variations of the best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.packing_runs import Runs
from omagen.omage.packing_strip import empty_line, fill_strip

STAGE: Final = "Packing the charts"
STRIP: Final = 1.5
"""Height of the strip over its width; a stack that would rise above it is given up."""
SCALES: Final = 4
"""The effort is meant for this many scales; each gets two orders at the least."""
FINE: Final = 512
"""In a strip n times as wide, a chart is tried at every n-th row only, from where it sinks to where it rests."""
LEANS: Final = (0.5, 0.25, 1.0)
"""How much a turn's height counts beside the row where it can lie."""
NEW_NOISE: Final = 0.4
VARIED_NOISE: Final = 0.15
"""Standard deviations, in natural logarithms of a chart's area."""
OVERHEAD: Final = 20_000
"""What an order costs beside the words that are read, in words."""
MEASURES: Final = 4
SEED: Final = 20240806


@dataclass(frozen=True)
class _Order:
    measure: int
    noise: np.ndarray
    lean: float


class StackSearch:
    """Searches at one scale after the other, beginning each time with the best order so far."""

    turns: np.ndarray
    row: np.ndarray
    column: np.ndarray
    """Of the lowest stack at the latest scale"""

    def __init__(self, resolution: int, effort: float, progress: Callable[[str, float], None] | None) -> None:
        self._progress = progress
        self._resolution = resolution
        self._effort = effort
        self._spent = 0
        self._random = np.random.default_rng(SEED)
        self._best: _Order | None = None

    @property
    def exhausted(self) -> bool:
        return self._spent >= self._effort

    @property
    def share(self) -> float:
        """Of the effort, spent so far: 0 to 1."""
        return min(self._spent / self._effort, 1.0)

    def improve(self, runs: Runs) -> int:
        """The rows of the lowest stack found; an estimate if that is more than the strip has."""
        strip = _Strip(runs, self._resolution)
        sizes = _measures(runs)
        until = min(self._spent + self._effort / SCALES, self._effort)
        rows, tries = int(STRIP * self._resolution) + 1, 0
        estimate, least = None, _least_rows(runs, self._resolution)
        while (tries < 2 or self._spent < until) and rows > least:
            if self._progress is not None:
                self._progress(STAGE, self.share)
            order = self._order(tries, len(runs.area))
            used = strip.fill(np.argsort(-(sizes[order.measure] + order.noise), kind="stable"), order.lean, rows - 1)
            self._spent += strip.spent + OVERHEAD
            tries += 1
            if used < rows:
                rows, self._best = used, order
                self.turns, self.row, self.column = strip.turns.copy(), strip.row.copy(), strip.column.copy()
            elif estimate is None:
                estimate = used
        return rows if rows <= STRIP * self._resolution or estimate is None else estimate

    def _order(self, tries: int, charts: int) -> _Order:
        """The order to try next: the best so far, plain ones, then noisy ones in turns with variations of the best."""
        best, random = self._best, self._random
        if best is None or (tries < MEASURES and not best.noise.any()):
            return _Order(tries % MEASURES, np.zeros(charts), LEANS[0])
        if tries == 0:
            return best
        lean = LEANS[int(random.integers(len(LEANS)))]
        if random.random() < 0.5:
            return _Order(int(random.integers(MEASURES)), random.normal(0, NEW_NOISE, charts), lean)
        return _Order(best.measure, best.noise + random.normal(0, VARIED_NOISE, charts), lean)


def _measures(runs: Runs) -> np.ndarray:
    """(MEASURES, C) float64: how large each chart is, as the logarithm of an area in pixels."""
    height, width = runs.height[::4].astype(float), runs.width[::4].astype(float)
    areas = (runs.area, height * width, np.maximum(height, width) ** 2, (height + width) ** 2)
    return np.log(np.stack(areas) + 1.0)


def _least_rows(runs: Runs, resolution: int) -> int:
    """No stack is lower."""
    flattest = int(np.minimum(runs.height, runs.width).max(initial=1))
    return max(flattest, -(-int(runs.area.sum()) // resolution))


class _Strip:
    """The strip, reused for all orders at one scale."""

    def __init__(self, runs: Runs, resolution: int) -> None:
        self._runs = runs
        self._step = max(resolution // FINE, 1)
        self._words = (resolution + 63) // 64
        self._empty = empty_line(resolution, int(runs.run[:, 2].max(initial=1)))
        self._levels = np.repeat(self._empty[:, None], int(STRIP * resolution), axis=1)
        self.turns = np.zeros(len(runs.area), np.uint8)
        self.row = np.zeros(len(runs.area), np.int32)
        self.column = np.zeros(len(runs.area), np.int32)
        self.spent = 0

    def fill(self, order: np.ndarray, lean: float, limit: int) -> int:
        """Stack the charts; the rows used, or an estimate above `limit` where they do not fit into as many rows."""
        runs = self._runs
        rows, placed, self.spent = fill_strip(
            self._levels, self._words, runs.run, runs.start, runs.height, runs.width,
            order, lean, self._step, limit, self.turns, self.row, self.column,
        )  # fmt: skip
        self._levels[:, :rows] = self._empty[:, None]
        if placed == len(order):
            return int(rows)
        area = runs.area[order]
        return max(int(limit * area.sum() / max(area[:placed].sum(), 1)), limit + 1)
