"""Packs the bitmaps of charts into a square picture at the largest scale at which all of them fit.

Charts are packed as they will be drawn, pixel by pixel and with the gutter between them, so nothing can overlap. At one
scale, a search over orders looks for the lowest stack in a strip as wide as the picture; the height found tells which
scale to try next, so that a handful of scales is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from omagen.omage.packing_runs import Runs, grown_runs
from omagen.omage.packing_search import STAGE, StackSearch
from omagen.protocol import ErrorCode, OmagenError

EFFORT: Final = 4e7
"""Words that are read at all scales together: about 0.1 s on one core."""
MOST_SCALES: Final = 24
"""Scales tried at most; far fewer are needed unless the charts hardly fit at all."""
LAST_STEP: Final = 1.003
"""The search ends when a scale larger by this factor does not fit."""
ROUGH_STEP: Final = 1.012
"""The same once the effort is spent."""
TYPICAL_FILL: Final = 0.8
"""Of the picture, gutters included: where the search begins."""
LOOSE_FILL: Final = 0.6
"""Charts that fill less are not packed while the scale is still being guessed."""
GUESSES: Final = 3
"""Scales at which that may happen."""
VANISHING: Final = 1e-4
"""A scale, relative to one that does not fit, at which charts are as small as they ever get."""
PATIENCE: Final = 5
"""Scales that may fail before the vanishing one is tried."""


@dataclass(frozen=True)
class ChartMasks:
    """The pixels of C charts, each a bitmap of its own, row 0 at the bottom."""

    bits: np.ndarray
    """(N,) uint8, 0 or not: the bitmaps one after the other, each row by row"""
    start: np.ndarray
    """(C + 1,) int64: bitmap c is bits[start[c]:start[c + 1]]"""
    height: np.ndarray
    """(C,) int32, pixels"""
    width: np.ndarray
    """(C,) int32, pixels"""


@dataclass(frozen=True)
class Packing:
    """Where each chart's bitmap lies in the picture."""

    scale: float
    turns: np.ndarray
    """(C,) uint8: quarter turns counter-clockwise, pixel (i, j) of a bitmap of h rows to (j, h - 1 - i) for each"""
    row: np.ndarray
    """(C,) int32: row of the lower left pixel of the turned bitmap"""
    column: np.ndarray
    """(C,) int32: column of the same"""
    masks: ChartMasks
    """the bitmaps at `scale`, not turned"""


class TooManyCharts(OmagenError):
    """The charts do not fit at any scale, because each needs some pixels however small it is drawn."""

    def __init__(self, charts: int, needed: int, available: int) -> None:
        super().__init__(
            ErrorCode.GEOMETRY,
            f"The surface is in {charts:,} pieces, which need {needed:,} pixels at the least; there are {available:,}.",
            "Choose a larger resolution.",
        )
        self.charts, self.needed, self.available = charts, needed, available

    def __reduce__(self) -> tuple[Any, ...]:
        return TooManyCharts, (self.charts, self.needed, self.available)


def pack(
    masks_at: Callable[[float], ChartMasks],
    resolution: int,
    gutter: int,
    start_scale: float,
    progress: Callable[[str, float], None] | None = None,
    effort: float = 1.0,
) -> Packing:
    """Place all charts, at least one, in a picture of `resolution` x `resolution` pixels at the largest scale found.

    `masks_at(scale)` draws the charts at `scale` pixels per unit; the number of charts never changes. `gutter` empty
    pixels separate any two charts in all eight directions, across the picture's borders too: its lowest rows and
    leftmost columns stay free. `effort` multiplies the time spent on better packings. `progress` is called before every
    try and may raise. Deterministic. Raises `TooManyCharts`.
    """
    stack = StackSearch(resolution, effort * EFFORT, progress)
    scales = _Scales(resolution, start_scale)
    best = None
    for attempt in range(MOST_SCALES):
        if progress is not None:
            progress(STAGE, stack.share)
        masks = masks_at(scales.next)
        runs = grown_runs(masks.bits, masks.start, masks.height, masks.width, gutter)
        rows, fits = _rows_without_packing(runs, resolution, attempt < GUESSES and not scales.vanished), False
        if rows is None:
            rows = stack.improve(runs)
            fits = rows <= resolution
        if fits:
            turns, row, column = stack.turns, stack.row + np.int32(gutter), stack.column + np.int32(gutter)
            best = Packing(scales.next, turns, row, column, masks)
        elif scales.vanished:
            break
        scales.record(rows, fits)
        if best is not None and scales.closed(ROUGH_STEP if stack.exhausted else LAST_STEP):
            break
    if best is None:
        area = int(runs.area.sum())
        raise TooManyCharts(len(runs.area), area if area > resolution**2 else rows * resolution, resolution**2)
    return best


