"""Which diagonal two triangles of a block of four pixels share."""

from __future__ import annotations

import numba
import numpy as np

LEAST_SHARE = 0.02
"""A triangle below this share of its block's area, or turned over, is avoided where the other diagonal can."""
FLAT = 1e-3
"""Diagonals that miss the surface by amounts closer than this (radians times length) are told apart by length."""


@numba.njit(cache=True, nogil=True)
def is_diagonal_rising(labels: np.ndarray, position: np.ndarray, normal: np.ndarray, sign: int, i: int, j: int) -> bool:
    """True for the diagonal from (i, j) to (i + 1, j + 1), False for that from (i, j + 1) to (i + 1, j).

    In this order: no diagonal from border to border of the chart, because welding could lay it on a seam; no triangle
    turned over or without area; the one that the surface, as its normals tell, bends least along, so that creases and
    ridges are edges; the shorter one. `normal` (H, W, 3) where triangles of `sign` 1 go counter-clockwise.
    """
    rising = is_on_border(labels, i, j) and is_on_border(labels, i + 1, j + 1)
    falling = is_on_border(labels, i, j + 1) and is_on_border(labels, i + 1, j)
    if rising != falling:
        return falling
    total = abc = acd = abd = long_rising = long_falling = bend_rising = bend_falling = 0.0
    for k in range(3):
        x, y = (k + 1) % 3, (k + 2) % 3
        up = normal[i, j, k] + normal[i, j + 1, k] + normal[i + 1, j + 1, k] + normal[i + 1, j, k]
        bx, by = position[i, j + 1, x] - position[i, j, x], position[i, j + 1, y] - position[i, j, y]
        cx, cy = position[i + 1, j + 1, x] - position[i, j, x], position[i + 1, j + 1, y] - position[i, j, y]
        dx, dy = position[i + 1, j, x] - position[i, j, x], position[i + 1, j, y] - position[i, j, y]
        abc += (bx * cy - by * cx) * up
        acd += (cx * dy - cy * dx) * up
        abd += (bx * dy - by * dx) * up
        step = position[i + 1, j + 1, k] - position[i, j, k]
        long_rising += step * step
        bend_rising += step * (normal[i + 1, j + 1, k] - normal[i, j, k])
        step = position[i + 1, j, k] - position[i, j + 1, k]
        long_falling += step * step
        bend_falling += step * (normal[i + 1, j, k] - normal[i, j + 1, k])
    total = sign * (abc + acd)
    if total > 0:
        bcd = total - sign * abd
        rising = min(sign * abc, sign * acd) >= LEAST_SHARE * total
        falling = min(sign * abd, bcd) >= LEAST_SHARE * total
        if rising != falling:
            return rising
        difference = abs(bend_rising) - abs(bend_falling)
        if abs(difference) > FLAT * (np.sqrt(long_rising) + np.sqrt(long_falling)):
            return difference < 0
    return long_rising <= long_falling


@numba.njit(cache=True, nogil=True)
def is_on_border(labels: np.ndarray, i: int, j: int) -> bool:
    """Whether triangles of its chart surround the pixel only partly: one of its four neighbours is not of the chart."""
    height, width = labels.shape
    if i == 0 or j == 0 or i == height - 1 or j == width - 1:
        return True
    own = labels[i, j]
    return labels[i - 1, j] != own or labels[i + 1, j] != own or labels[i, j - 1] != own or labels[i, j + 1] != own
