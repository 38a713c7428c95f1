"""Triangles of least area that span a closed walk through space (Barequet and Sharir 1995)."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def span_loop(points: np.ndarray, forbidden: np.ndarray) -> tuple[np.ndarray, float]:
    """Triangles (n - 2, 3) int32 over `points` (n, 3), n at least 3, in walking order, and their area.

    `forbidden` (n, n) bool: which two points no diagonal may connect. Empty, of infinite area, where nothing else fits.
    """
    n = len(points)
    cost = np.zeros((n, n), np.float64)
    best = np.full((n, n), -1, np.int32)
    for width in range(2, n):
        for i in range(n - width):
            j = i + width
            cost[i, j] = np.inf
            if forbidden[i, j] and not (i == 0 and j == n - 1):
                continue
            for k in range(i + 1, j):
                total = cost[i, k] + cost[k, j]
                if total < cost[i, j]:
                    total += _area(points[i], points[k], points[j])
                    if total < cost[i, j]:
                        cost[i, j] = total
                        best[i, j] = k
    triangles = np.empty((n - 2, 3), np.int32)
    if best[0, n - 1] < 0:
        return triangles[:0], np.inf
    stack = np.empty((n, 2), np.int32)
    stack[0, 0], stack[0, 1] = 0, n - 1
    depth, count = 1, 0
    while depth:
        depth -= 1
        i, j = stack[depth, 0], stack[depth, 1]
        if j - i < 2:
            continue
        k = best[i, j]
        triangles[count, 0], triangles[count, 1], triangles[count, 2] = i, k, j
        count += 1
        stack[depth, 0], stack[depth, 1] = i, k
        stack[depth + 1, 0], stack[depth + 1, 1] = k, j
        depth += 2
    return triangles, cost[0, n - 1]


@numba.njit(cache=True, nogil=True)
def _area(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    return 0.5 * np.sqrt(x * x + y * y + z * z)
