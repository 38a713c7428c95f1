"""Finds the triangle of a planar triangulation, and the place in it, for many points at once."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from omagen.engines.inflate.planar import Planar

CANDIDATES = 8
INSIDE = -1e-9
LONGEST_WALK = 64


class Locator:
    """Point location by walking from the nearest triangle centre. y points up."""

    def __init__(self, planar: Planar) -> None:
        corners = planar.points[planar.faces] * [1.0, -1.0]
        edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        double = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
        across = np.roll(corners, -2, axis=1) - np.roll(corners, -1, axis=1)
        self.areas = double / 2
        """(F,)"""
        self.slopes = np.stack([-across[..., 1], across[..., 0]], 2) / double[:, None, None]
        """(F, 3, 2) gradients of the barycentric coordinates"""
        self._centres = corners.mean(1)
        self._neighbors = planar.neighbors
        self._tree = KDTree(self._centres)

    def locate(self, points: np.ndarray, near: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(n,) faces and (n, 3) barycentric coordinates of (n, 2) points. A point outside gets a face at the border
        nearby. near: (n,) faces to start from, the nearest ones if None.
        """
        start = np.asarray(self._tree.query(points)[1]) if near is None else near.copy()
        face, bary = self._walk(start, points)
        stuck = np.flatnonzero(bary.min(1) < INSIDE)
        if len(stuck):
            face[stuck], bary[stuck] = self._walk(self._nearest(points[stuck]), points[stuck])
        return face, bary

    def _walk(self, face: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Go from `face` to the neighbour beyond the edge that the point is farthest outside of, until there is
        none.
        """
        bary = self._coordinates(face, points)
        walking = np.arange(len(points))
        for _ in range(LONGEST_WALK):
            side = np.argmin(bary[walking], 1)
            onward = self._neighbors[face[walking], side]
            moves = (bary[walking, side] < INSIDE) & (onward >= 0)
            walking = walking[moves]
            if not len(walking):
                break
            face[walking] = onward[moves]
            bary[walking] = self._coordinates(face[walking], points[walking])
        return face, bary

    def _nearest(self, points: np.ndarray) -> np.ndarray:
        """(n,) among the faces with the nearest centres the one that contains the point or misses it least.

        For points whose nearest centre lies across a gap, from where no walk leads to them.
        """
        count = min(CANDIDATES, len(self._centres))
        near = self._tree.query(points, count)[1].reshape(len(points), count)
        least = np.stack([self._coordinates(near[:, k], points).min(1) for k in range(count)], 1)
        return near[np.arange(len(points)), np.argmax(least, 1)]

    def _coordinates(self, face: np.ndarray, points: np.ndarray) -> np.ndarray:
        offset, slopes = points - self._centres[face], self.slopes[face]
        return 1 / 3 + slopes[..., 0] * offset[:, :1] + slopes[..., 1] * offset[:, 1:]
