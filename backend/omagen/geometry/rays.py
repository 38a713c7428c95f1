"""Rays against a mesh, by Embree."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

PART: Final = 2**18
"""Rays that are cast at once"""


class Hits(NamedTuple):
    """The first surface that each of N rays meets."""

    face: np.ndarray
    """(N,) int32, -1 where a ray meets nothing"""
    distance: np.ndarray
    """(N,) float64, in lengths of the direction; infinite where it meets nothing"""
    barycentric: np.ndarray
    """(N, 3) float32; 0 where it meets nothing"""


class RayCaster:
    """Answers where rays meet a triangle mesh, from either side. A face takes 0.5 µs to build, a ray as long.

    Embree computes in float32; the mesh is brought to unit size first, so that distances are right to about 1e-6 of
    the mesh's size wherever it lies. Neighbouring faces have no gap between them; a ray aimed at a vertex exactly may
    slip through.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """`vertices` (V, 3), finite where faces use them; `faces` (F, 3)."""
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        vertices, faces = np.asarray(vertices, np.float64), np.ascontiguousarray(faces, np.int32)
        used = vertices[faces.reshape(-1)]
        self._centre, self._scale = np.zeros(3), 1.0
        if len(used):
            low, high = used.min(0), used.max(0)
            self._centre = (low + high) / 2
            self._scale = 2 / (float((high - low).max()) or 1.0)
        self._scene = EmbreeScene(robust=True)
        self._is_empty = len(faces) == 0
        if not self._is_empty:
            TriangleMesh(self._scene, self._moved(vertices), faces)

    def first_hit(self, origins: np.ndarray, directions: np.ndarray, max_distance: float | np.ndarray = np.inf) -> Hits:
        """What rays from `origins` (N, 3) along `directions` (N, 3) meet first, within `max_distance` (in lengths of
        the directions, one for all or (N,)). A ray that starts on a surface may meet it at distance 0.
        """
        count = len(origins)
        hits = Hits(np.full(count, -1, np.int32), np.full(count, np.inf), np.zeros((count, 3), np.float32))
        if self._is_empty:
            return hits
        limits = np.broadcast_to(np.asarray(max_distance, np.float64), (count,))
        for begin in range(0, count, PART):
            part = slice(begin, begin + PART)
            rays, length = self._rays(origins[part], directions[part], limits[part])
            found = self._scene.run(*rays, query="INTERSECT", output=True)
            met = np.flatnonzero(found["primID"] >= 0)
            hits.face[begin + met] = found["primID"][met]
            hits.distance[begin + met] = found["tfar"][met] / (self._scale * length[met])
            u, v = found["u"][met], found["v"][met]
            hits.barycentric[begin + met] = np.stack([1 - u - v, u, v], axis=1)
        return hits

    def occluded(
        self, origins: np.ndarray, directions: np.ndarray, max_distance: float | np.ndarray = np.inf
    ) -> np.ndarray:
        """(N,) bool: whether rays meet anything; arguments as for `first_hit`, but cheaper."""
        hidden = np.zeros(len(origins), bool)
        if self._is_empty:
            return hidden
        limits = np.broadcast_to(np.asarray(max_distance, np.float64), hidden.shape)
        for begin in range(0, len(origins), PART):
            part = slice(begin, begin + PART)
            rays, _ = self._rays(origins[part], directions[part], limits[part])
            hidden[part] = self._scene.run(*rays, query="OCCLUDED") >= 0
        return hidden

    def _moved(self, points: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray((points - self._centre) * self._scale, np.float32)

    def _rays(
        self, origins: np.ndarray, directions: np.ndarray, limits: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """Rays for Embree, with unit directions, and the lengths that the directions had."""
        directions = np.asarray(directions, np.float64)
        length = np.maximum(np.sqrt(np.einsum("nc,nc->n", directions, directions)), 1e-300)
        unit = np.ascontiguousarray(directions / length[:, None], np.float32)
        far = np.minimum(limits * length * self._scale, 1e30).astype(np.float32)
        return (self._moved(np.asarray(origins, np.float64)), unit, far), length
