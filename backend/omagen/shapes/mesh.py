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
    region: np.ndarray | None = None
    """(V,) float32, 0 to 1: how much each vertex takes part in what is done to the mesh; None = all of them wholly"""
    numbered: bool = False
    """Whether the vertices have the numbers that the sender knows them by; whoever renumbers them says False"""
    patches: np.ndarray | None = None
    """(F,) int32 from 0: which chart of an omage each face came from; None = not from an omage"""
    quads: np.ndarray | None = None
    """(Q,) int32, ascending: triangles q and q + 1 are one four-sided face with the corners of q and the last one of
    q + 1, which shares its first and last corner with q; None = all are triangles"""
