"""Finds where the boundary of a flattened chart crosses or touches itself.

A chart whose triangles all keep their orientation, close once around every inner vertex and fill at most a full turn
around every outer one, overlaps itself exactly where its boundary crosses itself: how often a point is covered is the
sum of the winding numbers of the boundary curves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

SIMPLE: Final = 0
TOUCHES: Final = 1
CROSSES: Final = 2
TOLERANCE: Final = 1e-7
"""Fraction of a chart's extent within which a boundary is said to touch, not to cross."""
MOST_CELLS_ACROSS: Final = 1024


@njit(cache=True, nogil=True)
def boundary_verdicts(ends: np.ndarray, vertex: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(C,) uint8: SIMPLE, TOUCHES or CROSSES for each chart's boundary; (C, 2) int64: two segments that do, else -1.

    `ends` (N, 2, 2) float64: the ends of boundary segments; `vertex` (N, 2) int32: the chart vertices there (segments
    that share one are neighbours); `start` (C + 1,) int64: where each chart's segments begin.
    """
    verdict = np.zeros(len(start) - 1, np.uint8)
    pair = np.full((len(start) - 1, 2), -1, np.int64)
    for chart in range(len(start) - 1):
        first, last = start[chart], start[chart + 1]
        if last - first > 3:
            verdict[chart], a, b = _verdict(ends[first:last], vertex[first:last])
            if verdict[chart] == CROSSES:
                pair[chart] = first + a, first + b
    return verdict, pair


@njit(cache=True, nogil=True)
def _verdict(ends: np.ndarray, vertex: np.ndarray) -> tuple[int, int, int]:
    """Segments are sorted into the cells of a grid; those that meet in a cell are compared."""
    low_u, high_u = ends[:, :, 0].min(), ends[:, :, 0].max()
    low_v, high_v = ends[:, :, 1].min(), ends[:, :, 1].max()
    extent = max(high_u - low_u, high_v - low_v)
    if not (extent > 0 and extent < np.inf):
        return CROSSES, 0, 0
    across = min(MOST_CELLS_ACROSS, int(2 * np.sqrt(len(ends))) + 1)
    scale = across / (extent * (1 + 1e-9))
    columns, rows = int((high_u - low_u) * scale) + 1, int((high_v - low_v) * scale) + 1
    begin, entries = _sorted_into_cells((ends - np.array([low_u, low_v])) * scale, columns, rows)
    worst = SIMPLE
    for cell in range(columns * rows):
        for i in range(begin[cell], begin[cell + 1]):
            for j in range(i + 1, begin[cell + 1]):
                a, b = entries[i], entries[j]
                if vertex[a, 0] == vertex[b, 1] or vertex[a, 1] == vertex[b, 0]:
                    continue
                worst = max(worst, _meeting(ends[a], ends[b], TOLERANCE * extent))
                if worst == CROSSES:
                    return CROSSES, a, b
    return worst, 0, 0


@njit(cache=True, nogil=True)
def _sorted_into_cells(ends: np.ndarray, columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """`begin` (cells + 1,) and `entries`: the segments in each cell. `ends` in cells."""
    margin = 1e-6
    begin = np.zeros(columns * rows + 1, np.int64)
    entries = np.empty(0, np.int32)
    for is_filling in (False, True):
        if is_filling:
            total = 0
            for cell in range(columns * rows + 1):
                count = begin[cell]
                begin[cell] = total
                total += count
            entries = np.empty(total, np.int32)
        for segment in range(len(ends)):
            u0, v0, u1, v1 = ends[segment, 0, 0], ends[segment, 0, 1], ends[segment, 1, 0], ends[segment, 1, 1]
            if v0 > v1:
                u0, v0, u1, v1 = u1, v1, u0, v0
            slope = (u1 - u0) / (v1 - v0) if v1 > v0 else 0.0
            for row in range(max(0, int(v0 - margin)), min(rows - 1, int(v1 + margin)) + 1):
                left, right = u0, u1
                if v1 > v0:
                    left = u0 + slope * (min(max(row - margin, v0), v1) - v0)
                    right = u0 + slope * (min(max(row + 1 + margin, v0), v1) - v0)
                if left > right:
                    left, right = right, left
                for column in range(max(0, int(left - margin)), min(columns - 1, int(right + margin)) + 1):
                    cell = row * columns + column
                    if is_filling:
                        entries[begin[cell]] = segment
                    begin[cell] += 1
    for cell in range(columns * rows, 0, -1):
        begin[cell] = begin[cell - 1]
    begin[0] = 0
    return begin, entries


@njit(cache=True, nogil=True)
def _meeting(a: np.ndarray, b: np.ndarray, tolerance: float) -> int:
    """How two segments without a common vertex meet."""
    if max(a[0, 0], a[1, 0]) + tolerance < min(b[0, 0], b[1, 0]) or max(b[0, 0], b[1, 0]) + tolerance < min(
        a[0, 0], a[1, 0]
    ):
        return SIMPLE
    if max(a[0, 1], a[1, 1]) + tolerance < min(b[0, 1], b[1, 1]) or max(b[0, 1], b[1, 1]) + tolerance < min(
        a[0, 1], a[1, 1]
    ):
        return SIMPLE
    b_from_a = _sides(a, b, tolerance)
    a_from_b = _sides(b, a, tolerance)
    if b_from_a > 0 or a_from_b > 0:
        return SIMPLE
    return CROSSES if b_from_a < 0 and a_from_b < 0 else TOUCHES


@njit(cache=True, nogil=True)
def _sides(line: np.ndarray, points: np.ndarray, tolerance: float) -> int:
    """1: both `points` clearly on one side of `line`; -1: clearly on different sides; 0: one lies on it."""
    du, dv = line[1, 0] - line[0, 0], line[1, 1] - line[0, 1]
    limit = tolerance * np.sqrt(du * du + dv * dv)
    first = du * (points[0, 1] - line[0, 1]) - dv * (points[0, 0] - line[0, 0])
    second = du * (points[1, 1] - line[0, 1]) - dv * (points[1, 0] - line[0, 0])
    if (first > limit and second > limit) or (first < -limit and second < -limit):
        return 1
    if (first > limit and second < -limit) or (first < -limit and second > limit):
        return -1
    return 0
