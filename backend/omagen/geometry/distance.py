"""How far two surfaces are from each other, point to surface: unlike distances between points it has no noise floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.geometry.sampling import face_areas, sample_points
from omagen.shapes import Mesh


@dataclass(frozen=True)
class Nearest:
    """The nearest point of a surface for each of N points."""

    distance: np.ndarray
    """(N,) float64, metres"""
    face: np.ndarray
    """(N,) int64"""
    position: np.ndarray
    """(N, 3) float64"""


class SurfaceTree:
    """Answers which point of a triangle mesh is nearest, exactly. Building takes about 1 µs a face."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """`vertices` (V, 3), `faces` (F, 3) with F > 0."""
        import igl

        self._vertices = np.ascontiguousarray(vertices, np.float64)
        self._faces = np.ascontiguousarray(faces, np.int64)
        self._tree = igl.AABB()
        self._tree.init(self._vertices, self._faces)

    def nearest(self, points: np.ndarray) -> Nearest:
        """The nearest surface points of `points` (N, 3)."""
        points = np.ascontiguousarray(points, np.float64)
        squared, face, position = self._tree.squared_distance(self._vertices, self._faces, points)
        return Nearest(np.sqrt(squared), np.asarray(face, np.int64), np.asarray(position))


def diagonal(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Length of the diagonal of the bounding box of all vertices that a face uses."""
    used = vertices[faces.reshape(-1)].astype(np.float64)
    return float(np.linalg.norm(np.ptp(used, axis=0)))


def surface_distance(a: Mesh, b: Mesh, samples: int = 100_000, seed: int = 0) -> dict[str, float]:
    """How different two surfaces are; lengths are divided by the diagonal of `a`'s bounding box.

    chamfer (mean of both ways), chamfer_ab, chamfer_ba, p99 and max (the worse of both ways), f_score (harmonic mean
    of the shares of both surfaces within 0.1 % of the diagonal of the other), area_ratio (b / a). `samples` points on
    each surface.
    """
    size = diagonal(a.vertices, a.faces)
    ab, ba = (
        SurfaceTree(there.vertices, there.faces)
        .nearest(sample_points(here.vertices, here.faces, samples, seed).position)
        .distance
        / size
        for here, there in ((a, b), (b, a))
    )
    area_a, area_b = (float(face_areas(mesh.vertices, mesh.faces).sum()) for mesh in (a, b))
    return distance_summary(ab, ba) | {"area_ratio": area_b / area_a}


def distance_summary(ab: np.ndarray, ba: np.ndarray) -> dict[str, float]:
    """The numbers of `surface_distance` from the distances (N,) and (M,) of both ways, relative to the diagonal."""
    near = [float((way <= 1e-3).mean()) for way in (ab, ba)]
    return {
        "chamfer": float(ab.mean() + ba.mean()) / 2,
        "chamfer_ab": float(ab.mean()),
        "chamfer_ba": float(ba.mean()),
        "p99": float(max(np.percentile(ab, 99), np.percentile(ba, 99))),
        "max": float(max(ab.max(), ba.max())),
        "f_score": 2 * near[0] * near[1] / max(sum(near), 1e-12),
    }
