"""Judges flattened charts: does each keep its orientation and cover the plane at most once?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.coverage import cover
from omagen.omage.charts.crossing import CROSSES, TOUCHES, boundary_verdicts
from omagen.omage.charts.topology import boundary_successors, chart_vertices, group_order, restricted

GRID: Final = 512
"""Cells across a chart whose boundary touches itself, when its covers are counted."""


@dataclass(frozen=True)
class Verdict:
    flipped: np.ndarray
    """(C,) bool: some triangle is turned over or has no area"""
    overlapping: np.ndarray
    """(C,) bool: covers some of the plane twice"""
    crossing: np.ndarray
    """(C, 2) int64: two half-edges of the chart's boundary that cross; -1 where none were found"""

    @property
    def good(self) -> np.ndarray:
        return ~(self.flipped | self.overlapping)


def signed_areas(uv: np.ndarray) -> np.ndarray:
    """(F,) float64 twice the area of each triangle, positive where it is counter-clockwise. `uv` (F, 3, 2) float64."""
    return _signed_areas(np.ascontiguousarray(uv, np.float64))


@njit(cache=True, nogil=True)
def _signed_areas(uv: np.ndarray) -> np.ndarray:
    area = np.empty(len(uv))
    for f in range(len(uv)):
        au, av = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1]
        bu, bv = uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
        area[f] = au * bv - av * bu
    return area


def judge(uv: np.ndarray, inner: np.ndarray, chart: np.ndarray, charts: int) -> Verdict:
    """Which charts are flattened without fault. `uv` (F, 3, 2) float64, `inner` (3F,), `chart` (F,) int32."""
    flipped = np.zeros(charts, bool)
    flipped[chart[~(signed_areas(uv) > 0)]] = True
    vertex, vertices = chart_vertices(inner)
    overlapping = np.zeros(charts, bool)
    overlapping[chart[_winds_twice(uv, inner, vertex, vertices)]] = True
    half = np.flatnonzero(inner < 0)
    after = half - half % 3 + (half + 1) % 3
    crossing = _judge_boundaries(half, np.stack([vertex[half], vertex[after]], axis=1), uv, chart, flipped, overlapping)
    return Verdict(flipped, overlapping, crossing)


def judge_changed(
    uv: np.ndarray, inner: np.ndarray, chart: np.ndarray, charts: int, faces: np.ndarray, border: np.ndarray
) -> np.ndarray:
    """(C,) bool: which of the charts that `faces` (N,) int64, ascending, are of are flattened without fault.

    As `judge`, but only `faces` can be at fault: those that changed, and all that meet these at a vertex. `border`
    (B,) int64: all half-edges of theses charts' boundaries, ascending.
    """
    flipped, overlapping = np.zeros(charts, bool), np.zeros(charts, bool)
    local, label = uv[faces], chart[faces]
    flipped[label[~(signed_areas(local) > 0)]] = True
    part = restricted(inner, faces)
    vertex, vertices = chart_vertices(part)
    overlapping[label[_winds_twice(local, part, vertex, vertices)]] = True
    # every chart vertex on a boundary is where one half-edge ends and one other begins
    ends = np.stack([np.arange(len(border)), np.searchsorted(border, boundary_successors(inner, border))], axis=1)
    _judge_boundaries(border, ends.astype(np.int32), uv, chart, flipped, overlapping)
    return ~(flipped | overlapping)


def _judge_boundaries(
    half: np.ndarray,
    vertex: np.ndarray,
    uv: np.ndarray,
    chart: np.ndarray,
    flipped: np.ndarray,
    overlapping: np.ndarray,
) -> np.ndarray:
    """`crossing` of a `Verdict`; notes in `overlapping` (C,) the charts whose boundaries `half` (B,) are at fault.

    `vertex` (B, 2) int32: where each begins and ends.
    """
    charts = len(flipped)
    order, start = group_order(chart[half // 3], charts)
    half, vertex = half[order], vertex[order]
    corner = uv.reshape(-1, 2)
    ends = np.stack([corner[half], corner[half - half % 3 + (half + 1) % 3]], axis=1)
    verdict, pair = boundary_verdicts(ends, vertex, start)
    overlapping |= verdict == CROSSES
    touching = np.flatnonzero((verdict == TOUCHES) & ~overlapping & ~flipped)
    if len(touching):
        faces, begin = group_order(chart, charts)
        for index in touching:
            overlapping[index] = covers_twice(uv[faces[begin[index] : begin[index + 1]]])
    return np.where(pair >= 0, half[pair], -1) if len(half) else pair


def covers_twice(uv: np.ndarray) -> bool:
    """True when triangles `uv` (F, 3, 2) overlap where a grid of `GRID` cells across can see it."""
    low = uv.min(axis=(0, 1))
    extent = float((uv.max(axis=(0, 1)) - low).max())
    if not 0 < extent < np.inf:
        return True
    cells = (uv - low) * (GRID / extent)
    shape = tuple(np.ceil(cells.max(axis=(0, 1))).astype(int)[::-1] + 1)
    doubled = np.zeros(shape, bool)
    cover(cells, np.zeros(len(uv), np.int32), np.full(shape, -1, np.int32), doubled)
    return bool(doubled.any())


@njit(cache=True, nogil=True)
def _winds_twice(uv: np.ndarray, inner: np.ndarray, vertex: np.ndarray, vertices: int) -> np.ndarray:
    """(F,) bool: faces at a vertex around which the triangles run more than once."""
    angle = np.zeros(vertices)
    limit = np.full(vertices, 3 * np.pi)  # inside, a multiple of a full turn
    for face in range(len(uv)):
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            if inner[3 * face + i] < 0:
                limit[vertex[3 * face + i]] = limit[vertex[3 * face + j]] = 2 * np.pi + 1e-7
            au, av = uv[face, j, 0] - uv[face, i, 0], uv[face, j, 1] - uv[face, i, 1]
            bu, bv = uv[face, k, 0] - uv[face, i, 0], uv[face, k, 1] - uv[face, i, 1]
            angle[vertex[3 * face + i]] += abs(np.arctan2(au * bv - av * bu, au * bu + av * bv))
    result = np.zeros(len(uv), np.bool_)
    for corner in range(len(vertex)):
        if angle[vertex[corner]] > limit[vertex[corner]]:
            result[corner // 3] = True
    return result
