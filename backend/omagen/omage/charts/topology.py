"""Which faces meet at which edges, and what that makes of charts: their pieces and their vertices.

Half-edge 3f + i runs from corner i of face f to its next corner. Only edges with exactly two faces that run along them
in opposite directions join faces; all others are walls.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def opposite_half_edges(faces: np.ndarray) -> np.ndarray:
    """(3F,) int32: the half-edge on the other side of each, -1 where the edge is a wall. `faces` (F, 3) int32."""
    start = faces.reshape(-1)
    end = faces[:, [1, 2, 0]].reshape(-1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    key = (low.astype(np.int64) << 32) | high
    order = np.argsort(key, kind="stable")
    return _paired(key[order], order, start < end)


@njit(cache=True, nogil=True)
def _paired(key: np.ndarray, order: np.ndarray, runs_up: np.ndarray) -> np.ndarray:
    opposite = np.full(len(order), -1, np.int32)
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and key[end] == key[begin]:
            end += 1
        first, second = order[begin], order[end - 1]
        if end - begin == 2 and runs_up[first] != runs_up[second]:
            opposite[first] = second
            opposite[second] = first
        begin = end
    return opposite


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _numbered(parent: np.ndarray) -> tuple[np.ndarray, int]:
    """Consecutive numbers for the roots, in the order in which their trees first occur."""
    number = np.full(len(parent), -1, np.int32)
    label = np.empty(len(parent), np.int32)
    count = 0
    for node in range(len(parent)):
        root = _root(parent, node)
        if number[root] < 0:
            number[root] = count
            count += 1
        label[node] = number[root]
    return label, count


@njit(cache=True, nogil=True)
def connected_faces(inner: np.ndarray) -> tuple[np.ndarray, int]:
    """(F,) int32 piece of each face, and how many pieces. `inner` (3F,) int32: opposite half-edges, -1 = not joined."""
    parent = np.arange(len(inner) // 3).astype(np.int32)
    for half in range(len(inner)):
        if inner[half] > half:
            a, b = _root(parent, half // 3), _root(parent, inner[half] // 3)
            if a != b:
                parent[max(a, b)] = min(a, b)
    return _numbered(parent)


@njit(cache=True, nogil=True)
def chart_vertices(inner: np.ndarray) -> tuple[np.ndarray, int]:
    """(3F,) int32 chart vertex of each corner, and their number: corners are one where they meet along inner edges."""
    parent = np.arange(len(inner)).astype(np.int32)
    for half in range(len(inner)):
        other = inner[half]
        if other > half:
            next_half = half - 2 if half % 3 == 2 else half + 1
            next_other = other - 2 if other % 3 == 2 else other + 1
            a, b = _root(parent, half), _root(parent, next_other)
            if a != b:
                parent[max(a, b)] = min(a, b)
            a, b = _root(parent, next_half), _root(parent, other)
            if a != b:
                parent[max(a, b)] = min(a, b)
    return _numbered(parent)


def inner_half_edges(opposite: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """(3F,) int32: `opposite` with -1 where it leads into another chart. `chart` (F,) int32."""
    here = np.repeat(chart, 3)
    return np.where((opposite >= 0) & (here[opposite] == here), opposite, np.int32(-1)).astype(np.int32)


def restricted(opposite: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(3N,) int32: `opposite` (3F,) among the distinct `faces` (N,) alone, numbered by their place there."""
    place = np.full(len(opposite) // 3, -1, np.int64)
    place[faces] = np.arange(len(faces))
    half = (3 * faces[:, None] + np.arange(3)).reshape(-1)
    other = opposite[half]
    is_kept = (other >= 0) & (place[other // 3] >= 0)
    return np.where(is_kept, 3 * place[other // 3] + other % 3, -1).astype(np.int32)
