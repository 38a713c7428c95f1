"""What a chart's cells decode to: pieces and borders, found and put right.

Cells decode as in `triangulate`: a block of four with three or four of them taken has triangles. A border edge runs
from cell to cell along rows, columns or across a block of three, triangles on its left.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.omage.cells import segment, step_of

CRUMB: Final = 24
"""Twice the area, in pixels, up to which a stray piece or hole may be dropped or filled."""


@numba.njit(cache=True, nogil=True, inline="always")
def is_inner(cells: np.ndarray, i: int, j: int) -> bool:
    """Whether all eight neighbours are taken, so that nothing can be wrong with the cell."""
    return (
        cells[i - 1, j - 1] + cells[i - 1, j] + cells[i - 1, j + 1] + cells[i, j - 1]
        + cells[i, j + 1] + cells[i + 1, j - 1] + cells[i + 1, j] + cells[i + 1, j + 1]
    ) == 8  # fmt: skip


@numba.njit(cache=True, nogil=True)
def in_triangle(cells: np.ndarray, i: int, j: int) -> bool:
    for y in range(i - 1, i + 1):
        for x in range(j - 1, j + 1):
            if cells[y, x] + cells[y, x + 1] + cells[y + 1, x] + cells[y + 1, x + 1] >= 3:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def count_exits(cells: np.ndarray, i: int, j: int) -> int:
    """How many border edges of the decoded chart start at cell (i, j): 1 on a clean border, more where pieces touch."""
    count = 0
    for direction in range(8):
        if is_exit(cells, i, j, direction):
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def is_exit(cells: np.ndarray, i: int, j: int, direction: int) -> bool:
    """Whether a border edge of the decoded chart starts at (i, j) in `direction`."""
    di, dj = step_of(direction)
    if not cells[i + di, j + dj]:
        return False
    if direction % 2 == 0:  # left of (di, dj) in rows and columns is (dj, -di)
        left = cells[i + dj, j - di] or cells[i + di + dj, j + dj - di]
        right = cells[i - dj, j + di] or cells[i + di - dj, j + dj + di]
        return bool(left and not right)
    # A diagonal is a border where its block has three cells, the missing one on the right.
    ai, aj = step_of(direction + 1)
    bi, bj = step_of(direction + 7)
    return bool(cells[i + ai, j + aj] and not cells[i + bi, j + bj])


@numba.njit(cache=True, nogil=True)
def link_borders(cells: np.ndarray, links: np.ndarray) -> bool:
    """Fill `links`, the next border cell for every border cell; False where pieces touch in one cell."""
    height, width = cells.shape
    links[:] = -1
    clean = True
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            if not cells[i, j] or is_inner(cells, i, j):
                continue
            for direction in range(8):
                if is_exit(cells, i, j, direction):
                    if links[i * width + j] >= 0:
                        clean = False
                    di, dj = step_of(direction)
                    links[i * width + j] = (i + di) * width + j + dj
    return clean


@numba.njit(cache=True, nogil=True)
def _trace(links: np.ndarray, width: int) -> np.ndarray:
    """The loops of `links`: (n, 6) int64 first cell, twice the area, bounding box (columns and rows, low and high)."""
    seen = np.zeros(len(links), np.bool_)
    found = np.empty((8, 6), np.int64)
    count = 0
    for p in range(len(links)):
        if links[p] < 0 or seen[p]:
            continue
        if count == len(found):
            found = np.concatenate((found, np.empty_like(found)))
        area = 0
        x0 = x1 = p % width
        y0 = y1 = p // width
        q = p
        while not seen[q]:
            seen[q] = True
            n = links[q]
            x, y = q % width, q // width
            area += x * (n // width) - (n % width) * y
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
            q = n
        found[count, 0], found[count, 1] = p, area
        found[count, 2], found[count, 3], found[count, 4], found[count, 5] = x0, x1, y0, y1
        count += 1
    return found[:count]


@numba.njit(cache=True, nogil=True)
def is_one_piece(links: np.ndarray, width: int, borders: int) -> bool:
    """Whether the cells are one piece with as many borders as asked for."""
    loops = _trace(links, width)
    rims = 0
    for n in range(len(loops)):
        rims += loops[n, 1] > 0
    return len(loops) == borders and rims == 1


@numba.njit(cache=True, nogil=True)
def repair(
    cells: np.ndarray,
    links: np.ndarray,
    uv: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    loops: np.ndarray,
) -> bool:
    """Drop crumbs beside the largest piece and fill small holes that are not the chart's; False if more is wrong."""
    if not link_borders(cells, links):
        return False
    width = cells.shape[1]
    traced = _trace(links, width)
    if len(traced) == 0:
        return False
    largest = np.argmax(traced[:, 1])
    for n in range(len(traced)):
        if n != largest and traced[n, 1] > 0:
            if traced[n, 1] > CRUMB:
                return False
            _erase_piece(cells, traced[n, 0] // width, traced[n, 0] % width)
    if not link_borders(cells, links):
        return False
    traced = _trace(links, width)
    own = np.zeros(len(traced), np.bool_)
    for loop in loops:
        edges = half_edge[loop_start[loop] : loop_start[loop + 1]]
        area = 0.0
        box = np.array([np.inf, -np.inf, np.inf, -np.inf])
        for edge in edges:
            x0, y0, x1, y1 = segment(uv, edge)
            area += x0 * y1 - x1 * y0
            box[0], box[1], box[2], box[3] = min(box[0], x0), max(box[1], x0), min(box[2], y0), max(box[3], y0)
        if area >= 0:
            continue
        best, gap = -1, np.inf
        for n in range(len(traced)):
            distance = np.abs(traced[n, 2:] - box).sum()
            if traced[n, 1] < 0 and not own[n] and distance < gap:
                best, gap = n, distance
        if best >= 0:
            own[best] = True
    for n in range(len(traced)):
        if traced[n, 1] < 0 and not own[n]:
            if traced[n, 1] < -CRUMB:
                return False
            _fill_hole(cells, traced[n, 0] // width, traced[n, 0] % width)
    return True


@numba.njit(cache=True, nogil=True)
def _erase_piece(cells: np.ndarray, i: int, j: int) -> None:
    """Empty the piece of the decoded chart that cell (i, j) is in."""
    stack = np.empty((cells.size, 2), np.int32)
    stack[0, 0], stack[0, 1] = i, j
    member = np.zeros(cells.shape, np.bool_)
    member[i, j] = True
    depth = 1
    while depth:
        depth -= 1
        y, x = stack[depth]
        for direction in range(0, 8, 2):
            di, dj = step_of(direction)
            v, u = y + di, x + dj
            if not cells[v, u] or member[v, u]:
                continue
            beside = cells[y + dj, x - di] or cells[v + dj, u - di] or cells[y - dj, x + di] or cells[v - dj, u + di]
            if beside:
                member[v, u] = True
                stack[depth, 0], stack[depth, 1] = v, u
                depth += 1
    for y in range(cells.shape[0]):
        for x in range(cells.shape[1]):
            if member[y, x]:
                cells[y, x] = 0


@numba.njit(cache=True, nogil=True)
def _fill_hole(cells: np.ndarray, i: int, j: int) -> None:
    """Fill the empty cells right of the border edge that starts at (i, j)."""
    y, x = -1, -1
    for direction in range(8):
        if is_exit(cells, i, j, direction):
            di, dj = step_of(direction + 7 if direction % 2 else direction + 6)
            y, x = i + di, j + dj
    if y < 0:
        return
    stack = np.empty((cells.size, 2), np.int32)
    cells[y, x] = 1
    stack[0, 0], stack[0, 1] = y, x
    depth = 1
    while depth:
        depth -= 1
        y, x = stack[depth]
        for direction in range(8):
            di, dj = step_of(direction)
            v, u = y + di, x + dj
            if 0 < v < cells.shape[0] - 1 and 0 < u < cells.shape[1] - 1 and not cells[v, u]:
                cells[v, u] = 1
                stack[depth, 0], stack[depth, 1] = v, u
                depth += 1
