"""Counts where a surface passes through itself: sweep along one axis, then triangles against each other's edges."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from omagen.geometry.distinct import distinct_rows
from omagen.kernels import cache

cache.install()

MOST_FACES: Final = 300_000
MOST_PAIRS: Final = 1_500_000_000
"""Pairs whose boxes are compared, at about 1 ns each"""


def self_intersections(vertices: np.ndarray, faces: np.ndarray) -> int | None:
    """How many pairs of triangles cross; None where counting would take longer than some seconds.

    `vertices` (V, 3), `faces` (F, 3). Pairs that merely touch, that lie in one plane or that share an edge do not
    count; vertices at the same place count as one.
    """
    if len(faces) > MOST_FACES:
        return None
    if len(faces) == 0:
        return 0
    first, inverse = distinct_rows(np.ascontiguousarray(vertices, np.float32))
    corners = inverse.astype(np.int32)[faces]
    places = vertices[first].astype(np.float64)
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    if len(corners) == 0:
        return 0
    places -= places[corners.reshape(-1)].mean(axis=0)
    points = places[corners]
    low, high = points.min(axis=1), points.max(axis=1)
    axis = int(np.argmax(np.ptp(points.reshape(-1, 3), axis=0) / np.maximum((high - low).mean(axis=0), 1e-300)))
    order = np.argsort(low[:, axis], kind="stable")
    turned = [axis, (axis + 1) % 3, (axis + 2) % 3]
    return _count(
        points[order][:, :, turned].copy(),
        corners[order].copy(),
        low[order][:, turned].copy(),
        high[order][:, turned].copy(),
        MOST_PAIRS,
    )


@njit(cache=True, nogil=True)
def _count(points: np.ndarray, corners: np.ndarray, low: np.ndarray, high: np.ndarray, most: int) -> int | None:
    found = looked = 0
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            if low[j, 0] > high[i, 0]:
                break
            looked += 1
            if low[j, 1] > high[i, 1] or high[j, 1] < low[i, 1] or low[j, 2] > high[i, 2] or high[j, 2] < low[i, 2]:
                continue
            shared = 0
            for m in range(3):
                for n in range(3):
                    shared += corners[i, m] == corners[j, n]
            if shared < 2 and (_pierces(points, corners, i, j) or _pierces(points, corners, j, i)):
                found += 1
        if looked > most:
            return None
    return found


@njit(cache=True, nogil=True)
def _pierces(points: np.ndarray, corners: np.ndarray, of: int, through: int) -> bool:
    """Whether an edge of triangle `of` passes through the inside of another one; not one that starts at its corner."""
    a, b, c = points[through, 0], points[through, 1], points[through, 2]
    for k in range(3):
        is_apart = True
        for m in range(3):
            other = corners[through, m]
            is_apart &= corners[of, k] != other and corners[of, (k + 1) % 3] != other
        if not is_apart:
            continue
        p, q = points[of, k], points[of, (k + 1) % 3]
        above, below = _volume(a, b, c, p), _volume(a, b, c, q)
        if not above * below < 0:
            continue
        one, two, three = _volume(p, q, a, b), _volume(p, q, b, c), _volume(p, q, c, a)
        if (one > 0 and two > 0 and three > 0) or (one < 0 and two < 0 and three < 0):
            return True
    return False


@njit(cache=True, nogil=True)
def _volume(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Six times the signed volume of a tetrahedron."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    wx, wy, wz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
    return ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)
