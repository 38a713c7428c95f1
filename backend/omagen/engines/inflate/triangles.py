"""Topology and quality of plain triangulations, vectorised: half-edges, independent sets, collapses, angles.

Half-edge 3 f + k runs along face f from its corner k to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


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
    def of(cls, faces: np.ndarray, half: np.ndarray, twin: np.ndarray) -> Edges:
        """The edges of half-edges `half`, (n,), whose other halves are `twin`."""
        flat = faces.ravel()
        return cls(flat[half], flat[twin], flat[before(half)], flat[before(twin)], half // 3, twin // 3)


def following(half: np.ndarray) -> np.ndarray:
    """The next half-edge of the same face."""
    return half + 1 - 3 * (half % 3 == 2)


def before(half: np.ndarray) -> np.ndarray:
    """The previous half-edge of the same face; it starts at the corner opposite to `half`."""
    return half - 1 + 3 * (half % 3 == 0)


def twins(faces: np.ndarray, count: int) -> np.ndarray:
    """(3 F,) int64 the half-edge that runs the other way, -1 at the border."""
    key = edge_keys(faces.ravel(), faces[:, [1, 2, 0]].ravel(), count)
    order = np.argsort(key)
    same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    first, second = order[same], order[same + 1]
    across = np.full(faces.size, -1)
    across[first], across[second] = second, first
    return across


def edge_keys(start: np.ndarray, end: np.ndarray, count: int) -> np.ndarray:
    """(n,) int64 numbers that tell undirected edges apart."""
    return np.minimum(start, end) * count + np.maximum(start, end)


def independent(edges: Edges, score: np.ndarray, faces: int) -> np.ndarray:
    """Indices of edges whose positive score is the highest in both their triangles, so that no two share a triangle."""
    order = np.flatnonzero(score > 0)
    order = order[np.argsort(score[order], kind="stable")]
    rank = np.arange(1, len(order) + 1)
    left, right = edges.left[order], edges.right[order]
    best = np.zeros(faces, np.int64)
    np.maximum.at(best, left, rank)
    np.maximum.at(best, right, rank)
    return np.sort(order[(rank == best[left]) & (rank == best[right])])


def sharpness(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Cosine of the smallest angle of triangles with corners (n, 3): 0.5 is even, 1 is degenerate."""
    x, y, z = (_squared(q, r), _squared(r, p), _squared(p, q))
    small = np.minimum(np.minimum(x, y), z)
    product = np.maximum(x * y * z / np.maximum(small, 1e-30), 1e-30)
    return (x + y + z - 2 * small) / (2 * np.sqrt(product))


def corner_cosine(apex: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Cosine of the angle at `apex` between (n, 3) `p` and `q`."""
    one, other = p - apex, q - apex
    lengths = np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other)
    return np.einsum("ij,ij->i", one, other) / np.sqrt(np.maximum(lengths, 1e-30))


def _squared(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    way = p - q
    return np.einsum("ij,ij->i", way, way)


def doubled_normals(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(n, 3) normals of triangles, as long as twice their areas."""
    (ux, uy, uz), (vx, vy, vz) = (q - p).T, (r - p).T
    return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], 1)


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
