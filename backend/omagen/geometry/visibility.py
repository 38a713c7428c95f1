"""A z-buffer in numpy: which triangle is seen at each pixel, and where on it.

Triangles are cut into horizontal spans and spans into pixels, in vectorised batches, so that the work is proportional
to what is covered: fast for a million tiny triangles and for a few large ones. What exceeds `MAX_SPANS` or `MAX_PIXELS`
is thinned out, so that no mesh takes unbounded time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

BATCH: Final = 2**19
MAX_SPANS: Final = 2**24
MAX_PIXELS: Final = 2**25
MIN_AREA: Final = 1e-6
"""In pixels; thinner triangles have no reliable inside."""

PairTest = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class _Spans(NamedTuple):
    """Runs of pixels in one row that one triangle covers, each (S,) int64."""

    triangle: np.ndarray
    y: np.ndarray
    left: np.ndarray
    length: np.ndarray


def visible_triangles(
    corners: np.ndarray, nearness: np.ndarray, size: int, keep: PairTest | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rasterise `corners` (F, 3, 2) float32, pixels, y down, centres at .5, into a square of `size` pixels.

    `nearness` (F, 3) float32 > 0 is affine on the screen (1 / depth), the greatest wins. `keep(triangles, barycentric,
    pixels)` says for covered pixels, by flat index, which of them are really there; for cut-out materials.
    Returns `triangle` (size, size) int32, -1 where nothing is, and `barycentric` (size, size, 3) float32 on the screen.
    """
    spans = _spans(corners, size)
    buffer = np.zeros(size * size, np.uint64)
    for part in _batches(spans.length):
        triangles, y, left, length = (column[part] for column in spans)
        starts = np.cumsum(length) - length
        x = np.arange(starts[-1] + length[-1]) + np.repeat(left - starts, length)
        triangles, y = np.repeat(triangles, length), np.repeat(y, length)
        pixels = y * size + x
        weights = _barycentric(corners[triangles], x, y)
        if keep is not None:
            kept = keep(triangles, weights, pixels)
            triangles, weights, pixels = triangles[kept], weights[kept], pixels[kept]
        near = np.einsum("ij,ij->i", weights, nearness[triangles])
        # the bits of positive floats are ordered as the floats are
        key = (near.view(np.uint32).astype(np.uint64) << np.uint64(32)) | (triangles + 1).astype(np.uint64)
        np.maximum.at(buffer, pixels, key)
    triangle = (buffer & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
    seen = np.flatnonzero(triangle >= 0)
    barycentric = np.zeros((size * size, 3), np.float32)
    barycentric[seen] = _barycentric(corners[triangle[seen]], seen % size, seen // size)
    return triangle.astype(np.int32).reshape(size, size), barycentric.reshape(size, size, 3)


def _spans(corners: np.ndarray, size: int) -> _Spans:
    """The spans of all triangles, thinned out to `MAX_SPANS` and `MAX_PIXELS`."""
    top = np.ceil(corners[..., 1].min(1) - 0.5).clip(0, size).astype(np.int64)
    bottom = np.floor(corners[..., 1].max(1) - 0.5).clip(-1, size - 1).astype(np.int64)
    height = np.maximum(bottom - top + 1, 0)
    sides = corners[:, 1:] - corners[:, :1]
    area = 0.5 * np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    candidates = np.flatnonzero((height > 0) & (area > MIN_AREA))
    candidates = candidates[:: max(1, -(-int(height[candidates].sum()) // MAX_SPANS))]
    found = []
    for part in _batches(height[candidates]):
        rows = height[candidates[part]]
        triangle = np.repeat(candidates[part], rows)
        y = np.arange(len(triangle)) + np.repeat(top[candidates[part]] - (np.cumsum(rows) - rows), rows)
        left, right = _extent(corners[triangle], y, size)
        filled = np.flatnonzero(right >= left)
        found.append(_Spans(triangle[filled], y[filled], left[filled], (right - left + 1)[filled]))
    if not found:
        return _Spans(*(np.zeros(0, np.int64),) * 4)
    spans = _Spans(*(np.concatenate(column) for column in zip(*found, strict=True)))
    step = max(1, -(-int(spans.length.sum()) // MAX_PIXELS))
    return _Spans(*(column[::step] for column in spans))


def _extent(corners: np.ndarray, y: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel that each triangle (N, 3, 2) covers in row `y` (N,); last < first where there is none."""
    slope, start = _edge_functions(corners, y)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = -start / slope
    left = np.where(slope > 0, crossing, -np.inf).max(1) + corners[:, 0, 0]
    right = np.where(slope < 0, crossing, np.inf).min(1) + corners[:, 0, 0]
    left = np.maximum(left, corners[..., 0].min(1))
    right = np.minimum(right, corners[..., 0].max(1))
    right[((slope == 0) & (start < 0)).any(1)] = -1
    first = np.ceil(left - 0.5).clip(0, size).astype(np.int64)
    return first, np.floor(right - 0.5).clip(-1, size - 1).astype(np.int64)


def _edge_functions(corners: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric coordinates along row `y` as `slope` * (x - first corner's x) + `start`, each (N, 3)."""
    b, c = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    inverse = 1 / (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    down = (y + 0.5).astype(np.float32) - corners[:, 0, 1]
    slope = np.stack([b[:, 1] - c[:, 1], c[:, 1], -b[:, 1]], axis=1) * inverse[:, None]
    start = np.stack([c[:, 0] - b[:, 0], -c[:, 0], b[:, 0]], axis=1) * (down * inverse)[:, None]
    start[:, 0] += 1
    return slope, start


def _barycentric(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 3) float32: coordinates of the centres of pixels in their triangles (N, 3, 2); rounding is clipped away."""
    slope, start = _edge_functions(corners, y)
    along = (x + 0.5).astype(np.float32) - corners[:, 0, 0]
    weights = (slope * along[:, None] + start).clip(0, 1)
    return weights / weights.sum(1, keepdims=True)


def _batches(lengths: np.ndarray) -> Iterator[slice]:
    """Slices whose lengths add up to about `BATCH`."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + BATCH, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
