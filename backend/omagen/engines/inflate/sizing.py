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
        self.depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - 0.5
        margin = int(2 * self.radii[-1]) + 2
        outside = cv2.copyMakeBorder(1 - inside, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=1)
        self.distances = [
            np.minimum(_distance_to_thin(inside, r, 0), _distance_to_thin(outside, r, margin)) for r in self.radii
        ]

    def sizing(self, coarsest: float, width: float) -> Sizing:
        """Edge lengths of at most `coarsest` that also stay below `width` times the local half-width."""
        finest = self._finest(coarsest, width)
        field = self._field(coarsest, width, 1)
        return Sizing(field, coarsest, max(0, int(np.ceil(np.log2(coarsest / finest) - 0.5))))

    def _finest(self, coarsest: float, width: float) -> float:
        return max(coarsest * FINEST, width * self.radii[0])

    def _field(self, coarsest: float, width: float, stride: int) -> np.ndarray:
        """(H, W) float32 edge lengths at every `stride`-th pixel."""
        field = np.full(self.depth[::stride, ::stride].shape, coarsest, np.float32)
        smaller = np.concatenate([[0.0], self.radii[:-1]])
        for radius, distance in zip(smaller, self.distances, strict=True):
            least = max(width * radius, self._finest(coarsest, width))
            np.minimum(field, least + GRADING * distance[::stride, ::stride], out=field)
        return field

    def triangles(self, coarsest: float, width: float) -> float:
        """About how many even triangles one side of the inflated silhouette takes with such edge lengths."""
        stride = max(1, max(self.depth.shape) // 256)
        lengths = self._field(coarsest, width, stride)[self.inside[::stride, ::stride]]
        return 1.75 * float(np.sum(stride**2 / lengths.astype(np.float64) ** 2)) / (np.sqrt(3) / 4)


def _distance_to_thin(inside: np.ndarray, radius: float, margin: int) -> np.ndarray:
    """(H, W) float32 distance of each pixel to the nearest one that no disc of `radius` inside (H, W) `inside`
    covers.
    """
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - 0.5
    core = (depth >= radius).astype(np.uint8)
    to_core = (
        cv2.distanceTransform(1 - core, cv2.DIST_L2, 5) if core.any() else np.full(inside.shape, np.inf, np.float32)
    )
    thin = (inside > 0) & (to_core > 1.05 * radius + TOLERANCE)
    if margin:
        thin = thin[margin:-margin, margin:-margin]
    if not thin.any():
        return np.full(thin.shape, np.float32(1e6))
    return cv2.distanceTransform((~thin).astype(np.uint8), cv2.DIST_L2, 5)
