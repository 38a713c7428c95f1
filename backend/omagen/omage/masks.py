"""Chooses the pixels of a chart, so that what is decoded from them is what the chart is: one piece, the same borders.

A pixel belongs to a chart when its centre is inside or at most half a pixel outside; where a chart is too thin for
that to hold triangles, it gets the blocks of pixels along its border instead; where two banks of a gap are closer than
pixels can tell apart, the pixels between them stay empty.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.omage.cells import segment, step_of
from omagen.omage.mask_topology import count_exits, in_triangle, is_inner, is_one_piece, link_borders, repair

MISSED: Final = 4.0
"""Pixels of border that may lie further from the decoded chart than a pixel."""
APART: Final = 6.0
"""Pixels along the border: places further from each other are not neighbours."""
ON_BORDER: Final = 1e-8
"""Squared distance at which a pixel's centre counts as lying on the border."""
REACH: Final = 0.5
"""Pixels: how far outside a chart a pixel's centre may be."""


@numba.njit(cache=True, nogil=True)
def fill_masks(
    uv: np.ndarray,
    half_edge: np.ndarray,
    pinched: np.ndarray,
    loop_start: np.ndarray,
    order: np.ndarray,
    ranges: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    mask: np.ndarray,
    following: np.ndarray,
    sound: np.ndarray,
    part: tuple[int, int],
) -> None:
    """The pixels of the charts `part`: by the sparing rule, or where their topology is wrong the generous one, or with
    repairs.

    Fills `mask`, `following` and `sound` of `Grids`; the cells inside are marked already.
    """
    for c in range(*part):
        cells = mask[start[c] : start[c + 1]].reshape(height[c], width[c])
        links = following[start[c] : start[c + 1]]
        inside = cells.copy()
        loops = order[ranges[c] : ranges[c + 1]]
        blocked, across = _find_gaps(inside, uv, half_edge, loop_start, loops)
        _open_pinches(blocked, uv, half_edge, pinched, loop_start, loops)
        for attempt in range(4):
            for i in range(height[c]):
                for j in range(width[c]):
                    cells[i, j] = inside[i, j] & (1 - blocked[i, j])
            _take_near(cells, inside, blocked, across, uv, half_edge, loop_start, loops)
            for loop in loops:
                for k in range(loop_start[loop], loop_start[loop + 1]):
                    _support(cells, blocked, uv, half_edge[k], attempt % 2 == 1)
            if len(loops) > 1:
                for loop in loops:
                    _punch_hole(cells, uv, half_edge[loop_start[loop] : loop_start[loop + 1]])
            is_tidy = tidy(cells, inside, blocked)
            if attempt >= 2:
                is_tidy = repair(cells, links, uv, half_edge, loop_start, loops) and tidy(cells, inside, blocked)
            sound[c] = is_tidy and link_borders(cells, links) and is_one_piece(links, width[c], len(loops))
            sound[c] = sound[c] and _missed(cells, uv, half_edge, loop_start, loops) <= MISSED
            if sound[c]:
                break


