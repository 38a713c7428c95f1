"""What the pixels of an omage cover on the surface: how dense they are, how they stretch, which charts survive."""

from __future__ import annotations

import numpy as np
from numba import njit


def texel_shapes(position: np.ndarray, chart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`area` (N,) and `stretch` (N,), float32: of N pixels the area on the surface and the ratio of singular values.

    `position` (R, R, 3) float32, `chart` (R, R) int32, -1 = empty. Only pixels away from the charts' boundaries count,
    where samples are moved onto the outline; if there are none, all that have a neighbour above and to the right.
    """
    area, stretch = _shapes(position, chart, True)
    return (area, stretch) if len(area) else _shapes(position, chart, False)


@njit(cache=True, nogil=True)
def surviving_charts(chart: np.ndarray, seam: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: the charts of `chart` (R, R) int32 that decode to a triangle.

    That is, three pixels of a 2 x 2 block belong to them and are three points: no two have one number in `seam` (R, R)
    int32, where -1 is a point of its own.
    """
    survives = np.zeros(count, np.bool_)
    for i in range(chart.shape[0] - 1):
        for j in range(chart.shape[1] - 1):
            a, b, c, d = chart[i, j], chart[i, j + 1], chart[i + 1, j], chart[i + 1, j + 1]
            first = a if a in (b, c) else d
            if not 0 <= first < count or survives[first]:
                continue
            points = 0
            for k in range(4):
                row, column = i + k // 2, j + k % 2
                is_new = chart[row, column] == first
                for m in range(k):
                    other_row, other_column = i + m // 2, j + m % 2
                    same = seam[row, column] >= 0 and seam[row, column] == seam[other_row, other_column]
                    is_new = is_new and not (same and chart[other_row, other_column] == first)
                points += is_new
            survives[first] = points >= 3
    return survives


@njit(cache=True, nogil=True)
def _is_inner(chart: np.ndarray, i: int, j: int) -> bool:
    c = chart[i, j]
    if i == 0 or j == 0 or i == chart.shape[0] - 1 or j == chart.shape[1] - 1:
        return False
    return chart[i - 1, j] == c and chart[i + 1, j] == c and chart[i, j - 1] == c and chart[i, j + 1] == c


@njit(cache=True, nogil=True)
def _shapes(position: np.ndarray, chart: np.ndarray, inner: bool) -> tuple[np.ndarray, np.ndarray]:
    """First fundamental form from forward differences; see `texel_shapes`."""
    height, width = chart.shape
    area = np.empty((height - 1) * (width - 1), np.float32)
    stretch = np.empty_like(area)
    count = 0
    for i in range(height - 1):
        for j in range(width - 1):
            c = chart[i, j]
            if c < 0 or chart[i, j + 1] != c or chart[i + 1, j] != c:
                continue
            if inner and not (_is_inner(chart, i, j) and _is_inner(chart, i, j + 1) and _is_inner(chart, i + 1, j)):
                continue
            e = f = g = 0.0
            for k in range(3):
                du = position[i, j + 1, k] - position[i, j, k]
                dv = position[i + 1, j, k] - position[i, j, k]
                e, f, g = e + du * du, f + du * dv, g + dv * dv
            squared = e * g - f * f
            area[count] = np.sqrt(max(squared, 0.0))
            larger = 0.5 * (e + g) + np.sqrt(0.25 * (e - g) ** 2 + f * f)
            # The product of both singular values is the area; a texel without area has no shape.
            stretch[count] = larger / np.sqrt(squared) if squared > 0.0 else 1.0
            count += 1
    return area[:count].copy(), stretch[:count].copy()
