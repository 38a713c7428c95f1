"""What Blender's `Mesh.validate` would find out about triangles, found out before Blender sees them.

`validate` and the calculation of edges hold Blender's main thread for about a second per million triangles. The same
facts come from two sorts here, on whatever thread reads the file: which triangles a mesh can hold, which edges it has.
"""

from __future__ import annotations

import numpy as np


def faulty_triangles(corner_vertex: np.ndarray) -> np.ndarray | None:
    """The triangles that a mesh must not hold: collapsed ones, and all but the first over the same three vertices.

    `corner_vertex` (3F,) int32, in range. Returns a mask (F,) bool, or None if there is no such triangle.
    """
    a, b, c = corner_vertex.reshape(-1, 3).T
    faulty = (a == b) | (b == c) | (c == a)
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    # Lowest and highest vertex exactly; the third one folded in, so equal keys only name candidates.
    keys = (low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64)
    keys ^= (a ^ b ^ c).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    ordered = np.sort(keys)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(repeated):
        candidates = np.flatnonzero(np.isin(keys, repeated))
        triples = np.sort(corner_vertex.reshape(-1, 3)[candidates], axis=1)
        _, first = np.unique(triples, axis=0, return_index=True)
        again = np.ones(len(candidates), bool)
        again[first] = False
        faulty[candidates[again]] = True
    return faulty if faulty.any() else None


def edges_of(corner_vertex: np.ndarray, vertex_count: int) -> tuple[np.ndarray, np.ndarray]:
    """The edges of triangles without collapsed ones, ordered by their vertices.

    `corner_vertex` (3F,) int32. Returns `edges` (E, 2) int32, the lower vertex first, and `corner_edge` (3F,) int32:
    the edge from each corner to the next one of its triangle.
    """
    vertex_bits, corner_bits = int(vertex_count).bit_length(), len(corner_vertex).bit_length()
    keys = _edge_keys(corner_vertex, vertex_bits)
    if 2 * vertex_bits + corner_bits <= 64:
        # Key and corner fit into one number: sorting numbers is several times as fast as sorting an index.
        keys <<= np.uint64(corner_bits)
        keys |= np.arange(len(keys), dtype=np.uint32)
        keys.sort()
        order = (keys & np.uint64((1 << corner_bits) - 1)).view(np.int64)
        keys >>= np.uint64(corner_bits)
    else:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
    is_first = np.empty(len(keys), bool)
    is_first[0] = True
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    number = np.cumsum(is_first, dtype=np.int32)
    number -= np.int32(1)
    corner_edge = np.empty(len(keys), np.int32)
    corner_edge[order] = number
    distinct = keys[is_first]
    edges = np.empty((len(distinct), 2), np.int32)
    edges[:, 0] = distinct >> np.uint64(vertex_bits)
    edges[:, 1] = distinct & np.uint64((1 << vertex_bits) - 1)
    return edges, corner_edge


def _edge_keys(corner_vertex: np.ndarray, vertex_bits: int) -> np.ndarray:
    """For each corner, its edge as one number: the lower vertex, then the higher one in the last `vertex_bits` bits."""
    triangles = corner_vertex.reshape(-1, 3)
    following = np.empty_like(triangles)
    following[:, :2], following[:, 2] = triangles[:, 1:], triangles[:, 0]
    following = following.reshape(-1)
    keys = np.minimum(corner_vertex, following).astype(np.uint64)
    keys <<= np.uint64(vertex_bits)
    keys |= np.maximum(corner_vertex, following).view(np.uint32)
    return keys
