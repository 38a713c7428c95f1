"""Edges and boundaries of triangles over shared vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.geometry.distinct import distinct_rows


@dataclass(frozen=True)
class Borders:
    """Where a surface ends, and where more than two faces meet."""

    open_edges: np.ndarray
    """(E, 2) int64 vertex indices: edges of one face"""
    non_manifold_edges: np.ndarray
    """(N, 2) int64: edges of three faces or more"""
    boundary_loops: int
    """How many connected pieces the open edges form."""


def proper_faces(faces: np.ndarray) -> np.ndarray:
    """(K,) int64, ascending: the `faces` (F, 3) that name three vertices, each face once in each direction."""
    proper = np.flatnonzero((faces != np.roll(faces, 1, axis=1)).all(axis=1))
    start = np.argmin(faces[proper], axis=1)[:, None]
    turned = np.take_along_axis(faces[proper], (start + np.arange(3)) % 3, axis=1)
    return proper[distinct_rows(turned)[0]]


def without_flaps(faces: np.ndarray, is_flat: np.ndarray) -> np.ndarray:
    """(K,) int64, ascending: the `faces` (F, 3) but for those without area, `is_flat` (F,) bool, at an open edge.

    They show nothing and only feign a hole; those between other faces stay, because without them there would be one.
    """
    kept = np.arange(len(faces))
    while is_flat[kept].any():
        edges, order = half_edges(faces[kept])
        alone = np.ones(len(edges), bool)
        same = edges[1:] == edges[:-1]
        alone[1:] &= ~same
        alone[:-1] &= ~same
        is_open = np.zeros(len(kept), bool)
        is_open[order[alone] // 3] = True
        flaps = is_open & is_flat[kept]
        if not flaps.any():
            break
        kept = kept[~flaps]
    return kept


def half_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The half-edges of `faces` (F, 3), sorted so that those of one edge are neighbours.

    Returns `edges` (3F,) uint64, the same number for the same two vertices (the smaller index in the upper half),
    ascending, and `order` (3F,): which half-edge each is. Half-edge 3f + i runs from corner i of face f to the next.
    """
    start = faces.reshape(-1).astype(np.uint64)
    end = np.roll(faces, -1, axis=1).reshape(-1).astype(np.uint64)
    edges = (np.minimum(start, end) << np.uint64(32)) | np.maximum(start, end)
    order = np.argsort(edges, kind="stable")
    return edges[order], order


def borders(faces: np.ndarray) -> Borders:
    """The open and non-manifold edges of `faces` (F, 3)."""
    edges, counts = np.unique(half_edges(faces)[0], return_counts=True)
    ends = np.stack([edges >> np.uint64(32), edges & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)
    open_edges = ends[counts == 1]
    vertices, local = np.unique(open_edges, return_inverse=True)
    pieces = _pieces(local.reshape(-1, 2), len(vertices))[0] if len(vertices) else 0
    return Borders(open_edges, ends[counts > 2], pieces)


def _pieces(links: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """How many pieces `count` things form by `links` (L, 2), and which one each is in."""
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)
