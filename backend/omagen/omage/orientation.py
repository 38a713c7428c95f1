"""Normals of pixels from their neighbours, and which way round each chart's triangles go."""

from __future__ import annotations

import numba
import numpy as np

UNDECIDED = 0.05
"""Normals decide a chart's winding when they agree with its triangles by at least this share, either way."""


@numba.njit(cache=True, nogil=True)
def pixel_normals(labels: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32, unit length, from neighbours within the chart, for triangles counter-clockwise in the picture.

    Zero where a pixel has too few neighbours to tell.
    """
    height, width = labels.shape
    normal = np.zeros((height, width, 3), np.float32)
    for i in range(height):
        for j in range(width):
            own = labels[i, j]
            if own < 0:
                continue
            left = j - 1 if j > 0 and labels[i, j - 1] == own else j
            right = j + 1 if j + 1 < width and labels[i, j + 1] == own else j
            below = i - 1 if i > 0 and labels[i - 1, j] == own else i
            above = i + 1 if i + 1 < height and labels[i + 1, j] == own else i
            square = 0.0
            for k in range(3):
                x, y = (k + 1) % 3, (k + 2) % 3
                ux, uy = position[i, right, x] - position[i, left, x], position[i, right, y] - position[i, left, y]
                vx, vy = position[above, j, x] - position[below, j, x], position[above, j, y] - position[below, j, y]
                normal[i, j, k] = ux * vy - uy * vx
                square += normal[i, j, k] ** 2
            if square > 0:
                normal[i, j] /= np.sqrt(square)
    return normal


@numba.njit(cache=True, nogil=True)
def winding_signs(
    labels: np.ndarray, count: int, blocks: np.ndarray, position: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """(count,) int8 per label: 1 for triangles counter-clockwise in the picture, -1 for clockwise, as the normals say.

    `blocks` (H, W) uint8: the corners of each block that make triangles, as in `triangulate`. Every block votes with
    its area.
    """
    height, width = labels.shape
    points, normals = position.reshape(-1, 3), normal.reshape(-1, 3)
    agreement = np.zeros(count, np.float64)
    weight = np.zeros(count, np.float64)
    for i in range(height - 1):
        for j in range(width - 1):
            code = blocks[i, j]
            if code == 0:
                continue
            a, b, c, d = _diagonals(code, i * width + j, width)
            dot = size = length = 0.0
            for k in range(3):
                x, y = (k + 1) % 3, (k + 2) % 3
                ux, uy = points[c, x] - points[a, x], points[c, y] - points[a, y]
                vx, vy = points[d, x] - points[b, x], points[d, y] - points[b, y]
                area = ux * vy - uy * vx
                up = normals[a, k] + normals[b, k] + normals[c, k] + normals[d, k]
                dot += area * up
                size += area * area
                length += up * up
            if np.isfinite(dot) and np.isfinite(size * length):
                own = labels[b // width, b % width]
                agreement[own] += dot
                weight[own] += np.sqrt(size * length)
    sign = np.ones(count, np.int8)
    for label in range(count):
        if agreement[label] < -UNDECIDED * weight[label]:
            sign[label] = -1
    return sign


@numba.njit(cache=True, nogil=True)
def _diagonals(code: int, a: int, width: int) -> tuple[int, int, int, int]:
    """The pixels of the block at pixel a whose diagonals, first to third and second to fourth, span twice its area.

    Where a corner is missing, a neighbour in its place makes that the area of the triangle.
    """
    b, c, d = a + 1, a + width + 1, a + width
    if code == 14:
        return d, b, c, d
    if code == 13:
        return a, a, c, d
    if code == 11:
        return a, b, b, d
    if code == 7:
        return a, b, c, c
    return a, b, c, d
