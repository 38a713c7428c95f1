"""Follows the border of each chart along its border pixels: which point of the border is each pixel's own.

A pixel near a thin part of a chart is near several stretches of border. Which is meant follows from going around:
the assignment is the cheapest path through all candidates (Viterbi), where cost is distance, going back, and jumping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np

from omagen.omage.boundary import Boundary
from omagen.omage.cells import segment
from omagen.omage.grids import Grids
from omagen.omage.nodes import isotonic

REACH: Final = 2.5
"""Pixels: how far from a pixel its place on the border is looked for."""
CANDIDATES: Final = 8
SMALL: Final = 10
"""Loops of fewer pixels are laid around the border evenly."""


@dataclass(frozen=True)
class PixelLoops:
    """The border pixels of every loop of `Boundary`, in order; none where a chart is not sound."""

    start: np.ndarray
    """(L + 1,) int64"""
    cell: np.ndarray
    """(P,) int64 into the flat cells of `Grids`"""
    along: np.ndarray
    """(P,) float64: length along the loop of border edges, ascending over one turn at most, from any point on"""
    at: np.ndarray
    """(B + L,) float64: length along loop n at the start of each edge, from loop_start[n] + n on, and at its end"""


def match_loops(boundary: Boundary, grids: Grids) -> PixelLoops:
    order = np.argsort(boundary.loop_chart, kind="stable").astype(np.int32)
    charts = len(grids.width)
    ranges = np.searchsorted(boundary.loop_chart[order], np.arange(charts + 1)).astype(np.int64)
    at = _loop_lengths(boundary.loop_start, boundary.half_edge, grids.uv)
    start, cell = _pair_loops(
        boundary.loop_start, boundary.half_edge, order, ranges, grids.uv, grids.start, grids.width, grids.following,
        grids.sound,
    )  # fmt: skip
    along = np.empty(len(cell))
    index = np.full(len(grids.mask), -1, np.int32)
    chart_of_loop = boundary.loop_chart
    _follow(
        boundary.loop_start, boundary.half_edge, chart_of_loop, grids.uv, grids.start, grids.width, grids.height, at,
        start, cell, along, index,
    )  # fmt: skip
    return PixelLoops(start, cell, along, at)


@numba.njit(cache=True, nogil=True)
def _loop_lengths(loop_start: np.ndarray, half_edge: np.ndarray, uv: np.ndarray) -> np.ndarray:
    at = np.empty(len(half_edge) + len(loop_start) - 1)
    n = 0
    for loop in range(len(loop_start) - 1):
        length = 0.0
        for k in range(loop_start[loop], loop_start[loop + 1]):
            at[n] = length
            n += 1
            x0, y0, x1, y1 = segment(uv, half_edge[k])
            length += np.hypot(x1 - x0, y1 - y0)
        at[n] = length
        n += 1
    return at


@numba.njit(cache=True, nogil=True)
def _pair_loops(
    loop_start: np.ndarray,
    half_edge: np.ndarray,
    order: np.ndarray,
    ranges: np.ndarray,
    uv: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    following: np.ndarray,
    sound: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Trace the pixel loops of every sound chart and give each border loop the one with the nearest bounding box."""
    loops = len(loop_start) - 1
    begin_of = np.full(loops, -1, np.int64)
    count_of = np.zeros(loops, np.int64)
    for c in range(len(width)):
        if not sound[c]:
            continue
        number = ranges[c + 1] - ranges[c]
        traced = np.empty((number, 6))  # bounding box, first cell, number of cells
        links = following[start[c] : start[c + 1]]
        seen = np.zeros(len(links), np.bool_)
        n = 0
        for p in range(len(links)):
            if links[p] < 0 or seen[p]:
                continue
            q, count = p, 0
            x0 = y0 = np.inf
            x1 = y1 = -np.inf
            while not seen[q]:
                seen[q] = True
                count += 1
                x, y = float(q % width[c]), float(q // width[c])
                x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
                q = links[q]
            traced[n, 0], traced[n, 1], traced[n, 2], traced[n, 3] = x0, y0, x1, y1
            traced[n, 4], traced[n, 5] = p, count
            n += 1
        taken = np.zeros(number, np.bool_)
        boxes = np.empty((number, 4))
        for n in range(number):
            loop = order[ranges[c] + n]
            boxes[n, 0] = boxes[n, 1] = np.inf
            boxes[n, 2] = boxes[n, 3] = -np.inf
            for k in range(loop_start[loop], loop_start[loop + 1]):
                x, y, _, _ = segment(uv, half_edge[k])
                boxes[n, 0], boxes[n, 1] = min(boxes[n, 0], x), min(boxes[n, 1], y)
                boxes[n, 2], boxes[n, 3] = max(boxes[n, 2], x), max(boxes[n, 3], y)
        # The widest loop first: it is the rim, and its box contains all the others.
        for n in np.argsort(-(boxes[:, 2] - boxes[:, 0] + boxes[:, 3] - boxes[:, 1])):
            best, gap = -1, np.inf
            for m in range(number):
                distance = np.abs(traced[m, :4] - boxes[n]).sum()
                if not taken[m] and distance < gap:
                    best, gap = m, distance
            taken[best] = True
            loop = order[ranges[c] + n]
            begin_of[loop], count_of[loop] = int(traced[best, 4]) + start[c], int(traced[best, 5])
    pixel_start = np.zeros(loops + 1, np.int64)
    pixel_start[1:] = np.cumsum(count_of)
    cell = np.empty(pixel_start[loops], np.int64)
    # From loop back to chart, to know the offset of its cells.
    for c in range(len(width)):
        for n in range(ranges[c], ranges[c + 1]):
            loop = order[n]
            q = begin_of[loop]
            for p in range(pixel_start[loop], pixel_start[loop + 1]):
                cell[p] = q
                q = start[c] + following[q]
    return pixel_start, cell


@numba.njit(cache=True, nogil=True)
def _follow(
    loop_start: np.ndarray,
    half_edge: np.ndarray,
    loop_chart: np.ndarray,
    uv: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    at: np.ndarray,
    pixel_start: np.ndarray,
    cell: np.ndarray,
    along: np.ndarray,
    index: np.ndarray,
) -> None:
    for loop in range(len(loop_start) - 1):
        count = pixel_start[loop + 1] - pixel_start[loop]
        if count == 0:
            continue
        c = loop_chart[loop]
        cells = cell[pixel_start[loop] : pixel_start[loop + 1]]
        edges = half_edge[loop_start[loop] : loop_start[loop + 1]]
        lengths = at[loop_start[loop] + loop : loop_start[loop + 1] + loop + 1]
        t = along[pixel_start[loop] : pixel_start[loop + 1]]
        if lengths[len(edges)] == 0.0:
            t[:] = 0.0
            continue
        done = False
        if count >= SMALL:
            local = index[start[c] : start[c + 1]]
            for n in range(count):
                local[cells[n] - start[c]] = n
            offsets, where, gap = _candidates(edges, uv, lengths, local, width[c], height[c], count)
            for n in range(count):
                local[cells[n] - start[c]] = -1
            done = _cheapest_path(cells, start[c], width[c], lengths[len(edges)], offsets, where, gap, t)
        if not done:
            _lay_evenly(cells, start[c], width[c], edges, uv, lengths, t)


@numba.njit(cache=True, nogil=True)
def _candidates(
    edges: np.ndarray, uv: np.ndarray, lengths: np.ndarray, index: np.ndarray, width, height, count
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel the places of the border nearest to it, one for each stretch in reach; ascending lengths.

    Returns where each pixel's begin (count + 1,), the lengths along the loop, and the squared distances.
    """
    offsets = np.zeros(count + 1, np.int64)
    near = np.zeros(0, np.int64)
    spot = np.zeros(0)
    gap = np.zeros(0)
    filled = np.zeros(0, np.int64)
    for phase in range(2):
        if phase == 1:
            offsets[1:] = np.cumsum(offsets[1:])
            near = np.empty(offsets[count], np.int64)
            spot = np.empty(offsets[count])
            gap = np.empty(offsets[count])
            filled = offsets[:count].copy()
        for e in range(len(edges)):
            x0, y0, x1, y1 = segment(uv, edges[e])
            dx, dy = x1 - x0, y1 - y0
            norm = dx * dx + dy * dy
            low = max(int(np.ceil(min(y0, y1) - REACH)), 0)
            high = min(int(np.floor(max(y0, y1) + REACH)), height - 1)
            for i in range(low, high + 1):
                left, right = min(x0, x1) - REACH, max(x0, x1) + REACH
                if abs(dy) > 1e-9:
                    slope = dx / dy
                    p, q = x0 + (i - REACH - y0) * slope, x0 + (i + REACH - y0) * slope
                    left, right = max(left, min(p, q) - REACH), min(right, max(p, q) + REACH)
                for j in range(max(int(np.ceil(left)), 0), min(int(np.floor(right)), width - 1) + 1):
                    n = index[i * width + j]
                    if n < 0:
                        continue
                    share = min(max(((j - x0) * dx + (i - y0) * dy) / norm, 0.0), 1.0) if norm > 0 else 0.0
                    gx, gy = x0 + share * dx - j, y0 + share * dy - i
                    if gx * gx + gy * gy > REACH * REACH:
                        continue
                    if phase == 0:
                        offsets[n + 1] += 1
                    else:
                        k = filled[n]
                        filled[n] += 1
                        near[k] = e
                        spot[k] = lengths[e] + share * (lengths[e + 1] - lengths[e])
                        gap[k] = gx * gx + gy * gy
    return _local_minima(offsets, near, spot, gap, len(edges))


@numba.njit(cache=True, nogil=True)
def _local_minima(
    offsets: np.ndarray, near: np.ndarray, spot: np.ndarray, gap: np.ndarray, edges: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each run of neighbouring edges keep the places that are nearer than those before and after."""
    count = len(offsets) - 1
    kept = np.zeros(count + 1, np.int64)
    out_spot, out_gap = np.empty_like(spot), np.empty_like(gap)
    total = 0
    for n in range(count):
        begin, end = offsets[n], offsets[n + 1]
        first = total
        for k in range(begin, end):
            before = k - 1 if k > begin else end - 1
            after = k + 1 if k + 1 < end else begin
            joins_before = before != k and (near[before] + 1) % edges == near[k]
            joins_after = after != k and (near[k] + 1) % edges == near[after]
            if (joins_before and gap[before] <= gap[k]) or (joins_after and gap[after] < gap[k]):
                continue
            if total - first == CANDIDATES:
                worst = first + np.argmax(out_gap[first:total])
                if out_gap[worst] <= gap[k]:
                    continue
                for m in range(worst, total - 1):
                    out_spot[m], out_gap[m] = out_spot[m + 1], out_gap[m + 1]
                total -= 1
            out_spot[total], out_gap[total] = spot[k], gap[k]
            total += 1
        if total == first and end > begin:
            k = begin + np.argmin(gap[begin:end])
            out_spot[total], out_gap[total] = spot[k], gap[k]
            total += 1
        kept[n + 1] = total
    return kept, out_spot[:total].copy(), out_gap[:total].copy()


@numba.njit(cache=True, nogil=True)
def _cheapest_path(
    cells: np.ndarray,
    base,
    width,
    length,
    offsets: np.ndarray,
    where: np.ndarray,
    gap: np.ndarray,
    t: np.ndarray,
) -> bool:
    """Fill `t`, one candidate for every pixel, going round once; False where there is no such way."""
    count = len(cells)
    begin = 0
    fewest = np.inf
    for n in range(count):
        options = offsets[n + 1] - offsets[n]
        if options == 0:
            return False
        price = options + np.min(gap[offsets[n] : offsets[n + 1]])
        if price < fewest:
            fewest, begin = price, n
    first = offsets[begin] + np.argmin(gap[offsets[begin] : offsets[begin + 1]])
    cost = np.full((count + 1, CANDIDATES), np.inf)
    parent = np.zeros((count + 1, CANDIDATES), np.int8)
    cost[0, 0] = 0.0
    for step in range(1, count + 1):
        n, m = (begin + step) % count, (begin + step - 1) % count
        move = 1.5 if cells[n] // width != cells[m] // width and cells[n] % width != cells[m] % width else 1.0
        low, options = offsets[m], offsets[m + 1] - offsets[m]
        if step == 1:
            low, options = first, 1
        targets = offsets[n + 1] - offsets[n] if step < count else 1
        for b in range(targets):
            place = where[offsets[n] + b] if step < count else where[first]
            distance = gap[offsets[n] + b] if step < count else 0.0
            for a in range(options):
                forward = (place - where[low + a] + 0.5 * length) % length - 0.5 * length
                price = cost[step - 1, a] + distance
                if forward < 0:
                    price += 4.0 * forward * forward - 0.5 * forward
                elif forward > 2.0 * move:
                    price += 0.4 * (forward - 2.0 * move)
                if price < cost[step, b]:
                    cost[step, b] = price
                    parent[step, b] = a
    choice = np.zeros(count + 1, np.int64)
    for step in range(count, 0, -1):
        choice[step - 1] = parent[step, choice[step]]
    t[0] = where[first]
    for step in range(1, count + 1):
        n, m = (begin + step) % count, (begin + step - 1) % count
        here = where[first] if step == count else where[offsets[n] + choice[step]]
        there = where[first] if step == 1 else where[offsets[m] + choice[step - 1]]
        forward = (here - there + 0.5 * length) % length - 0.5 * length
        if step < count:
            t[step] = t[step - 1] + forward
        elif abs(t[step - 1] + forward - t[0] - length) > 1e-6 * length:
            return False
    isotonic(t)
    for step in range(count):
        t[step] = min(max(t[step], where[first]), where[first] + length)
    rotated = cells.copy()
    for step in range(count):
        cells[step] = rotated[(begin + step) % count]
    return True


@numba.njit(cache=True, nogil=True)
def _lay_evenly(
    cells: np.ndarray, base, width, edges: np.ndarray, uv: np.ndarray, lengths: np.ndarray, t: np.ndarray
) -> None:
    """Lay the loop's pixels around the border at even distances, turned so that they are nearest to their places."""
    count = len(cells)
    length = lengths[len(edges)]
    best, shift = np.inf, 0.0
    turns = 8 * count if count < 64 else 64
    for turn in range(turns):
        trial = length * turn / turns
        total = 0.0
        for n in range(count):
            where = (trial + length * n / count) % length
            e = min(max(int(np.searchsorted(lengths, where, side="right")) - 1, 0), len(edges) - 1)
            x0, y0, x1, y1 = segment(uv, edges[e])
            span = lengths[e + 1] - lengths[e]
            share = (where - lengths[e]) / span if span > 0 else 0.0
            p = cells[n] - base
            total += (x0 + share * (x1 - x0) - p % width) ** 2 + (y0 + share * (y1 - y0) - p // width) ** 2
        if total < best:
            best, shift = total, trial
    for n in range(count):
        t[n] = shift + length * n / count
