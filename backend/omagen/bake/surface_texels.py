"""Texels as points of a surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SurfaceTexels:
    """N texels of a square texture and where they are on a surface."""

    pixel: np.ndarray
    """(N,) int64, row * size + column, row 0 at v = 0"""
    position: np.ndarray
    """(N, 3) float64"""
    normal: np.ndarray
    """(N, 3) float32, unit, smooth"""
    facing: np.ndarray
    """(N, 3) float32, unit: the normals of the faces themselves"""
    pitch: np.ndarray
    """(N,) float32, metres from a texel to the next"""

    def part(self, part: slice | np.ndarray) -> SurfaceTexels:
        arrays = self.pixel, self.position, self.normal, self.facing, self.pitch
        return SurfaceTexels(*(array[part] for array in arrays))
