"""Divides pieces of a surface in two, each of them connected."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra


def second_halves(inner: np.ndarray, middle: np.ndarray, chart: np.ndarray, which: np.ndarray) -> np.ndarray:
    """(N,) bool: the faces of the charts `which` (C,) bool that are nearer to one end of their chart than to the other.

    Nearness is along paths from face to face. `inner` (3N,) int32: what joins faces, connected within each chart;
    `middle` (N, D) float64: of each face; `chart` (N,) int32. Charts of one face stay whole.
    """
    faces = np.flatnonzero(which[chart])
    result = np.zeros(len(chart), bool)
    if len(faces) == 0:
        return result
    local = np.full(len(chart), -1, np.int64)
    local[faces] = np.arange(len(faces))
    half = np.flatnonzero((inner > np.arange(len(inner))) & np.repeat(which[chart], 3))
    one, other = half // 3, inner[half] // 3
    length = np.linalg.norm(middle[one] - middle[other], axis=1)
    length = np.maximum(length, 1e-9 * max(length.max(initial=0), 1e-30))
    ends = np.concatenate([local[one], local[other]]), np.concatenate([local[other], local[one]])
    size = len(faces)
    graph = coo_array((np.tile(length, 2), ends), shape=(size, size)).tocsr()
    charts, index = np.unique(chart[faces], return_inverse=True)
    begin = np.full(len(charts), size)
    np.minimum.at(begin, index, np.arange(size))
    first = _farthest(graph, begin, index)
    last = _farthest(graph, first, index)
    to_first = dijkstra(graph, indices=first, min_only=True)
    to_last = dijkstra(graph, indices=last, min_only=True)
    nearer = to_last < to_first
    nearer[last] = last != first
    result[faces] = nearer
    return result


def _farthest(graph: csr_array, begin: np.ndarray, index: np.ndarray) -> np.ndarray:
    """For each piece, the member farthest from the one where it begins."""
    distance = dijkstra(graph, indices=begin, min_only=True)
    distance[~np.isfinite(distance)] = -1
    order = np.lexsort((distance, index))
    return order[np.append(index[order][1:] != index[order][:-1], True)]
