"""All that can change a refinement."""

from __future__ import annotations

from dataclasses import dataclass

HELD_SIZE, FREE_SIZE = 0.05, 0.5
"""Of a mesh's diagonal: from this size on places hold the mesh, if a source knows places, and if it only knows
directions, whose small errors add up over long ways"""


@dataclass(frozen=True)
class RefineSettings:
    strength: float = 1.0
    """How far the mesh goes towards its targets: 0 leaves it bit by bit as it is, 1 is all the way, up to 2 beyond"""
    rotations: int = 2
    """Gradient-domain solves"""
    offsets: int = 1
    """Solves along the normals"""
    keep_larger: float = 0.0
    """Shapes larger than this share of the diagonal stay as the mesh has them, whatever the normals say; 0 = none do"""
    vertices: int = 0
    """Up to how many vertices the mesh is subdivided where targets have more detail; 0 = not at all"""
    falloff: int = 3
    """Rings of vertices over which the border of a region fades"""
    remesh: bool = False
    """Whether triangles are made anew on the way, for changes that the given ones cannot follow. UVs are lost"""
    remesh_steps: int = 60
    device: str = "cpu"
