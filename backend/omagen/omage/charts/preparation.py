"""A mesh made ready for charting: one vertex per position, each face once, and what was left out said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.geometry.distinct import distinct_rows
from omagen.omage.charts.topology import connected_faces, opposite_half_edges
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh


@dataclass(frozen=True)
class Surface:
    """Welded triangles and how they join."""

    vertices: np.ndarray
    """(V, 3) float32, no two equal"""
    faces: np.ndarray
    """(F, 3) int32, three different vertices each"""
    source_face: np.ndarray
    """(F,) int32"""
    opposite: np.ndarray
    """(3F,) int32, see `topology`"""
    component: np.ndarray
    """(F,) int32: the piece that each face belongs to, joined over edges"""
    components: int
    dropped: dict[str, int]
    """Why faces were left out, and how many."""

    def corners(self, face: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(N, 3, 3) float64 positions of the corners of `face`."""
        return self.vertices[self.faces[face]].astype(np.float64)


def prepare(mesh: Mesh) -> Surface:
    """Weld `mesh` without faces that name a point twice and exact repetitions. Raises `OmagenError` (geometry)."""
    is_finite = np.isfinite(mesh.vertices[mesh.faces]).all(axis=(1, 2))
    first, inverse = distinct_rows(np.where(np.isfinite(mesh.vertices), mesh.vertices, 0).astype(np.float32))
    faces = inverse.astype(np.int32)[mesh.faces]
    is_proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    kept = np.flatnonzero(is_finite & is_proper)
    start = np.argmin(faces[kept], axis=1)[:, None]
    turned = np.take_along_axis(faces[kept], (start + np.arange(3)) % 3, axis=1)
    unique = kept[distinct_rows(turned)[0]]
    dropped = {
        "not a number": int((~is_finite).sum()),
        "a point twice": int((is_finite & ~is_proper).sum()),
        "repeated": len(kept) - len(unique),
    }
    if len(unique) == 0:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no faces with an area.", "Check the mesh and try again.")
    vertices = mesh.vertices[first].astype(np.float32)
    return as_surface(vertices, faces[unique], unique.astype(np.int32), {k: n for k, n in dropped.items() if n})


def as_surface(vertices: np.ndarray, faces: np.ndarray, source_face: np.ndarray, dropped: dict[str, int]) -> Surface:
    """A `Surface` of proper faces, without vertices that none of them uses."""
    is_used = np.zeros(len(vertices), bool)
    is_used[faces] = True
    faces = np.ascontiguousarray((np.cumsum(is_used, dtype=np.int32) - np.int32(1))[faces])
    opposite = opposite_half_edges(faces)
    component, components = connected_faces(opposite)
    vertices = np.ascontiguousarray(vertices[is_used])
    return Surface(vertices, faces, source_face, opposite, component, components, dropped)
