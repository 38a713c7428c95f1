"""Counts how often flattened charts cover the centres of a grid: finds overlaps that boundaries alone leave open."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _cut(u0: float, v0: float, u1: float, v1: float, u2: float, v2: float, v: float) -> tuple[float, float]:
    """From where to where the row at v is in a triangle, about; an empty range where it is not."""
    low, high = np.inf, -np.inf
    for _ in range(3):
        if (v0 <= v) != (v1 <= v):
            u = u0 + (v - v0) / (v1 - v0) * (u1 - u0)
            low, high = min(low, u), max(high, u)
        u0, v0, u1, v1, u2, v2 = u1, v1, u2, v2, u0, v0
    return (low, high) if low <= high else (0.0, -2.0)


@njit(cache=True, nogil=True)
def cover(uv: np.ndarray, owner: np.ndarray, seen: np.ndarray, doubled: np.ndarray) -> None:
    """Mark in `seen` (H, W) int32 who covers each cell's centre first, and in `doubled` (H, W) any second cover.

    `uv` (F, 3, 2) float64 in cells, either orientation; `owner` (F,) int32; `seen` starts as -1. A centre counts as
    covered when it is clearly inside a triangle, so that triangles that share an edge never cover one twice.
    """
    rows, columns = seen.shape
    for face in range(len(uv)):
        u0, v0, u1, v1, u2, v2 = uv[face].ravel()
        area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
        if area == 0:
            continue
        inside = 1e-6 * np.sqrt(abs(area)) + 1e-9 * abs(area)
        sign = 1.0 if area > 0 else -1.0
        for row in range(max(0, int(np.floor(min(v0, v1, v2)))), min(rows, int(np.ceil(max(v0, v1, v2))) + 1)):
            v = row + 0.5
            low, high = _cut(u0, v0, u1, v1, u2, v2, v)
            left, right = max(0, int(np.floor(low)) - 1), min(columns, int(np.ceil(high)) + 1)
            for column in range(left, right):
                u = column + 0.5
                if (
                    sign * ((u1 - u0) * (v - v0) - (v1 - v0) * (u - u0)) > inside
                    and sign * ((u2 - u1) * (v - v1) - (v2 - v1) * (u - u1)) > inside
                    and sign * ((u0 - u2) * (v - v2) - (v0 - v2) * (u - u2)) > inside
                ):
                    if seen[row, column] < 0:
                        seen[row, column] = owner[face]
                    else:
                        doubled[row, column] = True