def _rows_without_packing(runs: Runs, resolution: int, guess: bool) -> int | None:
    """The rows that the charts will about need, where they clearly do not fit or, for a `guess`, leave much room."""
    longest = int(max(runs.height.max(initial=0), runs.width.max(initial=0)))
    area = int(runs.area.sum())
    if longest > resolution:
        return longest * longest // resolution + 1
    if area > resolution**2 or (guess and area < LOOSE_FILL * resolution**2 and longest < LOOSE_FILL * resolution):
        return max(int(area / (TYPICAL_FILL * resolution)), 1)
    return None


class _Scales:
    """Chooses the scales to try from the rows needed at earlier ones, about linear in the scale's square."""

    def __init__(self, resolution: int, start: float) -> None:
        self._resolution = resolution
        self._low: tuple[float, int] | None = None
        self._high: tuple[float, int] | None = None
        self._failures = 0
        self.next = float(start)
        self.vanished = False

    def closed(self, ratio: float) -> bool:
        """Whether a scale `ratio` times the best is known not to fit."""
        return self._low is not None and self._high is not None and self._high[0] <= ratio * self._low[0]

    def record(self, rows: int, fits: bool) -> None:
        """Learn how many rows the charts need at the scale `next`, and choose another.

        Rows that would do although the charts do not fit are a guess, which bounds nothing.
        """
        tried = (self.next, rows)
        if fits:
            self._low = tried
            self.vanished = False
            self.next = self._between() if self._high else self._above()
        elif rows < self._resolution:
            wanted = self.next * float(np.clip(np.sqrt(self._resolution / rows), LAST_STEP, 16.0))
            self.next = min(wanted, (self.next * self._high[0]) ** 0.5) if self._high else wanted
        else:
            self._failures += 1
            before, self._high = self._high, tried
            self.next = self._between() if self._low else self._below(before)

    def _between(self) -> float:
        assert self._low is not None and self._high is not None
        return _interpolate(self._low, self._high, self._resolution, 0.1, 0.9)

    def _above(self) -> float:
        assert self._low is not None
        return self._low[0] * float(np.clip(np.sqrt(self._resolution / max(self._low[1], 1)), LAST_STEP, 16.0))

    def _below(self, before: tuple[float, int] | None) -> float:
        """A scale below all that have failed; a vanishing one where the rows do not shrink with the scale."""
        assert self._high is not None
        scale, rows = self._high
        step = float(np.clip(np.sqrt(self._resolution / rows), 1 / 16, 1 - 0.015 * self._failures))
        if self._failures >= PATIENCE:
            self.vanished = True
        elif before is not None and self._failures > 2 and rows < before[1]:
            slope = (before[1] - rows) / (before[0] ** 2 - scale**2)
            square = scale**2 - (rows - self._resolution) / slope
            self.vanished = square <= 0
            step = min(step, float(np.sqrt(max(square, 0.0))) / scale)
        return scale * (VANISHING if self.vanished else step)


def _interpolate(low: tuple[float, int], high: tuple[float, int], rows: int, least: float, most: float) -> float:
    """The scale at which `rows` are needed, given (scale, rows) below and above it; well away from both."""
    share = (rows - low[1]) / (high[1] - low[1])
    return float(np.sqrt(low[0] ** 2 + (high[0] ** 2 - low[0] ** 2) * np.clip(share, least, most)))
