"""How long triangle edges should be where: as asked for on broad areas, shorter at thin parts, narrow gaps and sharp
tips.

The local thickness follows from morphological openings (Serra's granulometry): a point is thinner than radius r when
no disc of radius r that fits inside the silhouette covers it. The same on the outside gives the width of gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

GRADING = 0.45
"""How fast the edge length may grow with distance from a thin place."""
FINEST = 0.09
"""Shortest edge length as a fraction of the longest."""
TOLERANCE = 0.4
"""By how many pixels a disc may miss a point and still cover it: keeps the outline's noise from counting as thin."""
COARSE = 4.8
"""Radius, in pixels, from which discs are looked for on grids that are coarser in proportion."""
MARGIN_STEP = 64
"""Margins are multiples of twice this, so that coarser grids have whole ones."""


@dataclass(frozen=True)
class Sizing:
    """Wanted edge length, in pixels of the opacity grid."""

    field: np.ndarray
    """(H, W) float32"""
    coarsest: float
    levels: int
    """The field lies within [coarsest / 2**levels, coarsest]."""

    def at(self, points: np.ndarray) -> np.ndarray:
        """(n,) float64 edge lengths at (n, 2) points x, y."""
        return sample(self.field, points)


def sample(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) float64: (H, W) `field` at (n, 2) points x, y, bilinear, clamped at the border."""
    height, width = field.shape
    x = np.clip(points[:, 0], 0, width - 1.001)
    y = np.clip(points[:, 1], 0, height - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    s, t = x - column, y - row
    right, below = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
    return (1 - t) * ((1 - s) * field[row, column] + s * field[row, right]) + t * (
        (1 - s) * field[below, column] + s * field[below, right]
    )


class Thickness:
    """The silhouette's local half-width in octaves, computed once and turned into a `Sizing` for any edge length."""

    def __init__(self, level: np.ndarray, finest: float, steps: int) -> None:
        """`level`: (H, W) float32 level set, positive inside. Half-widths from `finest` times 2**0 to 2**`steps` are
        told apart.
        """
        inside = (level > 0).astype(np.uint8)
        self.radii = finest * 2.0 ** np.arange(steps + 1)
        self.inside = inside.astype(bool)
        self.depth = _depth(inside)
        margin = 2 * MARGIN_STEP * int(np.ceil(self.radii[-1] / MARGIN_STEP))
        outside = cv2.copyMakeBorder(1 - inside, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=1)
        beyond, size = _depth(outside), level.shape[::-1]
        self.distances = [
            np.minimum(
                *(cv2.resize(_distance_to_thin(*side), size) for side in ((self.depth, r, 0), (beyond, r, margin)))
            )
            for r in self.radii
        ]
        self._stride = max(1, max(self.depth.shape) // 256)
        chosen = self.inside[:: self._stride, :: self._stride]
        self._samples = [distance[:: self._stride, :: self._stride][chosen] for distance in self.distances]

    def sizing(self, coarsest: float, width: float) -> Sizing:
        """Edge lengths of at most `coarsest` that also stay below `width` times the local half-width."""
        finest = self._finest(coarsest, width)
        field = self._lengths(coarsest, width, self.distances)
        return Sizing(field, coarsest, max(0, int(np.ceil(np.log2(coarsest / finest) - 0.5))))

    def _finest(self, coarsest: float, width: float) -> float:
        return max(coarsest * FINEST, width * self.radii[0])

    def _lengths(self, coarsest: float, width: float, distances: list[np.ndarray]) -> np.ndarray:
        """float32 edge lengths at places with such `distances` to parts thinner than each radius."""
        lengths, finest = np.full(distances[0].shape, coarsest, np.float32), self._finest(coarsest, width)
        for radius, distance in zip([0.0, *self.radii[:-1]], distances, strict=True):
            least = np.float32(max(width * radius, finest))
            if least < coarsest:
                np.minimum(lengths, least + np.float32(GRADING) * distance, out=lengths)
        return lengths

    def triangles(self, coarsest: float, width: float) -> float:
        """About how many even triangles one side of the inflated silhouette takes with such edge lengths."""
        lengths = self._lengths(coarsest, width, self._samples)
        return 1.75 * float(np.sum(self._stride**2 / lengths.astype(np.float64) ** 2)) / (np.sqrt(3) / 4)


def _depth(inside: np.ndarray) -> np.ndarray:
    """(H, W) float32 distance to the outline, about, inside (H, W) uint8 `inside`."""
    return cv2.distanceTransform(inside, cv2.DIST_L2, 5) - np.float32(0.5)


def _distance_to_thin(depth: np.ndarray, radius: float, margin: int) -> np.ndarray:
    """(h, w) float32 distance of each pixel to the nearest one that no disc of `radius` covers which fits inside the
    region of (H, W) `depth`, without its outermost `margin` pixels. Large discs are looked for on coarser grids.
    """
    shrink = 2 ** int(max(0, np.log2(radius / COARSE)))
    depth, radius = depth[::shrink, ::shrink] / np.float32(shrink), radius / shrink
    core = (depth >= radius).astype(np.uint8)
    to_core = (
        cv2.distanceTransform(1 - core, cv2.DIST_L2, 5) if core.any() else np.full(depth.shape, np.inf, np.float32)
    )
    thin = (depth > 0) & (to_core > 1.05 * radius + (TOLERANCE if shrink == 1 else 2 * TOLERANCE))
    inner = (
        slice(margin // shrink, depth.shape[0] - margin // shrink),
        slice(margin // shrink, depth.shape[1] - margin // shrink),
    )
    thin = thin[inner]
    if not thin.any():
        return np.full(thin.shape, np.float32(1e6))
    return shrink * cv2.distanceTransform((~thin).astype(np.uint8), cv2.DIST_L2, 5)
