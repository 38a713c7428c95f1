"""Which diagonal two triangles of a block of four pixels share."""

from __future__ import annotations

import numba
import numpy as np

LEAST_SHARE = 0.02
"""A triangle below this share of its block's area, or turned over, is avoided where the other diagonal can."""
FLAT = 1e-3
"""Diagonals that miss the surface by amounts closer than this (radians times length) are told apart by length."""


BORDER = 2
"""A pixel that triangles of its chart surround only partly; 1 stands for one that they surround, 0 for one without."""


@numba.njit(cache=True, nogil=True)
def is_diagonal_rising(
    standing: np.ndarray, position: np.ndarray, normal: np.ndarray, sign: int, a: int, width: int
) -> bool:
    """True for the diagonal from pixel a, the lower left one of a block, to the upper right; False for the other one.

    In this order: no triangle turned over or without area; no diagonal from border to border of the chart, because
    welding could lay it on a seam; the one that the surface, as its normals tell, bends least along, so that creases
    and ridges are edges; the shorter one. `standing` (N,) uint8 as `BORDER` says; `position`, `normal` (N, 3) float32;
    triangles of `sign` 1 go counter-clockwise.
    """
    b, c, d = a + 1, a + width + 1, a + width
    ax, ay, az = position[a, 0], position[a, 1], position[a, 2]
    bx, by, bz = position[b, 0] - ax, position[b, 1] - ay, position[b, 2] - az
    cx, cy, cz = position[c, 0] - ax, position[c, 1] - ay, position[c, 2] - az
    dx, dy, dz = position[d, 0] - ax, position[d, 1] - ay, position[d, 2] - az
    ex, ey, ez = dx - bx, dy - by, dz - bz
    nx, ny, nz = normal[c, 0] - normal[a, 0], normal[c, 1] - normal[a, 1], normal[c, 2] - normal[a, 2]
    mx, my, mz = normal[d, 0] - normal[b, 0], normal[d, 1] - normal[b, 1], normal[d, 2] - normal[b, 2]
    ux = sign * (normal[a, 0] + normal[b, 0] + normal[c, 0] + normal[d, 0])
    uy = sign * (normal[a, 1] + normal[b, 1] + normal[c, 1] + normal[d, 1])
    uz = sign * (normal[a, 2] + normal[b, 2] + normal[c, 2] + normal[d, 2])
    long_rising = cx * cx + cy * cy + cz * cz
    long_falling = ex * ex + ey * ey + ez * ez
    abc = (by * cz - bz * cy) * ux + (bz * cx - bx * cz) * uy + (bx * cy - by * cx) * uz
    acd = (cy * dz - cz * dy) * ux + (cz * dx - cx * dz) * uy + (cx * dy - cy * dx) * uz
    total = abc + acd
    if total > 0:
        abd = (by * dz - bz * dy) * ux + (bz * dx - bx * dz) * uy + (bx * dy - by * dx) * uz
        rising = min(abc, acd) >= LEAST_SHARE * total
        falling = min(abd, total - abd) >= LEAST_SHARE * total
        if rising != falling:
            return rising
    rising = standing[a] == BORDER and standing[c] == BORDER
    falling = standing[b] == BORDER and standing[d] == BORDER
    if rising != falling:
        return falling
    if total > 0:
        difference = abs(nx * cx + ny * cy + nz * cz) - abs(mx * ex + my * ey + mz * ez)
        if difference * difference > FLAT * FLAT * (long_rising + long_falling):
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
