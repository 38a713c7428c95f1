"""A grid of pixels for every chart, with the pixels that are the chart's own and the loops of those on its border.

Border pixels are later moved onto the chart's true border, so nothing is lost at the rim (see `seams`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numba
import numpy as np

from omagen.omage.boundary import Boundary
from omagen.omage.cores import cores, on_cores
from omagen.omage.masks import fill_masks

MARGIN: Final = 3
"""Empty cells around every grid, so that kernels may look at neighbours without asking."""


@dataclass(frozen=True)
class Grids:
    """A grid of cells per chart, all in flat arrays: cell (i, j) of chart c is start[c] + i * width[c] + j."""

    start: np.ndarray
    """(C + 1,) int64"""
    height: np.ndarray
    """(C,) int32"""
    width: np.ndarray
    """(C,) int32"""
    uv: np.ndarray
    """(F, 3, 2) float64: every face's corners in its chart's grid; cell (i, j) has its centre at (j+.5, i+.5)"""
    face: np.ndarray
    """(N,) int32: the face that covers the cell's centre, -1 outside"""
    mask: np.ndarray
    """(N,) uint8: 1 for the chart's pixels"""
    following: np.ndarray
    """(N,) int64: for a pixel on the border of the decoded chart the next one around it (chart on the left), else -1"""
    sound: np.ndarray
    """(C,) bool: whether the pixels decode to one piece with as many borders as the chart has"""


def even_parts(start: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of charts with about as many cells each, a few for every core. `start` as in `Grids`."""
    ends = np.searchsorted(start, np.linspace(0, start[-1], 4 * cores() + 1)[1:])
    bounds = [0, *np.unique(np.minimum(ends, len(start) - 1)).tolist()]
    return [(first, last) for first, last in pairwise(bounds) if first < last]


def chart_frames(uv: np.ndarray, chart: np.ndarray, charts: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounding boxes: `low`, `high` (C, 2) float64 of `uv` (F, 3, 2) for each chart."""
    low = np.full((charts, 2), np.inf)
    high = np.full((charts, 2), -np.inf)
    _frame(uv, chart, low, high)
    return low, high


@numba.njit(cache=True, nogil=True)
def _frame(uv: np.ndarray, chart: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    for f in range(len(uv)):
        for corner in range(3):
            for k in range(2):
                low[chart[f], k] = min(low[chart[f], k], uv[f, corner, k])
                high[chart[f], k] = max(high[chart[f], k], uv[f, corner, k])


def fitted_uv(
    uv: np.ndarray,
    chart: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    scale: float,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """`uv` at `scale` pixels a unit, each chart at the lower left of its own grid and stretched to whole pixels.

    With a whole number of pixels between its sides, a chart's straight sides run through pixel centres. From first to
    last centre nothing measures less than `least` (C, 2) pixels, by default one.
    """
    extent = (high - low) * scale
    whole = np.round(np.maximum(extent, 1.0 if least is None else least))
    stretch = whole / np.maximum(extent, 1e-300)
    thin = extent < 1e-9
    stretch[thin] = 1.0
    factor = stretch * scale
    offset = MARGIN + 0.5 - low * factor + np.where(thin, 0.5, 0.0)
    return _placed(uv, chart, factor, offset)


@numba.njit(cache=True, nogil=True)
def _placed(uv: np.ndarray, chart: np.ndarray, factor: np.ndarray, offset: np.ndarray) -> np.ndarray:
    placed = np.empty(uv.shape, np.float64)
    for f in range(len(uv)):
        c = chart[f]
        for corner in range(3):
            for k in range(2):
                placed[f, corner, k] = uv[f, corner, k] * factor[c, k] + offset[c, k]
    return placed


def build_grids(uv: np.ndarray, chart: np.ndarray, charts: int, boundary: Boundary) -> Grids:
    """The pixels of every chart. `uv` (F, 3, 2) float64: in the cells of each chart's own grid, at least `MARGIN`."""
    _, high = chart_frames(uv, chart, charts)
    size = np.floor(np.maximum(high, MARGIN)).astype(np.int64) + 1 + MARGIN
    width, height = size[:, 0].astype(np.int32), size[:, 1].astype(np.int32)
    start = np.concatenate([[0], np.cumsum(size[:, 0] * size[:, 1])])
    face = np.full(start[-1], -1, np.int32)
    _cover(uv, chart, start, width, height, face)
    mask = (face >= 0).astype(np.uint8)
    order = np.argsort(boundary.loop_chart, kind="stable").astype(np.int32)
    ranges = np.searchsorted(boundary.loop_chart[order], np.arange(charts + 1)).astype(np.int64)
    following = np.full(start[-1], -1, np.int64)
    sound = np.zeros(charts, np.bool_)

    def fill(part: tuple[int, int]) -> None:
        fill_masks(
            uv, boundary.half_edge, boundary.pinched, boundary.loop_start, order, ranges, start, width, height, mask,
            following, sound, part,
        )  # fmt: skip

    on_cores(fill, even_parts(start))
    return Grids(start, height, width, uv, face, mask, following, sound)


@numba.njit(cache=True, nogil=True)
def _cover(
    uv: np.ndarray, chart: np.ndarray, start: np.ndarray, width: np.ndarray, height: np.ndarray, face: np.ndarray
) -> None:
    """Write the number of each face into the cells whose centre it contains."""
    for f in range(len(uv)):
        c = chart[f]
        w, base = width[c], start[c]
        ax, ay = uv[f, 0, 0] - 0.5, uv[f, 0, 1] - 0.5
        bx, by = uv[f, 1, 0] - 0.5, uv[f, 1, 1] - 0.5
        cx, cy = uv[f, 2, 0] - 0.5, uv[f, 2, 1] - 0.5
        low = max(int(np.ceil(min(ay, by, cy) - 1e-9)), 0)
        high = min(int(np.floor(max(ay, by, cy) + 1e-9)), height[c] - 1)
        for i in range(low, high + 1):
            left, right = np.inf, -np.inf
            for side in range(3):
                if side == 0:
                    x0, y0, x1, y1 = ax, ay, bx, by
                elif side == 1:
                    x0, y0, x1, y1 = bx, by, cx, cy
                else:
                    x0, y0, x1, y1 = cx, cy, ax, ay
                if (y0 < i - 1e-9 and y1 < i - 1e-9) or (y0 > i + 1e-9 and y1 > i + 1e-9):
                    continue
                if abs(y1 - y0) < 1e-12:
                    left, right = min(left, x0, x1), max(right, x0, x1)
                else:
                    x = x0 + min(max((i - y0) / (y1 - y0), 0.0), 1.0) * (x1 - x0)
                    left, right = min(left, x), max(right, x)
            if left > right:
                continue
            for j in range(max(int(np.ceil(left - 1e-9)), 0), min(int(np.floor(right + 1e-9)), w - 1) + 1):
                face[base + i * w + j] = f
