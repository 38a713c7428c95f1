"""A triangle mesh with corner UVs and materials: what every engine's output ends as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.shapes.material import Material


@dataclass(frozen=True)
class Mesh:
    """Triangles over shared vertices; whatever may differ on the two sides of an edge is stored per corner.

    Frame: right-handed, +Y up, front +Z, metres. Faces are counter-clockwise from outside. Arrays are C-contiguous.
    """

    vertices: np.ndarray
    """(V, 3) float32"""
    faces: np.ndarray
    """(F, 3) int32"""
    uv: np.ndarray | None = None
    """(F, 3, 2) float32, origin bottom-left"""
    normals: np.ndarray | None = None
    """(F, 3, 3) float32, unit length; None = flat or derived"""
    colors: np.ndarray | None = None
    """(V, 4) float32, linear, 0 to 1"""
    material_index: np.ndarray | None = None
    """(F,) int32 into `materials`; None = all 0"""
    materials: tuple[Material, ...] = ()
    name: str = "object"
    second_uv: np.ndarray | None = None
    """(F, 3, 2) float32, like `uv`: what textures with `uv_set` 1 lie on"""
    patches: np.ndarray | None = None
    """(F,) int32 from 0: which chart of an omage each face came from; None = not from an omage"""
