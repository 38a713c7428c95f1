"""The borders of decoded charts as loops of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True)
class Loops:
    """Closed walks around the borders of charts, chart on the left where triangles go counter-clockwise."""

    pixel: np.ndarray
    """(N,) int32: pixel numbers in walking order, loop after loop"""
    start: np.ndarray
    """(L + 1,) int32: loop l is pixel[start[l] : start[l + 1]]"""

    @property
    def loop(self) -> np.ndarray:
        """(N,) int32: the loop of each step."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.int32), np.diff(self.start))


def trace_loops(edges: np.ndarray) -> Loops:
    """Chain directed edges (E, 2) int32 into simple loops: where a walk comes back to a point, a loop ends.

    As many edges must arrive at each point as leave it; walks that get stuck are left out.
    """
    if not len(edges):
        return Loops(np.zeros(0, np.int32), np.zeros(1, np.int32))
    points, ends = np.unique(edges, return_inverse=True)
    ends = ends.reshape(-1, 2)
    order = np.argsort(ends[:, 0], kind="stable")
    first = np.searchsorted(ends[order, 0], np.arange(len(points) + 1))
    walk, start = _walk(first, ends[order, 1])
    return Loops(points[walk].astype(np.int32), start)


@numba.njit(cache=True, nogil=True)
def _walk(first: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges from point p go to `to[first[p] : first[p + 1]]`."""
    free = first[:-1].copy()
    place = np.full(len(free), -1, np.int64)
    path = np.empty(len(to) + 1, np.int64)
    out = np.empty(len(to), np.int64)
    start = np.zeros(len(to) + 1, np.int32)
    written = loops = 0
    for begin in range(len(free)):
        while free[begin] < first[begin + 1]:
            depth, p = 0, begin
            while True:
                if place[p] >= 0:  # back at a point of the path: what lies between is a loop
                    low = place[p]
                    for k in range(low, depth):
                        out[written] = path[k]
                        place[path[k]] = -1
                        written += 1
                    loops += 1
                    start[loops] = written
                    depth = low
                if free[p] == first[p + 1]:
                    break
                place[p] = depth
                path[depth] = p
                depth += 1
                free[p] += 1
                p = to[free[p] - 1]
            for k in range(depth):
                place[path[k]] = -1
    return out[:written].copy(), start[: loops + 1].copy()


@numba.njit(cache=True, nogil=True)
def border_edges(blocks: np.ndarray) -> np.ndarray:
    """(E, 2) int32: the edges of only one triangle as pixels, from `blocks` (H, W) uint8 as in `triangulate`.

    Every edge runs so that its triangle, if counter-clockwise in the picture, is on its left.
    """
    height, width = blocks.shape
    edges = np.empty((4 * height * width, 2), np.int32)
    count = 0
    for i in range(height):
        for j in range(width):
            a = i * width + j
            b, c, d = a + 1, a + width + 1, a + width
            here = blocks[i, j]
            below = blocks[i - 1, j] if i else 0
            left = blocks[i, j - 1] if j else 0
            # The edge from this pixel to the right one: lower side of its block, upper side of the block below.
            over, under = here & 3 == 3, below & 12 == 12
            if over != under:
                edges[count, 0], edges[count, 1] = (a, b) if over else (b, a)
                count += 1
            # The edge to the upper pixel: left side of its block, right side of the block to the left.
            right, beside = here & 9 == 9, left & 6 == 6
            if right != beside:
                edges[count, 0], edges[count, 1] = (d, a) if right else (a, d)
                count += 1
            if here == 7:
                edges[count, 0], edges[count, 1] = c, a
            elif here == 14:
                edges[count, 0], edges[count, 1] = d, b
            elif here == 13:
                edges[count, 0], edges[count, 1] = a, c
            elif here == 11:
                edges[count, 0], edges[count, 1] = b, d
            else:
                continue
            count += 1
    return edges[:count].copy()
