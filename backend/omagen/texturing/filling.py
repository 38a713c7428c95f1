"""Continues colours over the parts of a surface that no picture shows."""

from __future__ import annotations

from typing import Final

import numpy as np

NEIGHBOURS: Final = 8
TURNED: Final = 0.0
"""Cosine between normals from which points are not neighbours: they lie on two sides of a wall"""
HOLD: Final = 20.0
"""How strongly a point that is seen well keeps its colour, relative to its neighbours' pull"""


def diffused(
    position: np.ndarray,
    normal: np.ndarray,
    color: np.ndarray,
    trust: np.ndarray,
) -> np.ndarray:
    """(N, 3) float32: colours that equal `color` where `trust` is 1 and lead smoothly from there to everywhere else.

    `position` (N, 3), `normal` (N, 3) unit, `color` (N, 3), `trust` (N,) 0 to 1, of points spread evenly over a
    surface. Neighbours are near in space, not in a texture, so seams do not matter: the result solves Laplace's
    equation over them. Parts without anything seen take the colour of the nearest seen point; with nothing seen all is
    grey.
    """
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu
    from scipy.spatial import KDTree

    count = len(position)
    known = trust > 0.01
    if not known.any():
        return np.full((count, 3), 0.5, np.float32)
    tree = KDTree(position)
    distance, number = tree.query(position, min(NEIGHBOURS + 1, count))
    distance, number = distance.reshape(count, -1), number.reshape(count, -1)
    row = np.repeat(np.arange(count), number.shape[1])
    column, apart = number.reshape(-1), distance.reshape(-1)
    agree = np.einsum("nc,nc->n", normal[row], normal[column])
    linked = (row != column) & (agree > TURNED)
    pitch = np.median(distance[:, -1]) or 1.0
    pull = (agree / np.maximum(apart / pitch, 0.1))[linked]
    graph = coo_matrix((pull, (row[linked], column[linked])), (count, count)).tocsr()
    graph = graph.maximum(graph.T)
    seen = np.flatnonzero(known)
    nearest = color[seen[KDTree(position[seen]).query(position)[1]]]
    start = np.where(known[:, None], color, nearest).astype(np.float64)
    _, part = connected_components(graph, directed=False)
    lost = ~(np.bincount(part, known)[part] > 0)
    hold = HOLD * np.where(lost, 1.0, trust)
    degree = np.asarray(graph.sum(1)).reshape(-1)
    hold = hold * np.maximum(degree, 1e-12) + 1e-9
    system = (diags(degree + hold) - graph).tocsc()
    # a direct solver: iterations take ten times as long where much is unseen
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return solver.solve(hold[:, None] * start).clip(0, 1).astype(np.float32)
