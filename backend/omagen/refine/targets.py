"""What a source of normals says about a mesh: the direction that each face should have, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from omagen.shapes import Mesh


@dataclass(frozen=True)
class FaceTargets:
    normal: np.ndarray
    """(F, 3) float64, unit length where `weight` > 0"""
    weight: np.ndarray
    """(F,) float64, 0 to 1; 0 = nothing is known, the face keeps its direction"""


@dataclass(frozen=True)
class Offsets:
    """Where the surface should be, as far as a source knows places and not only directions."""

    along: np.ndarray
    """(V,) float64, metres along the vertex normals"""
    weight: np.ndarray
    """(V,) float64, 0 to 1; 0 = nothing is known"""


class NormalSource(Protocol):
    any_mesh: bool
    """Whether it can be asked about any surface near the first one, or only about one with the same UVs"""

    knows_places: bool
    """Whether it gives offsets, so that large shapes are theirs and not the normals'"""

    def targets(self, mesh: Mesh) -> FaceTargets:
        """What is wanted of `mesh`: the mesh that the source was made for, moved, subdivided or remeshed."""
        ...

    def offsets(self, mesh: Mesh) -> Offsets | None:
        """How far the vertices of such a mesh are from where the source has the surface; None = it cannot tell."""
        ...
