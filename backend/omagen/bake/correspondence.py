"""Which point of one surface belongs to a point of another one nearby."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from omagen.geometry.distance import SurfaceTree, diagonal
from omagen.geometry.rays import RayCaster
from omagen.geometry.sampling import barycentric, sample_points
from omagen.omage.surface_normals import face_normals
from omagen.shapes import Mesh

PROBES: Final = 20_000
"""Points on either surface by which their distance is measured"""
START: Final = 1e-5
"""Of the diagonal: how far behind a point its rays start, so that they meet what it lies on"""
SMALLEST_CAGE: Final = 1e-3
LARGEST_CAGE: Final = 0.1
"""Of the diagonal"""
MOST_LAYERS: Final = 4
"""Surfaces facing the other way that a ray goes through"""
STEPS: Final = (0.5, 1.0)
"""Of the cage: how far off the surface nearest points are looked for, where those on it face the other way"""
PART: Final = 2**18

Points = tuple[np.ndarray, np.ndarray]
"""(N,) int32 faces and (N, 2) float32 weights of corners 1 and 2"""


class Correspondence:
    """Leads from points near a mesh to points of the mesh that face the same way.

    A point's partner is what the rays along its normal, both ways, meet first within the cage; where they meet nothing,
    the nearest point. What faces away from the normal is no partner, be it as near as the other side of a thin wall.
    """

    def __init__(self, low: Mesh, high: Mesh, cage: float | None = None) -> None:
        """From points of `low` to `high`. `cage`: metres; by default as far as the two surfaces are apart."""
        self._high = high
        self._size = diagonal(high.vertices, high.faces) or 1.0
        self._tree = SurfaceTree(high.vertices, high.faces)
        self._caster = RayCaster(high.vertices, high.faces)
        self._facing = face_normals(high)
        self.cage = _distance(low, high, self._tree, self._size) if cage is None else cage
        self.by_nearest = self.by_force = 0
        """How many points found no partner by rays, and how many of those none that faces their way"""

    def find(
        self, points: np.ndarray, normals: np.ndarray, progress: Callable[[float], None] = lambda fraction: None
    ) -> Points:
        """The partners of `points` (N, 3) float64 with `normals` (N, 3), unit."""
        face, bary = np.full(len(points), -1, np.int32), np.zeros((len(points), 2), np.float32)
        for begin in range(0, len(points), PART):
            progress(begin / len(points))
            part = slice(begin, begin + PART)
            self._cast(points[part], normals[part], face[part], bary[part])
        lost = np.flatnonzero(face < 0)
        for begin in range(0, len(lost), PART // 16):
            progress(begin / len(lost))
            part = lost[begin : begin + PART // 16]
            face[part], bary[part] = self._nearest(points[part], normals[part])
        return face, bary

    def _cast(self, points: np.ndarray, normals: np.ndarray, face: np.ndarray, bary: np.ndarray) -> None:
        """Fill in what rays find."""
        found = np.full(len(points), self.cage)
        for side in (1.0, -1.0):
            left = np.arange(len(points))
            start = np.full(len(points), -START * self._size)
            for _ in range(MOST_LAYERS):
                along = side * normals[left]
                reach = found[left] - start[left]
                hits = self._caster.first_hit(points[left] + along * start[left, None], along, reach)
                met = hits.face >= 0
                left, distance = left[met], start[left[met]] + hits.distance[met]
                number, weights = hits.face[met], hits.barycentric[met, 1:]
                agree = np.einsum("nc,nc->n", self._facing[number], normals[left]) > 0
                chosen = left[agree]
                face[chosen], bary[chosen] = number[agree], weights[agree]
                found[chosen] = np.maximum(distance[agree], 0)
                left = left[~agree]
                start[left] = distance[~agree] + START * self._size
                if not len(left):
                    break

    def _nearest(self, points: np.ndarray, normals: np.ndarray) -> Points:
        """Of the nearest points, and of those nearest to places in front, the first that faces the right way."""
        first = self._tree.nearest(points)
        number, place = first.face.copy(), first.position.copy()
        left = np.flatnonzero(self._turned(number, normals))
        self.by_nearest += len(points)
        for step in STEPS:
            if not len(left):
                break
            at = points[left] + normals[left] * (step * self.cage)
            further = self._tree.nearest(at)
            agree = ~self._turned(further.face, normals[left])
            number[left[agree]], place[left[agree]] = further.face[agree], further.position[agree]
            left = left[~agree]
        self.by_force += len(left)
        weights = barycentric(self._high.vertices, self._high.faces, number, place)
        return number.astype(np.int32), weights.astype(np.float32)

    def _turned(self, face: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return np.einsum("nc,nc->n", self._facing[face], normals) <= 0


def same_faces(low: Mesh, high: Mesh) -> bool:
    """Whether the two have the same triangles in the same order, so that only UVs, normals and materials can differ."""
    return len(low.faces) == len(high.faces) and np.array_equal(low.vertices[low.faces], high.vertices[high.faces])


def _distance(low: Mesh, high: Mesh, tree: SurfaceTree, size: float) -> float:
    """A cage that holds all but stray points of either surface, in metres."""
    probes = sample_points(low.vertices, low.faces, PROBES, 0).position
    there = tree.nearest(probes).distance
    probes = sample_points(high.vertices, high.faces, PROBES, 1).position
    back = SurfaceTree(low.vertices, low.faces).nearest(probes).distance
    furthest = max(float(np.percentile(there, 99.5)), float(np.percentile(back, 99.5)))
    return float(np.clip(2 * furthest, SMALLEST_CAGE * size, LARGEST_CAGE * size))
