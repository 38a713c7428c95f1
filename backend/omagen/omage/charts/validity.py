"""Judges flattened charts: does each keep its orientation and cover the plane at most once?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.coverage import cover
from omagen.omage.charts.crossing import CROSSES, TOUCHES, boundary_verdicts
from omagen.omage.charts.topology import chart_vertices

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
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def group_order(labels: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """`order` (N,): members sorted by label; `start` (groups + 1,) int64: where each group begins in it."""
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(labels, minlength=groups), out=start[1:])
    return np.argsort(labels, kind="stable"), start


def judge(uv: np.ndarray, inner: np.ndarray, chart: np.ndarray, charts: int) -> Verdict:
    """Which charts are flattened without fault. `uv` (F, 3, 2) float64, `inner` (3F,), `chart` (F,) int32."""
    flipped = np.zeros(charts, bool)
    flipped[chart[~(signed_areas(uv) > 0)]] = True
    vertex, vertices = chart_vertices(inner)
    overlapping = np.zeros(charts, bool)
    overlapping[chart[_winds_twice(uv, inner, vertex, vertices)]] = True
    half = np.flatnonzero(inner < 0)
    half_chart = chart[half // 3]
    order, start = group_order(half_chart, charts)
    half = half[order]
    after = half - half % 3 + (half + 1) % 3
    corner = uv.reshape(-1, 2)
    ends = np.stack([corner[half], corner[after]], axis=1)
    verdict, pair = boundary_verdicts(ends, np.stack([vertex[half], vertex[after]], axis=1), start)
    overlapping |= verdict == CROSSES
    touching = np.flatnonzero((verdict == TOUCHES) & ~overlapping & ~flipped)
    if len(touching):
        faces, begin = group_order(chart, charts)
        for index in touching:
            overlapping[index] = covers_twice(uv[faces[begin[index] : begin[index + 1]]])
    crossing = np.where(pair >= 0, half[pair], -1) if len(half) else pair
    return Verdict(flipped, overlapping, crossing)


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
