"""Scan conversion compiled by numba: which pixel centres a triangle covers, and what it leaves there.

A row of pixels is cut by two edges of a triangle. Where an edge cuts it is computed from the edge's ends in the order
of their height, so two triangles that share an edge compute the same bits, and the half-open spans between the cuts
cover every pixel once. All coordinates below are relative to the sample points: pixel (i, j) is sampled at (j, i).
"""

# pyright: reportCallIssue=false
# (numba fills in the first argument of its intrinsics, here of `to_fixed_tuple`, itself)

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numba
import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

REACH: Final = 2.0**30
"""Pixels from the picture's corner beyond which coordinates are no positions any more, but mistakes."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _by_height(uv: np.ndarray, f: int, ox: float, oy: float) -> tuple[float, float, float, float, float, float]:
    """The corners of face f as x, y, x, y, x, y from the lowest to the highest."""
    ax, ay = uv[f, 0, 0] - ox, uv[f, 0, 1] - oy
    bx, by = uv[f, 1, 0] - ox, uv[f, 1, 1] - oy
    cx, cy = uv[f, 2, 0] - ox, uv[f, 2, 1] - oy
    if by < ay:
        ax, ay, bx, by = bx, by, ax, ay
    if cy < by:
        bx, by, cx, cy = cx, cy, bx, by
        if by < ay:
            ax, ay, bx, by = bx, by, ax, ay
    return ax, ay, bx, by, cx, cy


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rows(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, height: int, width: int) -> tuple[int, int]:
    """The rows that may hold samples of the triangle, half-open; none where it is not finite or between the samples."""
    if not abs(ax) + abs(ay) + abs(bx) + abs(by) + abs(cx) + abs(cy) < REACH:
        return 0, 0
    left, right = np.ceil(min(ax, bx, cx)), np.ceil(max(ax, bx, cx))
    if left >= right or right <= 0.0 or left >= width:
        return 0, 0
    return max(int(np.ceil(ay)), 0), min(int(np.ceil(cy)), height)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _cut(x0: float, y0: float, x1: float, y1: float, y: float) -> float:
    """Where the edge from its lower to its higher end crosses the row at y."""
    x = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return min(max(x, min(x0, x1)), max(x0, x1))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _span(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, row: int, width: int) -> tuple[int, int]:
    """The columns of `row` inside the triangle, half-open: a sample on its left edge is inside, on its right not."""
    y = float(row)
    long = _cut(ax, ay, cx, cy, y)
    short = _cut(ax, ay, bx, by, y) if y < by else _cut(bx, by, cx, cy, y)
    return max(int(np.ceil(min(long, short))), 0), min(int(np.ceil(max(long, short))), width)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _weights(uv: np.ndarray, f: int, ox: float, oy: float) -> tuple[float, float, float, float, float, float]:
    """The first corner's place x, y and the slopes of the weights of corners 1 and 2 along x and y: 1x, 1y, 2x, 2y."""
    x, y = uv[f, 0, 0] - ox, uv[f, 0, 1] - oy
    ux, uy = uv[f, 1, 0] - ox - x, uv[f, 1, 1] - oy - y
    vx, vy = uv[f, 2, 0] - ox - x, uv[f, 2, 1] - oy - y
    area = ux * vy - uy * vx
    if area == 0.0:
        return x, y, 0.0, 0.0, 0.0, 0.0
    return x, y, vy / area, -vx / area, -uy / area, ux / area


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _clamped(first: float, second: float) -> tuple[float, float]:
    """Weights of corners 1 and 2, kept inside the triangle that rounding may have left."""
    first = min(max(first, 0.0), 1.0)
    return first, min(max(second, 0.0), 1.0 - first)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def draw_faces(uv: np.ndarray, ox: float, oy: float, face: np.ndarray, bary: np.ndarray) -> None:
    """Number and weights of the last face over each sample, into `face` (H, W) int32 and `bary` (H, W, 2) float32."""
    height, width = face.shape
    for f in range(len(uv)):
        ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
        low, high = _rows(ax, ay, bx, by, cx, cy, height, width)
        if low >= high:
            continue
        x, y, s1x, s1y, s2x, s2y = _weights(uv, f, ox, oy)
        for i in range(low, high):
            begin, end = _span(ax, ay, bx, by, cx, cy, i, width)
            for j in range(begin, end):
                first, second = _clamped((j - x) * s1x + (i - y) * s1y, (j - x) * s2x + (i - y) * s2y)
                face[i, j] = f
                bary[i, j, 0] = first
                bary[i, j, 1] = second


@numba.njit(cache=True, nogil=True, error_model="numpy")
def count_faces(uv: np.ndarray, ox: float, oy: float, count: np.ndarray) -> None:
    """Add to `count` (H, W) int32 how many faces cover each sample."""
    height, width = count.shape
    for f in range(len(uv)):
        ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
        low, high = _rows(ax, ay, bx, by, cx, cy, height, width)
        for i in range(low, high):
            begin, end = _span(ax, ay, bx, by, cx, cy, i, width)
            for j in range(begin, end):
                count[i, j] += 1


@lru_cache
def planes_kernel(channels: int) -> Callable[..., Any]:
    """The kernel for pixels of `channels` numbers: their number is constant, so LLVM turns pixels into vectors.

    Called with `uv` (F, 3, 2) float64, `corner` (F, 3) int32 into the rows of `values` (N, channels) float32, the
    sample offset, `out` (H * W * channels,) float32 or uint8 and `covered` (H, W) bool.
    """

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def draw_planes(
        uv: np.ndarray,
        corner: np.ndarray,
        values: np.ndarray,
        ox: float,
        oy: float,
        out: np.ndarray,
        covered: np.ndarray,
    ) -> None:
        height, width = covered.shape
        for f in range(len(uv)):
            ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
            low, high = _rows(ax, ay, bx, by, cx, cy, height, width)
            if low >= high:
                continue
            x, y, s1x, s1y, s2x, s2y = _weights(uv, f, ox, oy)
            step1, step2 = np.float32(s1x), np.float32(s2x)
            for i in range(low, high):
                begin, end = _span(ax, ay, bx, by, cx, cy, i, width)
                if begin >= end:
                    continue
                left1, left2 = _clamped((begin - x) * s1x + (i - y) * s1y, (begin - x) * s2x + (i - y) * s2y)
                first, second = np.float32(left1), np.float32(left2)
                a = to_fixed_tuple(values[corner[f, 0]], channels)
                b = to_fixed_tuple(values[corner[f, 1]], channels)
                c = to_fixed_tuple(values[corner[f, 2]], channels)
                place = np.uint64((i * width + begin) * channels)
                for j in range(end - begin):
                    w1 = first + step1 * np.float32(j)
                    w2 = second + step2 * np.float32(j)
                    w0 = np.float32(1.0) - w1 - w2
                    for k in range(channels):
                        out[place + np.uint64(k)] = w0 * a[k] + w1 * b[k] + w2 * c[k]
                    place += np.uint64(channels)
                covered[i, begin:end] = True

    return draw_planes
