"""A z-buffer in numpy: which triangle is seen at each pixel, and where on it.

All (triangle, pixel of its bounding box) pairs are tested in vectorised batches. That is fast while the boxes add up to
some tens of millions of pixels, which holds for large meshes (tiny triangles) and small ones (few triangles) alike; what
exceeds `MAX_PAIRS` is thinned out, so that no mesh takes unbounded time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

BATCH: Final = 2**20
MAX_PAIRS: Final = 2**25

PairTest = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def visible_triangles(
    corners: np.ndarray, nearness: np.ndarray, size: int, keep: PairTest | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rasterise `corners` (F, 3, 2) float32, pixels, y down, centres at .5, into a square of `size` pixels.

    `nearness` (F, 3) float32 >= 0 is affine on the screen (1 / depth), the greatest wins. `keep(triangles, barycentric,
    pixels)` says for covered pixels, by flat index, which of them are really there; for cut-out materials.
    Returns `triangle` (size, size) int32, -1 where nothing is, and `barycentric` (size, size, 3) float32 on the screen.
    """
    low, high = _boxes(corners, size)
    side = np.maximum(high - low + 1, 0)
    pairs = side[:, 0].astype(np.int64) * side[:, 1]
    edge_b, edge_c = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    determinant = edge_b[:, 0] * edge_c[:, 1] - edge_b[:, 1] * edge_c[:, 0]
    candidates = np.flatnonzero((pairs > 0) & (np.abs(determinant) > 1e-12))
    total = int(pairs[candidates].sum())
    if total > MAX_PAIRS:
        candidates = candidates[:: -(-total // MAX_PAIRS)]
    buffer = np.zeros(size * size, np.uint64)
    ends = np.cumsum(pairs[candidates])
    start = 0
    while start < len(candidates):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + BATCH, side="right")), start + 1)
        batch = candidates[start:stop]
        triangles = np.repeat(batch, pairs[batch])
        local = np.arange(len(triangles)) - np.repeat(ends[start:stop] - pairs[batch] - done, pairs[batch])
        x = low[triangles, 0] + local % side[triangles, 0]
        y = low[triangles, 1] + local // side[triangles, 0]
        weights = barycentric_at(corners, triangles, x, y)
        inside = np.flatnonzero((weights >= 0).all(1))
        triangles, weights, pixels = triangles[inside], weights[inside], (y * size + x)[inside]
        if keep is not None:
            kept = keep(triangles, weights, pixels)
            triangles, weights, pixels = triangles[kept], weights[kept], pixels[kept]
        depth = (weights * nearness[triangles]).sum(1, dtype=np.float32)
        # the bits of positive floats are ordered as the floats are
        key = (depth.view(np.uint32).astype(np.uint64) << np.uint64(32)) | (triangles + 1).astype(np.uint64)
        np.maximum.at(buffer, pixels, key)
        start = stop
    triangle = (buffer & np.uint64(0xFFFFFFFF)).astype(np.int64).astype(np.int32) - 1
    seen = np.flatnonzero(triangle >= 0)
    barycentric = np.zeros((size * size, 3), np.float32)
    barycentric[seen] = barycentric_at(corners, triangle[seen], seen % size, seen // size)
    return triangle.reshape(size, size), barycentric.reshape(size, size, 3)


def barycentric_at(corners: np.ndarray, triangles: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 3) float32: the barycentric coordinates of the pixels' centres in their triangles."""
    chosen = corners[triangles]
    origin, b, c = chosen[:, 0], chosen[:, 1] - chosen[:, 0], chosen[:, 2] - chosen[:, 0]
    dx, dy = (x + 0.5).astype(np.float32) - origin[:, 0], (y + 0.5).astype(np.float32) - origin[:, 1]
    inverse = 1 / (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    v = (dx * c[:, 1] - dy * c[:, 0]) * inverse
    w = (dy * b[:, 0] - dx * b[:, 1]) * inverse
    return np.stack([1 - v - w, v, w], axis=1)


def _boxes(corners: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(F, 2) int32 first and last pixel whose centre is within the bounding box, clipped to the screen."""
    low = np.ceil(corners.min(1) - 0.5).clip(0, size).astype(np.int32)
    high = np.floor(corners.max(1) - 0.5).clip(-1, size - 1).astype(np.int32)
    return low, high
