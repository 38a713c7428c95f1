"""The height of the inflated silhouette: the square root of a screened Poisson potential that vanishes on the outline.

    -Δu + u / L² = 2,  u = 0 on the outline,  z = √u

On a strip of width w, narrow against L, u = d (w - d): the cross-section is a circle. Far from the outline u levels
off at 2 L², which bounds the thickness of large flat areas. Solved with quadratic finite elements, which are exact on
strips.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from omagen.engines.inflate.locator import Locator
from omagen.engines.inflate.planar import Planar

OUTSIDE = -1e-6
"""Barycentric coordinates below this are not owed to rounding."""


class Height:
    """The potential u as a function of the plane, and what follows from it. Lengths in pixels of the opacity grid; y
    points up.
    """

    def __init__(self, planar: Planar, limit: float) -> None:
        """`limit`: the height at which large areas level off."""
        self._locator = Locator(planar)
        nodes, count, fixed = _quadratic_nodes(planar)
        matrix, load = _assemble(self._locator.slopes, self._locator.areas, nodes, count, 2.0 / limit**2)
        free = np.flatnonzero(~fixed)
        solution = np.zeros(count)
        if len(free):
            inner = matrix[free][:, free].tocsc()
            solution[free] = splu(inner, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(load[free])
        self._values = solution[nodes]

    def potential(
        self, points: np.ndarray, near: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """u, (n,), at least 0, its gradient, (n, 2), and the face, (n,), at (n, 2) points. Outside the silhouette u is
        0 and the rest the nearest triangle's. near: (n,) faces to look from, which saves time.
        """
        face, bary = self._locator.locate(points, near)
        values, slopes = self._values[face], self._locator.slopes[face]
        u, by_bary = np.zeros(len(points)), []
        for k in range(3):
            here, ahead, behind = bary[:, k], bary[:, (k + 1) % 3], bary[:, (k + 2) % 3]
            corner, middle, last = values[:, k], values[:, 3 + k], values[:, 3 + (k + 2) % 3]
            u += here * (corner * (2 * here - 1) + 4 * middle * ahead)
            by_bary.append(corner * (4 * here - 1) + 4 * (middle * ahead + last * behind))
        slope = sum(by_bary[k][:, None] * slopes[:, k] for k in range(3))
        u[bary.min(1) < OUTSIDE] = 0.0
        return np.maximum(u, 0.0), np.asarray(slope), face


def _quadratic_nodes(planar: Planar) -> tuple[np.ndarray, int, np.ndarray]:
    """(F, 6) node numbers (corners, then the middles of edges 01, 12, 20), how many nodes, and (count,) bool: on the
    outline.
    """
    corners, size = planar.faces, len(planar.points)
    ends = np.sort(np.stack([corners, np.roll(corners, -1, axis=1)], 2).reshape(-1, 2), 1)
    edges, index = np.unique(ends[:, 0] * size + ends[:, 1], return_inverse=True)
    nodes = np.concatenate([corners, size + index.reshape(-1, 3)], 1)
    rim = np.sort(planar.rim, 1)
    fixed = np.zeros(size + len(edges), bool)
    fixed[planar.rim] = True
    fixed[size + np.searchsorted(edges, rim[:, 0] * size + rim[:, 1])] = True
    return nodes, len(fixed), fixed


def _assemble(
    slopes: np.ndarray, areas: np.ndarray, nodes: np.ndarray, count: int, screening: float
) -> tuple[csc_array, np.ndarray]:
    """Stiffness plus `screening` times mass, and the load of the source 2, for F triangles of given barycentric
    slopes.
    """
    local = np.zeros((len(areas), 6, 6))
    load = np.zeros((len(areas), 6))
    for bary, share in _quadrature():
        shape, by_bary = _shape_functions(bary)
        gradient = np.einsum("ai,nij->naj", by_bary, slopes)
        local += (
            share
            * areas[:, None, None]
            * (np.einsum("naj,nbj->nab", gradient, gradient) + screening * np.outer(shape, shape))
        )
        load += 2.0 * share * areas[:, None] * shape
    rows, columns = np.repeat(nodes, 6, axis=1).ravel(), np.tile(nodes, 6).ravel()
    matrix = coo_array((local.ravel(), (rows, columns)), shape=(count, count)).tocsc()
    return matrix, np.bincount(nodes.ravel(), load.ravel(), count)


def _shape_functions(bary: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The six quadratic shape functions at barycentric coordinates (3,), and (6, 3) their derivatives by these
    coordinates.
    """
    following = np.roll(bary, -1)
    shape = np.concatenate([bary * (2 * bary - 1), 4 * bary * following])
    corner = np.diag(4 * bary - 1)
    middle = 4 * (np.diag(following) + np.roll(np.diag(bary), 1, axis=1))
    return shape, np.concatenate([corner, middle])


def _quadrature() -> list[tuple[np.ndarray, float]]:
    """Dunavant's rule of degree 4 on the triangle: barycentric coordinates and weights that sum to 1."""
    rule = []
    for inner, weight in ((0.445948490915965, 0.223381589678011), (0.091576213509771, 0.109951743655322)):
        for corner in range(3):
            bary = np.full(3, inner)
            bary[corner] = 1 - 2 * inner
            rule.append((bary, weight))
    return rule
