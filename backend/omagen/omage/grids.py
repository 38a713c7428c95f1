"""Which pixels each chart gets: a pixel grid per chart, filled so that what is decoded from it has the chart's topology.

A pixel belongs to a chart when its centre is inside or at most half a pixel outside; where a chart is too thin for
that to hold triangles, it gets the pixels around its border instead. Border pixels are later moved onto the true
border, so nothing is lost at the rim (see `seams`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np

from omagen.omage.boundary import Boundary

MARGIN: Final = 3
"""Empty cells around every grid, so that kernels may look at neighbours without asking."""
REACH: Final = 0.5
"""Pixels: how far outside a chart a pixel's centre may be."""


@dataclass(frozen=True)
class Grids:
    """A grid of cells per chart, all in flat arrays: cell (i, j) of chart c is start[c] + i * width[c] + j."""

    start: np.ndarray
    """(C + 1,) int64"""
    height: np.ndarray
    """(C,) int32"""
    width: np.ndarray
    """(C,) int32"""
    uv: np.ndarray
    """(F, 3, 2) float64: every face's corners in the cells of its chart's grid; the centre of cell (i, j) is (j+.5, i+.5)"""
    face: np.ndarray
    """(N,) int32: the face that covers the cell's centre, -1 outside"""
    mask: np.ndarray
    """(N,) uint8: 1 for the chart's pixels"""
    following: np.ndarray
    """(N,) int64: for a pixel on the border of the decoded chart the next one around it (chart on the left), else -1"""
    sound: np.ndarray
    """(C,) bool: whether the pixels decode to one piece with as many borders as the chart has"""