@numba.njit(cache=True, nogil=True)
def _find_gaps(
    inside: np.ndarray, uv: np.ndarray, half_edge: np.ndarray, loop_start: np.ndarray, loops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells that must stay empty lest the two banks of a narrow gap in the chart join: (h, w) uint8; and how often the
    border passes between each cell and the next in its row, and in its column: (2, h, w) uint8.

    Between two cells in a row or column the border may pass: where it passes twice and both centres are inside, the
    cell nearer to the gap is given up; a cell outside with border on two opposite sides lies in a gap.
    """
    height, width = inside.shape
    blocked = np.zeros((height, width), np.uint8)
    across = np.zeros((2, height, width), np.uint8)
    near = np.zeros((2, height, width), np.float32)  # the first passing between a cell and the next, from the cell
    for loop in loops:
        for k in range(loop_start[loop], loop_start[loop + 1]):
            x0, y0, x1, y1 = segment(uv, half_edge[k])
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
    return blocked, across


@numba.njit(cache=True, nogil=True)
def _open_pinches(
    blocked: np.ndarray,
    uv: np.ndarray,
    half_edge: np.ndarray,
    pinched: np.ndarray,
    loop_start: np.ndarray,
    loops: np.ndarray,
) -> None:
    """Where a border touches itself in a point, a gap of no width, the nearest cell is given up to open it."""
    for loop in loops:
        for k in range(loop_start[loop], loop_start[loop + 1]):
            if pinched[k]:
                x, y, _, _ = segment(uv, half_edge[k])
                i, j = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
                if 0 < i < blocked.shape[0] - 1 and 0 < j < blocked.shape[1] - 1:
                    blocked[i, j] = 1


@numba.njit(cache=True, nogil=True)
def _take_near(
    cells: np.ndarray,
    inside: np.ndarray,
    blocked: np.ndarray,
    across: np.ndarray,
    uv: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    loops: np.ndarray,
) -> None:
    """Take the cells outside whose centre is at most `REACH` from the border.

    Where two such cells beside each other belong to places that are far apart along the border, or lie on the two
    banks of a gap, the further one stays empty, lest they join what is apart.
    """
    height, width = cells.shape
    reach = REACH + 1e-6
    taken = np.empty((64, 2), np.int32)
    count = 0
    toward = np.zeros((height, width, 2), np.float32)
    place = np.zeros((height, width), np.float32)
    of_loop = np.zeros((height, width), np.int32)
    lengths = np.zeros(len(loops))
    for number, loop in enumerate(loops):
        for k in range(loop_start[loop], loop_start[loop + 1]):
            x0, y0, x1, y1 = segment(uv, half_edge[k])
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
                    place[i, j], of_loop[i, j] = lengths[number] + share * np.sqrt(norm), number
            lengths[number] += np.sqrt(norm)
    for n in range(count):
        i, j = taken[n]
        for direction in range(0, 8, 2):
            di, dj = step_of(direction)
            v, u = i + di, j + dj
            if not cells[i, j] or not cells[v, u] or inside[v, u]:
                continue
            if across[0 if di == 0 else 1, min(i, v), min(j, u)]:
                continue  # the chart itself, thinner than a pixel, is between them
            here = toward[i, j, 0] ** 2 + toward[i, j, 1] ** 2
            there = toward[v, u, 0] ** 2 + toward[v, u, 1] ** 2
            if min(here, there) < ON_BORDER:
                continue
            between = (
                toward[i, j, 1] * di + toward[i, j, 0] * dj < 0 and toward[v, u, 1] * di + toward[v, u, 0] * dj > 0
            )
            apart = abs(place[i, j] - place[v, u])
            apart = np.inf if of_loop[i, j] != of_loop[v, u] else min(apart, lengths[of_loop[i, j]] - apart)
            if between or apart > APART:
                v, u = (i, j) if here >= there else (v, u)
                cells[v, u] = 0
                blocked[v, u] = 1


@numba.njit(cache=True, nogil=True)
def _support(cells: np.ndarray, blocked: np.ndarray, uv: np.ndarray, edge: int, generous: bool) -> None:
    """Take whole blocks of four cells along a border edge: all of them, or only where no triangle is near."""
    x0, y0, x1, y1 = segment(uv, edge)
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
def _missed(
    cells: np.ndarray, uv: np.ndarray, half_edge: np.ndarray, loop_start: np.ndarray, loops: np.ndarray
) -> float:
    """How much of the border, in pixels, has no triangle near."""
    missed = 0.0
    for loop in loops:
        for k in range(loop_start[loop], loop_start[loop + 1]):
            x0, y0, x1, y1 = segment(uv, half_edge[k])
            length = np.hypot(x1 - x0, y1 - y0)
            steps = max(int(np.ceil(length)), 1)
            for s in range(steps):
                t = (s + 0.5) / steps
                i, j = int(np.floor(y0 + t * (y1 - y0))), int(np.floor(x0 + t * (x1 - x0)))
                if not _has_triangle_near(cells, i, j):
                    missed += length / steps
    return missed


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
def tidy(cells: np.ndarray, inside: np.ndarray, blocked: np.ndarray) -> bool:
    """Drop cells that no triangle uses, widen places where two pieces touch in one cell; False if that persists."""
    height, width = cells.shape
    for _ in range(8):
        changed = False
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                if not cells[i, j] or is_inner(cells, i, j):
                    continue
                if not in_triangle(cells, i, j):
                    cells[i, j] = 0
                    changed = True
        for i in range(1, height - 1):
            for j in range(1, width - 1):
                if not cells[i, j] or is_inner(cells, i, j):
                    continue
                if count_exits(cells, i, j) > 1:
                    _widen(cells, inside, blocked, i, j)
                    changed = True
        if not changed:
            return True
    return False


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
        x0, y0, x1, y1 = segment(uv, edge)
        area += x0 * y1 - x1 * y0
        x += x0 / len(loop)
        y += y0 / len(loop)
    i, j = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    if area >= 0 or not (1 < i < cells.shape[0] - 2 and 1 < j < cells.shape[1] - 2):
        return
    if cells[i - 1 : i + 2, j - 1 : j + 2].sum() == 9:
        cells[i, j] = 0
