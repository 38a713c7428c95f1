"""Scan conversion compiled by numba: which pixel centres a triangle covers, and what it leaves there.

A row of pixels is cut by two edges of a triangle. Where an edge cuts it is computed from the edge's ends in the order
of their height, so two triangles that share an edge compute the same bits, and the half-open spans between the cuts
cover every pixel once. All coordinates below are relative to the sample points: pixel (i, j) is sampled at (j, i).
"""

# pyright: reportCallIssue=false
# (numba fills in the first argument of its intrinsics itself)

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numba
import numpy as np

from omagen.omage.raster_span import blend_span

REACH: Final = 2.0**30
"""Pixels from the picture's corner beyond which coordinates are no positions any more, but mistakes."""
SPANS: Final = 1024
"""Rows of faces that are cut out before any is filled: of small faces every third is empty, which is noted without a
branch, as no processor could foresee it."""


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
def _rows(uv: np.ndarray, f: int, ox: float, oy: float, bottom: int, top: int, width: int) -> tuple[int, int]:
    """The rows from `bottom` to `top` that may hold samples of face f, half-open.

    None where it is not finite or between the samples: of fine meshes that is most faces, so it is decided at once.
    """
    ax, ay, bx, by, cx, cy = uv[f, 0, 0], uv[f, 0, 1], uv[f, 1, 0], uv[f, 1, 1], uv[f, 2, 0], uv[f, 2, 1]
    left, right = np.ceil(min(ax, bx, cx) - ox), np.ceil(max(ax, bx, cx) - ox)
    low, high = max(np.ceil(min(ay, by, cy) - oy), bottom), min(np.ceil(max(ay, by, cy) - oy), top)
    size = abs(ax) + abs(ay) + abs(bx) + abs(by) + abs(cx) + abs(cy)
    if (left < right) & (right > 0.0) & (left < width) & (low < high) & (size < REACH):
        return int(low), int(high)
    return 0, 0


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
    if y >= by:
        ax, ay, bx, by = bx, by, cx, cy
    short = _cut(ax, ay, bx, by, y)
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
    scale = 1.0 / area
    return x, y, vy * scale, -vx * scale, -uy * scale, ux * scale


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
        low, high = _rows(uv, f, ox, oy, 0, height, width)
        if low >= high:
            continue
        ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
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
        low, high = _rows(uv, f, ox, oy, 0, height, width)
        if low >= high:
            continue
        ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
        for i in range(low, high):
            begin, end = _span(ax, ay, bx, by, cx, cy, i, width)
            for j in range(begin, end):
                count[i, j] += 1


@numba.njit(cache=True, nogil=True)
def bin_faces(uv: np.ndarray, oy: float, height: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Which faces reach into each band of `rows` rows: `order` of faces, and where in it each band's begin."""
    bands = (height + rows - 1) // rows
    start = np.zeros(bands + 1, np.int64)
    reach = np.empty((len(uv), 2), np.int32)
    for f in range(len(uv)):
        low = np.ceil(min(max(min(uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]) - oy, 0.0), float(height)))
        high = np.ceil(min(max(max(uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]) - oy, 0.0), float(height)))
        reach[f, 0], reach[f, 1] = 0, 0
        if low < high:
            reach[f, 0], reach[f, 1] = int(low) // rows, (int(high) - 1) // rows + 1
        for band in range(reach[f, 0], reach[f, 1]):
            start[band + 1] += 1
    start = np.cumsum(start)
    order = np.empty(start[-1], np.int32)
    free = start[:-1].copy()
    for f in range(len(uv)):
        for band in range(reach[f, 0], reach[f, 1]):
            order[free[band]] = f
            free[band] += 1
    return order, start


@lru_cache
def planes_kernel(channels: int) -> Callable[..., Any]:
    """The kernel for pixels of `channels` numbers, which are known when it is compiled.

    Called with `uv` (F, 3, 2) float64, `corner` (F, 3) int32 into the rows of `values` (N, channels) float32, the
    sample offset, `out` (H * W * channels,) float32 or uint8, `covered` (H * W,) bool, the size, and the faces by
    bands as from `bin_faces`. A band is cleared right before it is drawn, while it is in the processor's cache;
    `order` may be empty where there is one band, of all faces.
    """

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def draw_spans(
        uv: np.ndarray,
        corner: np.ndarray,
        values: np.ndarray,
        ox: float,
        oy: float,
        out: np.ndarray,
        covered: np.ndarray,
        width: int,
        spans: np.ndarray,
    ) -> None:
        f = -1
        x = y = s1x = s1y = s2x = s2y = 0.0
        for n in range(len(spans)):
            i, begin = spans[n, 1], spans[n, 2]
            if spans[n, 0] != f:
                f = spans[n, 0]
                x, y, s1x, s1y, s2x, s2y = _weights(uv, f, ox, oy)
            slopes = np.float32(s1x), np.float32(s2x)
            corners = np.intp(corner[f, 0]), np.intp(corner[f, 1]), np.intp(corner[f, 2])
            w1, w2 = _clamped((begin - x) * s1x + (i - y) * s1y, (begin - x) * s2x + (i - y) * s2y)
            weights = np.float32(w1), np.float32(w2)
            place = np.intp(i) * width + begin
            blend_span(out, covered, place, np.intp(spans[n, 3] - begin), values, corners, weights, slopes, channels)

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def draw_planes(
        uv: np.ndarray,
        corner: np.ndarray,
        values: np.ndarray,
        ox: float,
        oy: float,
        out: np.ndarray,
        covered: np.ndarray,
        size: tuple[int, int],
        order: np.ndarray,
        start: np.ndarray,
        rows: int,
    ) -> None:
        height, width = size
        spans = np.empty((SPANS, 4), np.int32)
        for band in range(len(start) - 1):
            bottom, top = band * rows, min(band * rows + rows, height)
            out[bottom * width * channels : top * width * channels] = 0
            count = 0
            for n in range(start[band], start[band + 1]):
                f = order[n] if len(order) else n
                low, high = _rows(uv, f, ox, oy, bottom, top, width)
                if low >= high:
                    continue
                ax, ay, bx, by, cx, cy = _by_height(uv, f, ox, oy)
                for i in range(low, high):
                    begin, end = _span(ax, ay, bx, by, cx, cy, i, width)
                    spans[count, 0], spans[count, 1], spans[count, 2], spans[count, 3] = f, i, begin, end
                    count += begin < end
                    if count == SPANS:
                        draw_spans(uv, corner, values, ox, oy, out, covered, width, spans)
                        count = 0
            draw_spans(uv, corner, values, ox, oy, out, covered, width, spans[:count])

    return draw_planes
