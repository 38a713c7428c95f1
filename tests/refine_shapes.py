"""Meshes and maps of which the right answer is known."""

from __future__ import annotations

import numpy as np
import trimesh
from omagen.geometry.sampling import face_normals
from omagen.refine.targets import FaceTargets, Offsets
from omagen.shapes import Mesh


def grid(side: int) -> Mesh:
    """An open sheet of `side`² vertices in the plane z = 0, facing +Z, its UVs the unit square."""
    row, column = np.divmod(np.arange(side * side), side)
    place = np.stack([column, row], axis=1) / (side - 1)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    quads = np.stack([first, first + 1, first + side + 1, first + side], axis=1)
    faces = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32)
    vertices = np.column_stack([place - 0.5, np.zeros(len(place))]).astype(np.float32)
    return Mesh(vertices, faces, np.ascontiguousarray(place[faces], np.float32))


def sphere(level: int, radius: float = 1.0) -> Mesh:
    ball = trimesh.creation.icosphere(level)
    return Mesh((np.asarray(ball.vertices) * radius).astype(np.float32), np.asarray(ball.faces, np.int32))


def bump(places: np.ndarray, height: float = 0.05) -> np.ndarray:
    """Height over the sheet, with its slope 0 at the border. `places` (N, 2) within -0.5 to 0.5"""
    inside = np.cos(np.pi * places) ** 2
    return height * inside.prod(1) * (1 + np.sin(6 * places[:, 0] + 1) * np.cos(5 * places[:, 1]))


def raised(mesh: Mesh, height: float = 0.05) -> np.ndarray:
    """(V, 3) float64: the sheet with the bump on it"""
    result = mesh.vertices.astype(np.float64)
    result[:, 2] += bump(result[:, :2], height)
    return result


def unit_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    doubled = face_normals(vertices, faces)
    return doubled / np.maximum(np.linalg.norm(doubled, axis=1, keepdims=True), 1e-300)


class Fixed:
    """The same targets whatever becomes of the mesh."""

    any_mesh = False
    knows_places = False

    def __init__(self, normal: np.ndarray, weight: np.ndarray | None = None, along: np.ndarray | None = None) -> None:
        self._found = FaceTargets(normal, np.ones(len(normal)) if weight is None else weight)
        self.knows_places = along is not None or type(self).knows_places
        self._offsets = None if along is None else Offsets(along, np.ones(len(along)))

    def targets(self, mesh: Mesh) -> FaceTargets:
        return self._found

    def offsets(self, mesh: Mesh) -> Offsets | None:
        return self._offsets


def quiet(stage: str, fraction: float) -> None:
    """Progress that nobody watches"""
