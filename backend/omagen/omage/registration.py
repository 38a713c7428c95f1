"""Texture coordinates that keep a coarse mesh's borders on the borders of finer maps."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def registered_uv(coarse: np.ndarray, position: np.ndarray, labels: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """(r, r, 2) float32: where in maps of R x R pixels the pixels of a coarser picture are, in the unit square.

    `coarse` (r, r) int32 and `labels` (R, R) int32: charts, -1 for none, of the coarse picture with positions
    `position` (r, r, 3) float32 and of the maps with positions `fine` (R, R, 3). Inside of charts it is the pixel's
    centre. Pixels on the border of a chart hold a point of the true border, which the maps have elsewhere, up to a
    coarse pixel away: they get the place of the nearest point there.
    """
    small, large = len(coarse), len(labels)
    factor = large / small
    reach = int(np.ceil(1.5 * factor))
    uv = np.empty((small, small, 2), np.float32)
    for i in range(small):
        for j in range(small):
            uv[i, j, 0], uv[i, j, 1] = (j + 0.5) / small, (i + 0.5) / small
            if coarse[i, j] < 0 or not _is_edge(coarse, i, j):
                continue
            row, column = int((i + 0.5) * factor), int((j + 0.5) * factor)
            own = _nearest_label(labels, row, column, reach)
            least = np.inf
            for y in range(max(row - reach, 0), min(row + reach + 1, large)):
                for x in range(max(column - reach, 0), min(column + reach + 1, large)):
                    if labels[y, x] != own or own < 0:
                        continue
                    distance = 0.0
                    for k in range(3):
                        distance += (fine[y, x, k] - position[i, j, k]) ** 2
                    if distance < least:
                        least = distance
                        uv[i, j, 0], uv[i, j, 1] = (x + 0.5) / large, (y + 0.5) / large
    return uv


@numba.njit(cache=True, nogil=True)
def _is_edge(labels: np.ndarray, i: int, j: int) -> bool:
    size = len(labels)
    if i == 0 or j == 0 or i == size - 1 or j == size - 1:
        return True
    own = labels[i, j]
    return labels[i - 1, j] != own or labels[i + 1, j] != own or labels[i, j - 1] != own or labels[i, j + 1] != own


@numba.njit(cache=True, nogil=True)
def _nearest_label(labels: np.ndarray, row: int, column: int, reach: int) -> int:
    """The label of the nearest labelled pixel, -1 if there is none within `reach`."""
    size = len(labels)
    least, found = np.inf, -1
    for y in range(max(row - reach, 0), min(row + reach + 1, size)):
        for x in range(max(column - reach, 0), min(column + reach + 1, size)):
            distance = (y - row) ** 2 + (x - column) ** 2
            if labels[y, x] >= 0 and distance < least:
                least, found = distance, labels[y, x]
    return found
