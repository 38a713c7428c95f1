"""Topology and quality of plain triangulations, vectorised: inner edges, independent sets, collapses, angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

STEEPEST = 1e-3
"""Triangles lean at most so far that their area in the plane is this share of their true area."""


@dataclass(frozen=True)
class Edges:
    """The inner edges of a triangulation: `a` to `b` in triangle `left`, whose third vertex is `c`; `d` is across, in
    `right`.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, faces: np.ndarray, count: int) -> Edges:
        start, end, across = faces.ravel(), np.roll(faces, -1, 1).ravel(), np.roll(faces, -2, 1).ravel()
        key = np.minimum(start, end) * count + np.maximum(start, end)
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
        first, second = order[same], order[same + 1]
        return cls(start[first], end[first], across[first], across[second], first // 3, second // 3)


def independent(edges: Edges, score: np.ndarray, faces: int) -> np.ndarray:
    """Indices of edges whose positive score is the highest in both their triangles, so that no two share a triangle."""
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score), np.int64)
    rank[order] = np.arange(1, len(score) + 1)
    rank[score <= 0] = 0
    best = np.zeros(faces, np.int64)
    np.maximum.at(best, edges.left, rank)
    np.maximum.at(best, edges.right, rank)
    return np.flatnonzero((rank > 0) & (rank == best[edges.left]) & (rank == best[edges.right]))


def sharpness(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Cosine of the smallest angle of triangles with corners (n, 3): 0.5 is even, 1 is degenerate."""
    x, y, z = (np.einsum("ij,ij->i", e, e) for e in (q - r, r - p, p - q))
    small = np.minimum(np.minimum(x, y), z)
    product = np.maximum(x * y * z / np.maximum(small, 1e-30), 1e-30)
    return (x + y + z - 2 * small) / (2 * np.sqrt(product))


def upright(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """True for triangles with corners (n, 3) that face up, steep at most as `STEEPEST` says."""
    normal = np.cross(q - p, r - p)
    return normal[:, 2] > STEEPEST * np.linalg.norm(normal, axis=1)


def collapsible(faces: np.ndarray, kept: np.ndarray, removed: np.ndarray, rim_count: int) -> np.ndarray:
    """(n,) bool: which edges can be collapsed, `removed` into `kept`, without changing the topology.

    The ends may share no neighbours but the two across the edge, and no new edge may join two vertices of the outline
    (the first `rim_count`).
    """
    count = int(faces.max()) + 1
    start, end = faces[:, [0, 1, 2, 1, 2, 0]].ravel(), faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    near = csr_array((np.ones(len(start), np.int32), (start, end)), shape=(count, count))
    near.data[:] = 1
    common = near[kept].multiply(near[removed])
    on_rim = (np.arange(count) < rim_count).astype(np.int32)
    both = (kept < rim_count) & (near[removed] @ on_rim - common @ on_rim > 1)
    return (removed >= rim_count) & (np.asarray(common.sum(1)).ravel() == 2) & ~both


def spread_out(vertices: np.ndarray, score: np.ndarray, faces: np.ndarray, count: int, reach: int) -> np.ndarray:
    """Indices of `vertices` with the highest `score` among all within `reach` edges, so that none are neighbours."""
    rank = np.zeros(count, np.int64)
    rank[vertices[np.argsort(score, kind="stable")]] = np.arange(1, len(vertices) + 1)
    best = rank
    for _ in range(reach):
        around = best[faces].max(1)
        best = best.copy()
        np.maximum.at(best, faces.ravel(), np.repeat(around, 3))
    return np.flatnonzero(rank[vertices] == best[vertices])
