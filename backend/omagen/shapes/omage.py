"""An object as one square multi-chart geometry image: what the codec writes and networks generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Omage:
    """Square planes of one resolution R; pixel (i, j) is row i, column j. Row 0 is v = 0, the bottom of the picture.

    Frame as published: right-handed, +Z up, the front of the object towards -Y, centred, the longest side 1.9999 long
    (arXiv 2408.03178, section 3). `centre` and `scale` lead back to the object: point = position * scale + centre, in
    metres, still +Z up. Values of unoccupied pixels have no meaning for the geometry; the colours there are dilated.
    """

    position: np.ndarray
    """(R, R, 3) float32 in [-1, 1]"""
    occupancy: np.ndarray
    """(R, R) bool: inside a chart"""
    normal: np.ndarray | None = None
    """(R, R, 3) float32, object space, unit length"""
    albedo: np.ndarray | None = None
    """(R, R, 3) float32 in [0, 1], linear light"""
    metalness: np.ndarray | None = None
    """(R, R) float32 in [0, 1]"""
    roughness: np.ndarray | None = None
    """(R, R) float32 in [0, 1]"""
    opacity: np.ndarray | None = None
    """(R, R) float32 in [0, 1]; None = opaque"""
    emission: np.ndarray | None = None
    """(R, R, 3) float32, linear light, at least 0; None = black"""
    chart: np.ndarray | None = None
    """(R, R) int32, -1 where unoccupied: which chart. Side data; None = 8-connected components of the occupancy"""
    seam: np.ndarray | None = None
    """(R, R) int32, -1 inside charts: pixels with the same number are one point of the surface. Side data"""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    name: str = "object"

    @property
    def resolution(self) -> int:
        return self.position.shape[0]
