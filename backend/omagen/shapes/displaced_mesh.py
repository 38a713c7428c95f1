"""A mesh whose finest shape is in a picture of heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.shapes.mesh import Mesh


@dataclass(frozen=True)
class DisplacedMesh:
    """Written as `object.glb` and `displacement.png`, 16-bit grey with 0 in the middle."""

    mesh: Mesh
    displacement: np.ndarray
    """(R, R) float32, metres along the mesh's normals, row 0 at the top (v = 1)"""

    @property
    def name(self) -> str:
        return self.mesh.name

    @property
    def scale(self) -> float:
        """Metres between black and white"""
        return 2 * max(float(np.abs(self.displacement).max(initial=0)), 1e-9)

    def pixels(self) -> np.ndarray:
        """(R, R) uint16"""
        return np.round((self.displacement / self.scale + 0.5) * 65535).clip(0, 65535).astype(np.uint16)
