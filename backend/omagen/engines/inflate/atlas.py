"""The object's textures: two charts, front and back, in one atlas, with gutters, and every texel outside them
filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from omagen.foreground.color import fill

GUTTER = 16
"""Least number of texels between charts and around them: four levels of mip-mapping without bleeding."""

RIM = 0.015
"""Width, as a fraction of the longest side, of the band along the outline that gives a filled back its colours."""
CALMING = ((2.0, 10.0), (4.0, 6.0), (8.0, 3.0))
"""Standard deviations of the blur along the outline and how deep each reaches, in texels of a texture 1024 long. About
as wide as the surface there draws texels out.
"""
FLAT_NORMAL = np.array([128, 128, 255], np.uint8)


@dataclass(frozen=True)
class Atlas:
    """Where the charts lie. Both have the picture's crop, `width` x `height` texels; the back's is mirrored."""

    width: int
    height: int
    beside: bool
    """Back at the right of the front; else below it."""
    gutter: int

    @classmethod
    def for_picture(cls, width: int, height: int) -> Atlas:
        return cls(width, height, width <= height, max(GUTTER, max(width, height) // 48))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the atlas in texels."""
        across, down = (2, 1) if self.beside else (1, 2)
        return across * (self.width + self.gutter) + self.gutter, down * (self.height + self.gutter) + self.gutter

    @property
    def corners(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Column and row of the first texel of the front's and the back's crop."""
        g = self.gutter
        return (g, g), (2 * g + self.width, g) if self.beside else (g, 2 * g + self.height)

    def uv(self, points: np.ndarray, back: bool) -> np.ndarray:
        """(..., 2) float32 UV, origin bottom-left, of points (..., 2) in pixels of the crop, x right, y down, centres
        whole.
        """
        column, row = self.corners[back]
        x = self.width - 1 - points[..., 0] if back else points[..., 0]
        width, height = self.size
        return np.stack([(column + x + 0.5) / width, 1 - (row + points[..., 1] + 0.5) / height], -1).astype(np.float32)

    def paint(self, front: np.ndarray, back: np.ndarray) -> np.ndarray:
        """The atlas from the two crops, (height, width, C) each, not yet mirrored; elsewhere zero."""
        width, height = self.size
        image = np.zeros((height, width, *front.shape[2:]), front.dtype)
        for chart, (column, row) in zip((front, back[:, ::-1]), self.corners, strict=True):
            image[row : row + self.height, column : column + self.width] = chart
        return image


def base_color(atlas: Atlas, rgb: np.ndarray, covered: np.ndarray, back: str) -> np.ndarray:
    """(H, W, 3) uint8 sRGB atlas.

    rgb: (h, w, 3) uint8 foreground colours of the crop. covered: (h, w) float32, 0 to 1, where they can be trusted.
    back: `mirror` shows the picture again, `fill` the colours of its outline without its detail.
    """
    front = _calm_rim(rgb, covered)
    behind = front if back == "mirror" else _from_rim(front, covered)
    image = atlas.paint(front, behind)
    weight = atlas.paint(covered, covered)
    return fill(image, weight)


def normal_map(atlas: Atlas, slope: np.ndarray, back: str) -> np.ndarray:
    """(H, W, 3) uint8 tangent-space normals, +Y up, from (h, w, 2) slopes to the right and up."""
    front = _encoded(slope)
    behind = _encoded(slope * np.array([-1, 1], np.float32)) if back == "mirror" else np.full_like(front, FLAT_NORMAL)
    image = atlas.paint(front, behind)
    image[image[..., 2] == 0] = FLAT_NORMAL
    return image


def _encoded(slope: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 normals of surfaces with (H, W, 2) float32 slopes."""
    up = 1 / np.sqrt(1 + np.sum(slope * slope, 2))
    normal = np.empty((*slope.shape[:2], 3), np.uint8)
    for axis in (0, 1):
        normal[..., axis] = np.round(127.5 - 127.5 * slope[..., axis] * up)
    normal[..., 2] = np.round(127.5 + 127.5 * up)
    return normal


def metallic_roughness(atlas: Atlas, light: np.ndarray, roughness: float, metallic: float) -> np.ndarray:
    """(H, W, 3) uint8, roughness in green, metalness in blue, at a quarter of the resolution.

    light: (h, w) float32, 0 to 1. Roughness varies a little around its setting: highlights and bright parts are
    smoother.
    """
    varied = np.clip(roughness * (1.08 - 0.16 * light), 0.02, 1.0).astype(np.float32)
    image = atlas.paint(varied, varied)
    image[image == 0] = roughness
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    packed = np.stack([np.full_like(small, 1.0), small, np.full_like(small, metallic)], 2)
    return np.round(packed * 255).astype(np.uint8)


def _depth(covered: np.ndarray) -> np.ndarray:
    """(h, w) float32 distance, in texels, to where the object ends."""
    return cv2.distanceTransform(np.pad((covered > 0.5).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]


def _calm_rim(rgb: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """`rgb` with its outermost texels smoothed, the more the nearer to the outline.

    There the surface turns away and few texels span a long way, so detail would be drawn out into streaks.
    """
    unit = max(rgb.shape[:2]) / 1024
    depth = _depth(covered)
    result = rgb.astype(np.float32)
    weighted = result * covered[..., None]
    for sigma, reach in CALMING:
        total = cv2.GaussianBlur(weighted, (0, 0), max(sigma * unit, 0.8))
        weight = cv2.GaussianBlur(covered, (0, 0), max(sigma * unit, 0.8))
        share = np.clip((reach * unit + 0.5 - depth) / max(reach * unit, 1.0), 0, 1)[..., None]
        result += share * (total / np.maximum(weight, 1e-3)[..., None] - result)
    return np.round(np.clip(result, 0, 255)).astype(np.uint8)


def _from_rim(front: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: the colours along the outline, continued smoothly over the inside."""
    band = max(2.0, RIM * max(covered.shape))
    weight = np.where(_depth(covered) <= band, covered, np.float32(0)) ** 4
    return cv2.GaussianBlur(fill(front, weight), (0, 0), band / 2)
