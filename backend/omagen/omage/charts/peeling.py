"""Finds what to take off a chart that lies over itself, so that the rest does not."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.projection import halve
from omagen.omage.charts.topology import connected_faces, restricted
from omagen.omage.charts.validity import signed_areas

MOST_CELLS: Final = 2**21


def peeled(uv: np.ndarray, inner: np.ndarray, faces: np.ndarray, crossing: np.ndarray) -> np.ndarray:
    """(N,) bool: which of `faces` (N,), those of one chart that overlaps itself, to cut off.

    Where layers lie over each other all but the largest go; where that is no help, half of the chart.
    `uv` (F, 3, 2), `inner` (3F,), `crossing` (2,): faces at a crossing of the boundary, -1 where unknown.
    """
    is_marked = _overlaid(uv[faces])
    is_marked |= np.isin(faces, crossing)
    marked = faces[is_marked]
    layer, layers = connected_faces(restricted(inner, marked))
    off = np.zeros(len(faces), bool)
    if layers > 1:
        size = np.bincount(layer, weights=signed_areas(uv[marked]))
        off[is_marked] = layer != np.argmax(size)
    else:
        off = halve(uv[faces], np.zeros(len(faces), np.int32), 1)
    return off


def _overlaid(uv: np.ndarray) -> np.ndarray:
    """(N,) bool: triangles that share the centre of a cell with another, on a grid finer than most of them."""
    low = uv.min(axis=(0, 1))
    size = uv.max(axis=(0, 1)) - low
    cell = max(np.sqrt(np.median(np.abs(signed_areas(uv)))) / 3, np.sqrt(max(size.prod(), 1e-300) / MOST_CELLS), 1e-300)
    cells = (uv - low) / cell
    rows, columns = (int(min(n / cell + 2, MOST_CELLS)) for n in size[::-1])
    if rows * columns > 4 * MOST_CELLS:
        return np.zeros(len(uv), bool)
    return _overlaid_on(cells, rows, columns)


@njit(cache=True, nogil=True)
def _overlaid_on(uv: np.ndarray, rows: int, columns: int) -> np.ndarray:
    seen = np.full((rows, columns), -1, np.int32)
    result = np.zeros(len(uv), np.bool_)
    for face in range(len(uv)):
        u0, v0, u1, v1, u2, v2 = uv[face].ravel()
        area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
        inside = 1e-6 * np.sqrt(abs(area)) + 1e-9 * abs(area)
        for row in range(max(0, int(min(v0, v1, v2))), min(rows, int(max(v0, v1, v2)) + 1)):
            v = row + 0.5
            for column in range(max(0, int(min(u0, u1, u2))), min(columns, int(max(u0, u1, u2)) + 1)):
                u = column + 0.5
                if (
                    (u1 - u0) * (v - v0) - (v1 - v0) * (u - u0) > inside
                    and (u2 - u1) * (v - v1) - (v2 - v1) * (u - u1) > inside
                    and (u0 - u2) * (v - v2) - (v0 - v2) * (u - u2) > inside
                ):
                    if seen[row, column] < 0:
                        seen[row, column] = face
                    else:
                        result[face] = True
                        result[seen[row, column]] = True
    return result
