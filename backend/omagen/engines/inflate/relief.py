"""Relief from shading: brighter is higher, band by band.

Detail that the triangles can carry becomes displacement of the front, what is finer becomes a normal map. Broad
shading is left out, because it tells of the light rather than of the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

STRENGTH = 0.12
"""Height of a full step in brightness at relief 1, as a fraction of the longest side."""
BROADEST = 0.06
"""Standard deviation, as a fraction of the longest side, above which brightness counts as lighting."""
STEEPEST = 1.2
"""Slope at which the normal map saturates."""


@dataclass(frozen=True)
class Relief:
    displacement: np.ndarray
    """(H, W) float32 height in pixels that the mesh carries"""
    slope: np.ndarray
    """(H, W, 2) float32 slope to the right and *up* of the finer heights, for the normal map"""


def from_shading(rgb: np.ndarray, alpha: np.ndarray, edge_length: float, strength: float) -> Relief:
    """Relief of (H, W, 3) uint8 sRGB `rgb` where (H, W) float32 `alpha` is opaque. `edge_length` of the mesh in
    pixels.
    """
    size = max(alpha.shape)
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    solid = (alpha > 0.5).astype(np.float32)
    fine = _smooth(light, solid, 0.7)
    middle = _smooth(light, solid, max(1.2 * edge_length, 1.0))
    broad = _smooth(light, solid, max(BROADEST * size, 2.0 * edge_length))
    height = strength * STRENGTH * size
    depth = cv2.distanceTransform(np.pad((alpha > 0.5).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    fade = np.clip(depth / (0.03 * size), 0, 1)
    bumps = height * fade * (fine - middle)
    slope = np.stack(
        [cv2.Sobel(bumps, cv2.CV_32F, 1, 0, scale=1 / 8), -cv2.Sobel(bumps, cv2.CV_32F, 0, 1, scale=1 / 8)], 2
    )
    return Relief(height * fade * (middle - broad), STEEPEST * np.tanh(slope / STEEPEST))


def _smooth(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of `values` over where `weight` is not 0; large ones are computed on a smaller grid."""
    shrink = int(np.clip(sigma / 3, 1, 16))
    size = (max(1, values.shape[1] // shrink), max(1, values.shape[0] // shrink))
    both = [cv2.resize(array, size, interpolation=cv2.INTER_AREA) for array in (values * weight, weight)]
    top, bottom = (cv2.GaussianBlur(array, (0, 0), sigma / shrink) for array in both)
    return cv2.resize(top / np.maximum(bottom, 1e-4), values.shape[::-1], interpolation=cv2.INTER_LINEAR)
