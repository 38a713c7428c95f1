"""Gives every node of a chart's border a pixel of its own, in order, with room for the arcs between them."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

SHORT: Final = 0.7
"""Pixels: shorter arcs, or runs of them, may shrink to a point."""
SPARE: Final = 0.7
"""Share of a loop's pixels up to which arcs get as many steps as they want: beyond it nodes would be pushed far."""


@numba.njit(cache=True, nogil=True)
def place_nodes(
    loop_start: np.ndarray,
    node: np.ndarray,
    arc: np.ndarray,
    pixel_start: np.ndarray,
    at: np.ndarray,
    along: np.ndarray,
    least: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give each node of each loop a pixel, in order and with room for the arcs between; returns the sides of arcs.

    `least`, `wanted` (A,) int32: steps that each arc needs, and that it should have where its loop has pixels to spare.

    For each side: its loop, first edge, number of edges, first and last pixel (counted within the loop; the last may
    go beyond its end and means the pixel that many steps on).
    """
    total = 0
    for k in range(len(node)):
        total += node[k] >= 0
    side_loop = np.empty(total, np.int32)
    side_edge = np.empty(total, np.int32)
    side_edges = np.empty(total, np.int32)
    side_first = np.empty(total, np.int32)
    side_last = np.empty(total, np.int32)
    sides = 0
    for loop in range(len(loop_start) - 1):
        begin, end = loop_start[loop], loop_start[loop + 1]
        pixels = pixel_start[loop + 1] - pixel_start[loop]
        if pixels == 0:
            continue
        t = along[pixel_start[loop] : pixel_start[loop + 1]]
        length = max(at[end + loop] - at[begin + loop], 1e-12)
        edges = np.flatnonzero(node[begin:end] >= 0)
        count = len(edges)
        # Where along the loop each node is, counted from the first pixel on, and which pixel (a fraction) is there.
        tau = np.empty(count)
        for n in range(count):
            tau[n] = at[begin + loop + edges[n]] - at[begin + loop]
            tau[n] = t[0] + (tau[n] - t[0]) % length
        order = np.argsort(tau, kind="mergesort")
        need, more = np.empty(count, np.int64), np.empty(count, np.int64)
        wish = np.empty(count)
        for n in range(count):
            wish[n] = _pixel_at(t, tau[order[n]], length)
            own = arc[begin + edges[order[n]]]
            need[n], more[n] = least[own], max(least[own], wanted[own])
        if more.sum() <= SPARE * pixels:
            need = more
        _lower_needs(need, tau[order], length, pixels)
        slack = pixels - need.sum()
        before = 0
        for n in range(count):
            wish[n] -= before
            before += need[n]
        isotonic(wish)
        middle = 0.5 * (wish[0] + wish[count - 1] - slack)
        before = 0
        for n in range(count):
            low, high = middle, middle + slack
            if wish[count - 1] - wish[0] <= slack:
                low, high = wish[0], wish[0] + slack
            wish[n] = np.floor(min(max(wish[n], low), high) + 0.5) + before
            before += need[n]
        for n in range(count):
            edge = edges[order[n]]
            follower = edges[order[(n + 1) % count]]
            side_loop[sides] = loop
            side_edge[sides] = begin + edge
            side_edges[sides] = follower - edge if follower > edge else follower - edge + (end - begin)
            first = int(wish[n])
            last = int(wish[n + 1]) if n + 1 < count else int(wish[0]) + pixels
            side_first[sides] = first
            side_last[sides] = last
            sides += 1
    return side_loop[:sides], side_edge[:sides], side_edges[:sides], side_first[:sides], side_last[:sides]


@numba.njit(cache=True, nogil=True)
def _pixel_at(t: np.ndarray, where, length) -> float:
    """Which pixel, as a fraction, is at `where`; `t` ascends over at most one turn of `length`."""
    low = np.searchsorted(t, where, side="left")
    high = np.searchsorted(t, where, side="right") - 1
    if high >= low:
        return 0.5 * (low + high)
    after = t[low] if low < len(t) else t[0] + length
    return high + (where - t[high]) / (after - t[high])


@numba.njit(cache=True, nogil=True)
def _lower_needs(need: np.ndarray, tau: np.ndarray, length, pixels) -> None:
    """Lower the steps that arcs need until they fit into a loop of `pixels`, the shortest arcs first."""
    count = len(need)
    span = np.empty(count)
    shrunk = 0.0
    for n in range(count):
        span[n] = tau[n + 1] - tau[n] if n + 1 < count else tau[0] + length - tau[n]
        shrunk += span[n]
        if need[n] == 1 and shrunk < SHORT:
            need[n] = 0  # nodes so close would push each other along the border
        else:
            shrunk = 0.0
    order = np.argsort(span, kind="mergesort")
    for least in (1, 0):
        for n in order:
            if need.sum() <= pixels:
                return
            need[n] = min(need[n], least)


@numba.njit(cache=True, nogil=True)
def isotonic(values: np.ndarray) -> None:
    """The nearest non-decreasing sequence in the least-squares sense, in place (pool adjacent violators)."""
    count = len(values)
    level = np.empty(count)
    weight = np.empty(count)
    blocks = 0
    for n in range(count):
        level[blocks], weight[blocks] = values[n], 1.0
        blocks += 1
        while blocks > 1 and level[blocks - 2] > level[blocks - 1]:
            total = weight[blocks - 2] + weight[blocks - 1]
            level[blocks - 2] += (level[blocks - 1] - level[blocks - 2]) * weight[blocks - 1] / total
            weight[blocks - 2] = total
            blocks -= 1
    n = 0
    for block in range(blocks):
        for _ in range(int(weight[block])):
            values[n] = level[block]
            n += 1
