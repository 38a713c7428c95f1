"""The quadratic energies of a triangle mesh and the one factor through which all of them are minimised.

Everything rests on one matrix, A = K + M / l², of the cotangent stiffness K and the mass M of the mesh as it came: it
integrates rotated faces (gradient-domain editing, Yu et al. 2004; Sorkine 2005), smooths fields on the surface, and is
the preconditioner of the tangency solve (GEOMETRY section 7 compares them). Only what may move is in the matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.sparse import coo_array, csc_array

from omagen.refine.arrays import Array, Arrays, cross, dot
from omagen.refine.factor import Factor

COTANGENTS: Final = (0.03, 30.0)
"""Kept between these, so that A has no negative weights and slivers do not rule it"""


class System:
    """The mesh `vertices` (V, 3), `faces` (F, 3), of which `movable` (V,) bool may move.

    `weights` (F,) > 0 says how much each face counts; `length` is l, below which faces rule and above which places do,
    in the unit of the vertices.
    """

    def __init__(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        movable: np.ndarray,
        weights: np.ndarray,
        length: float,
        arrays: Arrays,
    ) -> None:
        self.arrays = arrays
        cot, area = _cotangents(vertices, faces)
        cot *= weights[:, None] / 2
        mass = np.bincount(faces.reshape(-1), np.repeat(area / 3, 3), len(vertices))
        mass = np.maximum(mass, 1e-9 * mass.mean()) / length**2
        self.faces = arrays.indices(faces)
        self.movable = arrays.floats(movable)[:, None]
        self.screen = arrays.floats(mass)[:, None]
        self.areas = arrays.floats(area)[:, None]
        self._cot = arrays.floats(cot)
        self._sums = arrays.sums(faces.reshape(-1), len(vertices))
        self._valence = arrays.floats(np.bincount(faces.reshape(-1), minlength=len(vertices)).clip(1))[:, None]
        self._asked: tuple[Array, Array] = None, None
        self._free = arrays.indices(np.flatnonzero(movable))
        self._factor = Factor(_matrix(faces, cot, mass, movable), arrays)

    def at_corners(self, field: Array) -> Array:
        """(F, 3, C) of `field` (V, C)"""
        return field[self.faces]

    def summed(self, corners: Array) -> Array:
        """(V, C): the sum over all corners (F, 3, C) at each vertex"""
        return self._sums @ corners.reshape(-1, corners.shape[-1])

    def spread(self, values: Array) -> Array:
        """(F, 3, C): the values (F, C) of faces at each of their corners"""
        return self.arrays.spread(values)

    def stiffness(self, corners: Array) -> Array:
        """(F, 3, C): K of each face alone, applied to the values at its corners"""
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        at_a, at_b, at_c = self._cot[:, 0:1], self._cot[:, 1:2], self._cot[:, 2:3]
        ab, bc, ca = (a - b) * at_c, (b - c) * at_a, (c - a) * at_b
        result = self.arrays.empty_like(corners)
        result[:, 0], result[:, 1], result[:, 2] = ab - ca, bc - ab, ca - bc
        return result

    def solve(self, right: Array) -> Array:
        """A⁻¹ of `right` (V, C) among what may move; 0 elsewhere."""
        result = right * 0
        result[self._free] = self._factor.solve(right[self._free])
        return result

    def smooth(self, field: Array) -> Array:
        """`field` (V, C) without what is smaller than l; what may not move keeps its values."""
        change = self.summed(self.stiffness(self.at_corners(field)))
        return field - self.solve(change)

    def rows_of(self, mask: Array) -> Array:
        """(N,): the rows in which the column `mask` (R, 1) is true"""
        return mask[:, 0].nonzero()[0] if self.arrays.torch is None else mask[:, 0].nonzero()[:, 0]

    def faces_around(self, vertices: Array) -> Array:
        """(N,): the faces with a corner of which the column `vertices` (V, 1) is true"""
        a, b, c = (vertices[self.faces[:, k]] for k in range(3))
        return self.rows_of(a | b | c)

    def around(self, field: Array) -> Array:
        """(V, 1): the mean of `field` (V, 1), which is 0 nearly everywhere, over the faces around each vertex"""
        corners = self.faces[self.faces_around(field > 0)]
        means = self.spread(field[corners].mean(1)).reshape(-1)
        return self.arrays.scattered(corners.reshape(-1), means, len(field))[:, None] / self._valence

    def normals(self, x: Array, rows: Array | None = None) -> Array:
        """(F, 3), as long as twice the faces' areas; of the faces `rows` only, where they are given.

        Those of all faces are remembered until other vertices are asked about: steps begin where others have ended.
        """
        if rows is not None:
            return self._crossed(x[self.faces[rows]])
        if self._asked[0] is not x:
            self._asked = x, self._crossed(x[self.faces])
        return self._asked[1]

    @staticmethod
    def _crossed(corners: Array) -> Array:
        return cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    def gradient_solve(self, operator: Callable[[Array], Array], right: Array, steps: int, tolerance: float) -> Array:
        """`operator` d = `right` (V, 1) by conjugate gradients, preconditioned by A; what may not move stays 0."""
        d = right * 0
        residual = right * self.movable
        z = self.solve(residual)
        p, rz = z, (residual * z).sum()
        limit = tolerance**2 * float(rz)
        for _ in range(steps):
            if not float(rz) > limit:
                break
            q = operator(p) * self.movable
            alpha = rz / (p * q).sum()
            d = d + alpha * p
            residual = residual - alpha * q
            z = self.solve(residual)
            rz, before = (residual * z).sum(), rz
            p = z + (rz / before) * p
        return d


def _cotangents(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cotangent at each corner (F, 3), kept within `COTANGENTS`, and the areas (F,)"""
    corners = vertices[faces]
    sides = np.roll(corners, -1, axis=1) - corners
    double = np.sqrt(dot(*(cross(sides[:, 0], sides[:, 1]),) * 2))
    cosine = -dot(sides, np.roll(sides, 1, axis=1))[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        cot = cosine / double
    return np.nan_to_num(cot, nan=1.0).clip(*COTANGENTS), double[:, 0] / 2


def _matrix(faces: np.ndarray, cot: np.ndarray, mass: np.ndarray, movable: np.ndarray) -> csc_array:
    number = np.where(movable, np.cumsum(movable) - 1, -1)
    i, j = number[faces], number[np.roll(faces, -1, axis=1)]
    weight = np.roll(cot, 1, axis=1)  # side i runs from corner i to i + 1 and lies opposite corner i + 2
    count = int(movable.sum())
    diagonal = mass + np.bincount(faces.reshape(-1), weight.reshape(-1), len(movable))
    diagonal += np.bincount(np.roll(faces, -1, axis=1).reshape(-1), weight.reshape(-1), len(movable))
    both = (i >= 0) & (j >= 0)
    rows, columns, values = i[both], j[both], -weight[both]
    own = np.arange(count)
    entries = np.concatenate([values, values, diagonal[movable]])
    places = np.concatenate([rows, columns, own]), np.concatenate([columns, rows, own])
    return coo_array((entries, places), shape=(count, count)).tocsc()
