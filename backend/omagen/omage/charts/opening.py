"""Cuts a piece of surface open so that it is a disc: along the shortest paths that do it.

The greedy cut graph of Erickson and Whittlesey 2005, section 3, with all borders as its root: a tree of shortest paths
from the root, a tree across the edges that are not in it, and of what is left the edges with their paths to the root.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree


def opened(inner: np.ndarray, face_vertex: np.ndarray, points: np.ndarray) -> np.ndarray:
    """`inner` (3N,) int32 of a connected, oriented piece, cut so that it is a disc.

    `face_vertex` (N, 3) int32: its chart vertices by `inner`; `points` (V, 3) float64: where they are. What is closed
    and has no handles is cut between two points that are far from each other.
    """
    half = np.flatnonzero(inner > np.arange(len(inner)))
    vertex = face_vertex.reshape(-1)
    start, end = vertex[half], vertex[half - half % 3 + (half + 1) % 3]
    length = np.linalg.norm(points[end] - points[start], axis=1)
    alone = np.flatnonzero(inner < 0)
    root = np.unique(np.concatenate([vertex[alone], vertex[alone - alone % 3 + (alone + 1) % 3]]))
    graph = _graph(start, end, np.maximum(length, 1e-12 * length.max(initial=1)), len(points))
    far = []
    if len(root) == 0:
        root = np.array([_farthest(graph, 0)])
        far = [_farthest(graph, root[0])]
    distance, before = dijkstra(graph, directed=False, indices=root, min_only=True, return_predecessors=True)[:2]
    is_path = (before[start] == end) | (before[end] == start)
    around = distance[start] + distance[end] + length
    price = np.where(is_path, 4 * around.max(initial=0) + around, around.max(initial=0) - around) + 1e-9
    crossed = _tree(half // 3, inner[half] // 3, price, len(face_vertex))
    is_left = ~is_path & ~crossed
    is_cut = np.zeros(len(points), bool)  # the path's edge from the vertex towards the root is
    for node in [*start[is_left], *end[is_left], *far]:
        while before[node] >= 0 and not is_cut[node]:
            is_cut[node] = True
            node = before[node]
    cut = is_left | (is_path & np.where(before[start] == end, is_cut[start], is_cut[end]))
    result = inner.copy()
    result[half[cut]] = -1
    result[inner[half[cut]]] = -1
    return result


def _graph(start: np.ndarray, end: np.ndarray, length: np.ndarray, size: int) -> csr_array:
    """Symmetric; of several edges between the same two the shortest counts."""
    low, high = np.minimum(start, end).astype(np.int64), np.maximum(start, end)
    order = np.lexsort((length, high, low))
    key = (low * size + high)[order]
    first = order[np.append(True, key[1:] != key[:-1])[: len(order)]]
    rows, columns = np.concatenate([low[first], high[first]]), np.concatenate([high[first], low[first]])
    return coo_array((np.tile(length[first], 2), (rows, columns)), shape=(size, size)).tocsr()


def _farthest(graph: csr_array, node: int) -> int:
    distance = dijkstra(graph, directed=False, indices=node)
    return int(np.argmax(np.where(np.isfinite(distance), distance, -1)))


def _tree(one: np.ndarray, other: np.ndarray, price: np.ndarray, size: int) -> np.ndarray:
    """(E,) bool: links of the cheapest tree that connects all; one at most of several between the same two."""
    low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other)
    key = low * size + high
    order = np.lexsort((price, key))
    first = order[np.append(True, key[order][1:] != key[order][:-1])[: len(order)]]
    tree = minimum_spanning_tree(coo_array((price[first], (low[first], high[first])), shape=(size, size))).tocoo()
    wanted = np.minimum(tree.row, tree.col).astype(np.int64) * size + np.maximum(tree.row, tree.col)
    result = np.zeros(len(one), bool)
    result[first[np.isin(key[first], wanted)]] = True
    return result