def chart_frames(uv: np.ndarray, chart: np.ndarray, charts: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounding boxes: `low`, `high` (C, 2) float64 of `uv` (F, 3, 2) for each chart."""
    low = np.full((charts, 2), np.inf)
    high = np.full((charts, 2), -np.inf)
    np.minimum.at(low, chart, uv.min(axis=1))
    np.maximum.at(high, chart, uv.max(axis=1))
    return low, high


def fitted_uv(uv: np.ndarray, chart: np.ndarray, low: np.ndarray, high: np.ndarray, scale: float) -> np.ndarray:
    """`uv` at `scale` pixels a unit, each chart at the lower left of its own grid and stretched to whole pixels.

    With a whole number of pixels between its sides, a chart's straight sides run through pixel centres. Nothing
    becomes thinner than one pixel from first to last centre.
    """
    extent = (high - low) * scale
    whole = np.maximum(np.round(extent), 1.0)
    stretch = whole / np.maximum(extent, 1e-300)
    thin = extent < 1e-9
    stretch[thin] = 1.0
    factor = stretch * scale
    offset = MARGIN + 0.5 - low * factor + np.where(thin, 0.5, 0.0)
    return uv * factor[chart][:, None] + offset[chart][:, None]


def build_grids(uv: np.ndarray, chart: np.ndarray, charts: int, boundary: Boundary) -> Grids:
    """The pixels of every chart for `uv` (F, 3, 2) float64 in the cells of each chart's own grid (at least `MARGIN`)."""
    _, high = chart_frames(uv, chart, charts)
    size = np.floor(np.maximum(high, MARGIN)).astype(np.int64) + 1 + MARGIN
    width, height = size[:, 0].astype(np.int32), size[:, 1].astype(np.int32)
    start = np.concatenate([[0], np.cumsum(size[:, 0] * size[:, 1])])
    face = np.full(start[-1], -1, np.int32)
    _cover(uv, chart, start, width, height, face)
    mask = (face >= 0).astype(np.uint8)
    order = np.argsort(boundary.loop_chart, kind="stable").astype(np.int32)
    ranges = np.searchsorted(boundary.loop_chart[order], np.arange(charts + 1)).astype(np.int64)
    following = np.full(start[-1], -1, np.int64)
    sound = np.zeros(charts, np.bool_)
    _fill(uv, boundary.half_edge, boundary.loop_start, order, ranges, start, width, height, mask, following, sound)
    return Grids(start, height, width, uv, face, mask, following, sound)


@numba.njit(cache=True, nogil=True)
def _cover(
    uv: np.ndarray, chart: np.ndarray, start: np.ndarray, width: np.ndarray, height: np.ndarray, face: np.ndarray
) -> None:
    """Write the number of each face into the cells whose centre it contains."""
    for f in range(len(uv)):
        c = chart[f]
        w, base = width[c], start[c]
        ax, ay = uv[f, 0, 0] - 0.5, uv[f, 0, 1] - 0.5
        bx, by = uv[f, 1, 0] - 0.5, uv[f, 1, 1] - 0.5
        cx, cy = uv[f, 2, 0] - 0.5, uv[f, 2, 1] - 0.5
        low = max(int(np.ceil(min(ay, by, cy) - 1e-9)), 0)
        high = min(int(np.floor(max(ay, by, cy) + 1e-9)), height[c] - 1)
        for i in range(low, high + 1):
            left, right = np.inf, -np.inf
            for side in range(3):
                if side == 0:
                    x0, y0, x1, y1 = ax, ay, bx, by
                elif side == 1:
                    x0, y0, x1, y1 = bx, by, cx, cy
                else:
                    x0, y0, x1, y1 = cx, cy, ax, ay
                if (y0 < i - 1e-9 and y1 < i - 1e-9) or (y0 > i + 1e-9 and y1 > i + 1e-9):
                    continue
                if abs(y1 - y0) < 1e-12:
                    left, right = min(left, x0, x1), max(right, x0, x1)
                else:
                    x = x0 + min(max((i - y0) / (y1 - y0), 0.0), 1.0) * (x1 - x0)
                    left, right = min(left, x), max(right, x)
            if left > right:
                continue
            for j in range(max(int(np.ceil(left - 1e-9)), 0), min(int(np.floor(right + 1e-9)), w - 1) + 1):
                face[base + i * w + j] = f


@numba.njit(cache=True, nogil=True)
def _fill(
    uv: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    order: np.ndarray,
    ranges: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    mask: np.ndarray,
    following: np.ndarray,
    sound: np.ndarray,
) -> None:
    """For every chart the sparing rule; where it gives another topology than the chart's, the generous one, then repairs."""
    for c in range(len(width)):
        cells = mask[start[c] : start[c + 1]].reshape(height[c], width[c])
        links = following[start[c] : start[c + 1]]
        inside = cells.copy()
        loops = order[ranges[c] : ranges[c + 1]]
        blocked = _find_gaps(inside, uv, half_edge, loop_start, loops)
        for attempt in range(4):
            for i in range(height[c]):
                for j in range(width[c]):
                    cells[i, j] = inside[i, j] & (1 - blocked[i, j])
            _take_near(cells, inside, blocked, uv, half_edge, loop_start, loops)
            for loop in loops:
                for k in range(loop_start[loop], loop_start[loop + 1]):
                    _support(cells, blocked, uv, half_edge[k], attempt % 2 == 1)
            if len(loops) > 1:
                for loop in loops:
                    _punch_hole(cells, uv, half_edge[loop_start[loop] : loop_start[loop + 1]])
            tidy = _tidy(cells, inside, blocked)
            if attempt >= 2:
                tidy = _repair(cells, links, uv, half_edge, loop_start, loops) and _tidy(cells, inside, blocked)
            sound[c] = tidy and _link(cells, links) and _matches(links, width[c], len(loops))
            if sound[c]:
                break


@numba.njit(cache=True, nogil=True)
def _segment(uv: np.ndarray, edge: int) -> tuple[float, float, float, float]:
    """The ends of a half-edge in cells, pixel centres at whole numbers."""
    f, a = edge // 3, edge % 3
    b = 0 if a == 2 else a + 1
    return uv[f, a, 0] - 0.5, uv[f, a, 1] - 0.5, uv[f, b, 0] - 0.5, uv[f, b, 1] - 0.5


@numba.njit(cache=True, nogil=True)
def _find_gaps(
    inside: np.ndarray, uv: np.ndarray, half_edge: np.ndarray, loop_start: np.ndarray, loops: np.ndarray
) -> np.ndarray:
    """Cells that must stay empty lest the two banks of a narrow gap in the chart join: (h, w) uint8.

    Between two cells in a row or column the border may pass: where it passes twice and both centres are inside, the
    cell nearer to the gap is given up; a cell outside with border on two opposite sides lies in a gap.
    """
    height, width = inside.shape
    blocked = np.zeros((height, width), np.uint8)
    across = np.zeros((2, height, width), np.uint8)
    near = np.zeros((2, height, width), np.float32)  # the first passing between a cell and the next, from the cell
    for loop in loops:
        for k in range(loop_start[loop], loop_start[loop + 1]):
            x0, y0, x1, y1 = _segment(uv, half_edge[k])
            for axis in range(2):
                if axis == 1:
                    x0, y0, x1, y1 = y0, x0, y1, x1
                rows, columns = (height, width) if axis == 0 else (width, height)
                # The chart lies left of its edges: a rising edge has it at smaller x, a falling one at larger x.
                nudge = 1e-7 if (y1 > y0) == (axis == 0) else -1e-7
                low, high = min(y0, y1), max(y0, y1)
                for i in range(max(int(np.floor(low)) + 1, 0), min(int(np.floor(high)), rows - 1) + 1):
                    x = x0 + (i - y0) / (y1 - y0) * (x1 - x0) + nudge
                    j = int(np.floor(x))
                    if j < 0 or j >= columns:
                        continue
                    v, u = (i, j) if axis == 0 else (j, i)
                    if across[axis, v, u] == 0 or x - j < near[axis, v, u]:
                        near[axis, v, u] = x - j
                    if across[axis, v, u] < 200:
                        across[axis, v, u] += 1
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            for axis in range(2):
                v, u = (i, j + 1) if axis == 0 else (i + 1, j)
                if across[axis, i, j] == 0:
                    continue
                if inside[i, j] and inside[v, u]:
                    if across[axis, i, j] >= 2 and not blocked[i, j] and not blocked[v, u]:
                        if near[axis, i, j] < 0.5:
                            blocked[i, j] = 1
                        else:
                            blocked[v, u] = 1
                elif not inside[i, j]:
                    before = across[axis, i, j - 1] if axis == 0 else across[axis, i - 1, j]
                    if before and inside[v, u] and (inside[i, j - 1] if axis == 0 else inside[i - 1, j]):
                        blocked[i, j] = 1
    return blocked


@numba.njit(cache=True, nogil=True)
def _take_near(
    cells: np.ndarray,
    inside: np.ndarray,
    blocked: np.ndarray,
    uv: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    loops: np.ndarray,
) -> None:
    """Take the cells outside whose centre is at most `REACH` from the border, unless the other bank of a gap has one beside."""
    height, width = cells.shape
    reach = REACH + 1e-6
    taken = np.empty((64, 2), np.int32)
    count = 0
    toward = np.zeros((height, width, 2), np.float32)
    for loop in loops:
        for k in range(loop_start[loop], loop_start[loop + 1]):
            x0, y0, x1, y1 = _segment(uv, half_edge[k])
            dx, dy = x1 - x0, y1 - y0
            norm = dx * dx + dy * dy
            low, high = int(np.ceil(min(y0, y1) - reach)), int(np.floor(max(y0, y1) + reach))
            for i in range(max(low, 1), min(high, height - 2) + 1):
                left, right = min(x0, x1) - reach, max(x0, x1) + reach
                if abs(dy) > 1e-9 and abs(dx) > 1e-9:  # the part of the edge that this row can reach
                    slope = dx / dy
                    p, q = x0 + (i - reach - y0) * slope, x0 + (i + reach - y0) * slope
                    left, right = max(left, min(p, q) - reach), min(right, max(p, q) + reach)
                for j in range(max(int(np.ceil(left)), 1), min(int(np.floor(right)), width - 2) + 1):
                    if inside[i, j] or blocked[i, j]:
                        continue
                    share = min(max(((j - x0) * dx + (i - y0) * dy) / norm, 0.0), 1.0) if norm > 0 else 0.0
                    gx, gy = x0 + share * dx - j, y0 + share * dy - i
                    gap = gx * gx + gy * gy
                    if gap > reach * reach:
                        continue
                    if not cells[i, j]:
                        cells[i, j] = 1
                        if count == len(taken):
                            taken = np.concatenate((taken, np.empty_like(taken)))
                        taken[count, 0], taken[count, 1] = i, j
                        count += 1
                    elif gap >= toward[i, j, 0] ** 2 + toward[i, j, 1] ** 2:
                        continue
                    toward[i, j, 0], toward[i, j, 1] = gx, gy
    for n in range(count):
        i, j = taken[n]
        for direction in range(0, 8, 2):
            di, dj = _step(direction)
            v, u = i + di, j + dj
            if not cells[i, j] or not cells[v, u] or inside[v, u]:
                continue
            # Two cells outside, side by side, whose borders lie on their far sides: the gap is between them.
            if toward[i, j, 1] * di + toward[i, j, 0] * dj < 0 and toward[v, u, 1] * di + toward[v, u, 0] * dj > 0:
                here = toward[i, j, 0] ** 2 + toward[i, j, 1] ** 2
                there = toward[v, u, 0] ** 2 + toward[v, u, 1] ** 2
                v, u = (i, j) if here >= there else (v, u)
                cells[v, u] = 0
                blocked[v, u] = 1


@numba.njit(cache=True, nogil=True)
def _support(cells: np.ndarray, blocked: np.ndarray, uv: np.ndarray, edge: int, generous: bool) -> None:
    """Take whole blocks of four cells along a border edge: all of them, or only where no triangle is near."""
    x0, y0, x1, y1 = _segment(uv, edge)
    steps = max(int(np.ceil(4.0 * np.hypot(x1 - x0, y1 - y0))), 1)
    height, width = cells.shape
    for s in range(steps):
        t = (s + 0.5) / steps
        i, j = int(np.floor(y0 + t * (y1 - y0))), int(np.floor(x0 + t * (x1 - x0)))
        if i < 1 or j < 1 or i + 2 >= height or j + 2 >= width:
            continue
        if not generous and _has_triangle_near(cells, i, j):
            continue
        _take_block(cells, blocked, i, j)


@numba.njit(cache=True, nogil=True)
def _take_block(cells: np.ndarray, blocked: np.ndarray, i: int, j: int) -> None:
    for v in range(i, i + 2):
        for u in range(j, j + 2):
            if not blocked[v, u]:
                cells[v, u] = 1


@numba.njit(cache=True, nogil=True)
def _has_triangle_near(cells: np.ndarray, i: int, j: int) -> bool:
    height, width = cells.shape
    for y in range(max(i - 1, 0), min(i + 2, height - 1)):
        for x in range(max(j - 1, 0), min(j + 2, width - 1)):
            if cells[y, x] + cells[y, x + 1] + cells[y + 1, x] + cells[y + 1, x + 1] >= 3:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def _tidy(cells: np.ndarray, inside: np.ndarray, blocked: np.ndarray) -> bool:
    """Drop cells that no triangle uses and widen places where two pieces touch in one cell only; False if it persists."""
    height, width = cells.shape
    for _ in range(8):
        changed = False
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                if not cells[i, j] or _is_inner(cells, i, j):
                    continue
                if not _in_triangle(cells, i, j):
                    cells[i, j] = 0
                    changed = True
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                if not cells[i, j] or _is_inner(cells, i, j):
                    continue
                if _exits(cells, i, j) > 1:
                    _widen(cells, inside, blocked, i, j)
                    changed = True
        if not changed:
            return True
    return False


@numba.njit(cache=True, nogil=True, inline="always")
def _is_inner(cells: np.ndarray, i: int, j: int) -> bool:
    """Whether all eight neighbours are taken, so that nothing can be wrong with the cell."""
    return (
        cells[i - 1, j - 1] + cells[i - 1, j] + cells[i - 1, j + 1] + cells[i, j - 1]
        + cells[i, j + 1] + cells[i + 1, j - 1] + cells[i + 1, j] + cells[i + 1, j + 1]
    ) == 8  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _in_triangle(cells: np.ndarray, i: int, j: int) -> bool:
    for y in range(i - 1, i + 1):
        for x in range(j - 1, j + 1):
            if cells[y, x] + cells[y, x + 1] + cells[y + 1, x] + cells[y + 1, x + 1] >= 3:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def _exits(cells: np.ndarray, i: int, j: int) -> int:
    """How many border edges of the decoded chart start at cell (i, j): 1 on a clean border, more where pieces touch."""
    count = 0
    for direction in range(8):
        if _is_exit(cells, i, j, direction):
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _step(direction: int) -> tuple[int, int]:
    """Row and column steps of the eight directions, counter-clockwise from east."""
    turn = direction % 8
    row = 0 if turn % 4 == 0 else (1 if turn < 4 else -1)
    column = 0 if turn % 4 == 2 else (1 if turn < 2 or turn == 7 else -1)
    return row, column


@numba.njit(cache=True, nogil=True)
def _is_exit(cells: np.ndarray, i: int, j: int, direction: int) -> bool:
    """Whether the decoded chart has a border edge from (i, j) in `direction`, triangles on its left, none on its right."""
    di, dj = _step(direction)
    if not cells[i + di, j + dj]:
        return False
    if direction % 2 == 0:  # left of (di, dj) in rows and columns is (dj, -di)
        left = cells[i + dj, j - di] or cells[i + di + dj, j + dj - di]
        right = cells[i - dj, j + di] or cells[i + di - dj, j + dj + di]
        return bool(left and not right)
    # A diagonal is a border where its block has three cells, the missing one on the right.
    ai, aj = _step(direction + 1)
    bi, bj = _step(direction + 7)
    return bool(cells[i + ai, j + aj] and not cells[i + bi, j + bj])


@numba.njit(cache=True, nogil=True)
def _widen(cells: np.ndarray, inside: np.ndarray, blocked: np.ndarray, i: int, j: int) -> None:
    """Fill the block around a touching cell that needs the fewest new cells, or give the cell up where none may be."""
    best, at_i, at_j = 100, -1, -1
    for y in range(i - 1, i + 1):
        for x in range(j - 1, j + 1):
            count = within = shut = 0
            for v in range(y, y + 2):
                for u in range(x, x + 2):
                    count += cells[v, u]
                    within += inside[v, u]
                    shut += blocked[v, u]
            price = 5 * (4 - count) - within
            if count < 4 and shut == 0 and price < best:
                best, at_i, at_j = price, y, x
    if at_i < 0:
        cells[i, j] = 0
    else:
        _take_block(cells, blocked, at_i, at_j)


@numba.njit(cache=True, nogil=True)
def _punch_hole(cells: np.ndarray, uv: np.ndarray, loop: np.ndarray) -> None:
    """Keep a chart's hole open: where it has been filled, its middle cell is emptied if that is safe."""
    area = x = y = 0.0
    for edge in loop:
        x0, y0, x1, y1 = _segment(uv, edge)
        area += x0 * y1 - x1 * y0
        x += x0 / len(loop)
        y += y0 / len(loop)
    i, j = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    if area >= 0 or not (1 < i < cells.shape[0] - 2 and 1 < j < cells.shape[1] - 2):
        return
    if cells[i - 1 : i + 2, j - 1 : j + 2].sum() == 9:
        cells[i, j] = 0


@numba.njit(cache=True, nogil=True)
def _link(cells: np.ndarray, links: np.ndarray) -> bool:
    """Fill `links`, the next border cell for every border cell; False where pieces touch in one cell."""
    height, width = cells.shape
    links[:] = -1
    clean = True
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            if not cells[i, j] or _is_inner(cells, i, j):
                continue
            for direction in range(8):
                if _is_exit(cells, i, j, direction):
                    clean = clean and links[i * width + j] < 0
                    di, dj = _step(direction)
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
def _matches(links: np.ndarray, width: int, borders: int) -> bool:
    """Whether the cells are one piece with as many borders as asked for."""
    loops = _trace(links, width)
    rims = 0
    for n in range(len(loops)):
        rims += loops[n, 1] > 0
    return len(loops) == borders and rims == 1


@numba.njit(cache=True, nogil=True)
def _repair(
    cells: np.ndarray, links: np.ndarray, uv: np.ndarray, half_edge: np.ndarray, loop_start: np.ndarray, loops: np.ndarray
) -> bool:
    """Keep the largest piece only, and fill the holes that are not the chart's own."""
    if not _link(cells, links):
        return False
    width = cells.shape[1]
    traced = _trace(links, width)
    if len(traced) == 0:
        return False
    largest = np.argmax(traced[:, 1])
    for n in range(len(traced)):
        if n != largest and traced[n, 1] > 0:
            _erase_piece(cells, traced[n, 0] // width, traced[n, 0] % width)
    if not _link(cells, links):
        return False
    traced = _trace(links, width)
    own = np.zeros(len(traced), np.bool_)
    for loop in loops:
        edges = half_edge[loop_start[loop] : loop_start[loop + 1]]
        area = 0.0
        box = np.array([np.inf, -np.inf, np.inf, -np.inf])
        for edge in edges:
            x0, y0, x1, y1 = _segment(uv, edge)
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
            di, dj = _step(direction)
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
        if _is_exit(cells, i, j, direction):
            di, dj = _step(direction + 7 if direction % 2 else direction + 6)
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
            di, dj = _step(direction)
            v, u = y + di, x + dj
            if 0 < v < cells.shape[0] - 1 and 0 < u < cells.shape[1] - 1 and not cells[v, u]:
                cells[v, u] = 1
                stack[depth, 0], stack[depth, 1] = v, u
                depth += 1
