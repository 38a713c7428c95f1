"""Which pixels are one vertex."""

from __future__ import annotations

import numba
import numpy as np

from omagen.omage.diagonals import BORDER

LEVELS = 65535
"""Positions from -1 to 1 are stored in 16 bits."""


def coinciding_pixels(standing: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(H, W) int32: the same number for pixels on borders of charts whose positions in [-1, 1] are equal in 16 bits,
    -1 elsewhere."""
    at = np.flatnonzero(standing == BORDER)
    levels = np.round((position.reshape(-1, 3)[at].astype(np.float64) * 0.5 + 0.5) * LEVELS).astype(np.int64)
    # Positions outside of [-1, 1] may share a key with others; neighbours in space never do.
    keys = (levels[:, 0] << 42) ^ (levels[:, 1] << 21) ^ levels[:, 2]
    _, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    numbers = np.full(standing.size, -1, np.int32)
    several = counts[index] > 1
    numbers[at[several]] = index[several]
    return numbers.reshape(standing.shape)


@numba.njit(cache=True, nogil=True)
def number_vertices(
    standing: np.ndarray, seam: np.ndarray, classes: int, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`vertex` (H, W) int32 in the order of the picture, -1 where unused; `vertices` (V, 3) float32; `is_shared` (V,)
    uint8, 1 where several pixels are one vertex. `seam` (H, W) int32 below `classes`, as in `build_surface`."""
    height, width = standing.shape
    vertex = np.full((height, width), -1, np.int32)
    of_class = np.full(classes, -1, np.int32)
    members = np.zeros(classes, np.int32)
    sums = np.zeros((classes, 3), np.float64)
    count = 0
    for i in range(height):
        for j in range(width):
            if not standing[i, j]:
                continue
            s = seam[i, j]
            if s >= 0:
                members[s] += 1
                for k in range(3):
                    sums[s, k] += position[i, j, k]
                if of_class[s] >= 0:
                    vertex[i, j] = of_class[s]
                    continue
                of_class[s] = count
            vertex[i, j] = count
            count += 1
    vertices = np.empty((count, 3), np.float32)
    is_shared = np.zeros(count, np.uint8)
    for i in range(height):
        for j in range(width):
            v = vertex[i, j]
            if v >= 0 and seam[i, j] < 0:
                for k in range(3):
                    vertices[v, k] = position[i, j, k]
    for s in range(classes):
        if members[s]:
            v = of_class[s]
            is_shared[v] = members[s] > 1
            for k in range(3):
                vertices[v, k] = sums[s, k] / members[s]
    return vertex, vertices, is_shared
