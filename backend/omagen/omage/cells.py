"""Small kernels on the cells of one chart's grid, shared by what fills, checks and follows them."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def segment(uv: np.ndarray, edge: int) -> tuple[float, float, float, float]:
    """The ends of a half-edge in cells, pixel centres at whole numbers."""
    f, a = edge // 3, edge % 3
    b = 0 if a == 2 else a + 1
    return uv[f, a, 0] - 0.5, uv[f, a, 1] - 0.5, uv[f, b, 0] - 0.5, uv[f, b, 1] - 0.5


@numba.njit(cache=True, nogil=True)
def step_of(direction: int) -> tuple[int, int]:
    """Row and column steps of the eight directions, counter-clockwise from east."""
    turn = direction % 8
    row = 0 if turn % 4 == 0 else (1 if turn < 4 else -1)
    column = 0 if turn % 4 == 2 else (1 if turn < 2 or turn == 7 else -1)
    return row, column
