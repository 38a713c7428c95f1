"""Which faces meet at which edges, and what that makes of charts: their pieces and their vertices.

Half-edge 3f + i runs from corner i of face f to its next corner. Only edges with exactly two faces that run along them
in opposite directions join faces; all others are walls.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def opposite_half_edges(faces: np.ndarray) -> np.ndarray:
    """(3F,) int32: the half-edge on the other side of each, -1 where the edge is a wall. `faces` (F, 3) int32."""
    return _opposite(np.ascontiguousarray(faces, np.int32), int(faces.max(initial=-1)) + 1)


@njit(cache=True, nogil=True)
def _opposite(faces: np.ndarray, vertices: int) -> np.ndarray:
    """Edges are looked up in the lists of one of their ends: the one with fewer faces, so that hubs cost nothing."""
    degree = np.zeros(vertices, np.int32)
    for face in range(len(faces)):
        for k in range(3):
            degree[faces[face, k]] += 1
    begin = np.zeros(vertices + 1, np.int64)
    for face in range(len(faces)):
        for k in range(3):
            begin[_home(degree, faces[face, k], faces[face, (k + 1) % 3])[0] + 1] += 1
    for vertex in range(vertices):
        begin[vertex + 1] += begin[vertex]
    filled = begin[:-1].copy()
    end = np.empty(begin[-1], np.int32)
    owner = np.empty(begin[-1], np.int32)  # the first half-edge along an edge; -1: it is a wall
    opposite = np.full(3 * len(faces), -1, np.int32)
    for face in range(len(faces)):
        for k in range(3):
            half = 3 * face + k
            a, b = faces[face, k], faces[face, (k + 1) % 3]
            home, other = _home(degree, a, b)
            at = begin[home]
            while at < filled[home] and end[at] != other:
                at += 1
            if at == filled[home]:
                end[at], owner[at] = other, half
                filled[home] += 1
            elif owner[at] >= 0:
                first = owner[at]
                if opposite[first] < 0 and faces[first // 3, first % 3] == b and a != b:
                    opposite[first], opposite[half] = half, first
                else:  # a third face, or one that runs the same way
                    if opposite[first] >= 0:
                        opposite[opposite[first]] = -1
                        opposite[first] = -1
                    owner[at] = -1
    return opposite


@njit(cache=True, nogil=True)
def _home(degree: np.ndarray, a: int, b: int) -> tuple[int, int]:
    """Under which end an edge is kept, and the other end."""
    if degree[a] < degree[b] or (degree[a] == degree[b] and a < b):
        return a, b
    return b, a


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
    return _inside(opposite, chart.astype(np.int32, copy=False))


@njit(cache=True, nogil=True)
def _inside(opposite: np.ndarray, chart: np.ndarray) -> np.ndarray:
    inner = np.full(len(opposite), -1, np.int32)
    for half in range(len(opposite)):
        other = opposite[half]
        if other >= 0 and chart[other // 3] == chart[half // 3]:
            inner[half] = other
    return inner


def restricted(opposite: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(3N,) int32: `opposite` (3F,) among the distinct `faces` (N,) alone, numbered by their place there."""
    return _restricted(opposite, faces.astype(np.int64, copy=False))


@njit(cache=True, nogil=True)
def _restricted(opposite: np.ndarray, faces: np.ndarray) -> np.ndarray:
    place = np.full(len(opposite) // 3, -1, np.int32)
    for index in range(len(faces)):
        place[faces[index]] = index
    result = np.full(3 * len(faces), -1, np.int32)
    for index in range(len(faces)):
        for k in range(3):
            other = opposite[3 * faces[index] + k]
            if other >= 0 and place[other // 3] >= 0:
                result[3 * index + k] = 3 * place[other // 3] + other % 3
    return result


@njit(cache=True, nogil=True)
def boundary_successors(inner: np.ndarray, border: np.ndarray) -> np.ndarray:
    """(B,) int64: the half-edge with which the boundary goes on after each of `border` (B,) int64, `inner` -1 there."""
    result = np.empty(len(border), np.int64)
    for index in range(len(border)):
        half = _next(border[index])
        while inner[half] >= 0:
            half = _next(np.int64(inner[half]))
        result[index] = half
    return result


@njit(cache=True, nogil=True)
def faces_around(inner: np.ndarray, corners: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """(N,) int64: faces at the chart vertices of `corners` (K,) int64, but for those that are known; now these are too.

    `is_known` (F,) bool.
    """
    found = np.empty(16, np.int64)
    count = 0
    for corner in corners:
        half = np.int64(corner)
        for is_back in (False, True):  # half runs through the half-edges that begin at the vertex
            while True:
                if not is_known[half // 3]:
                    if count == len(found):
                        found = np.append(found, np.empty(count, np.int64))
                    is_known[half // 3] = True
                    found[count] = half // 3
                    count += 1
                if is_back:
                    half = np.int64(inner[half])
                    if half >= 0:
                        half = _next(half)
                else:
                    half = np.int64(inner[_next(_next(half))])
                if half < 0 or half == corner:
                    break
            if half == corner:
                break
            half = np.int64(corner)
    return found[:count]


@njit(cache=True, nogil=True)
def _next(half: int) -> int:
    return half - 2 if half % 3 == 2 else half + 1


def group_order(labels: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """`order` (N,) int32: members sorted by label; `start` (groups + 1,) int64: where each group begins in it."""
    return _group_order(np.ascontiguousarray(labels, np.int32), groups)


@njit(cache=True, nogil=True)
def _group_order(labels: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    start = np.zeros(groups + 1, np.int64)
    for member in range(len(labels)):
        start[labels[member] + 1] += 1
    for group in range(groups):
        start[group + 1] += start[group]
    filled = start[:-1].copy()
    order = np.empty(len(labels), np.int32)
    for member in range(len(labels)):
        group = labels[member]
        order[filled[group]] = member
        filled[group] += 1
    return order, start


def put_back(inner: np.ndarray, part: np.ndarray, faces: np.ndarray) -> None:
    """Write into `inner` (3F,) what `part` (3N,) says of the distinct `faces` (N,): the reverse of `restricted`."""
    half = (3 * faces[:, None] + np.arange(3)).reshape(-1)
    inner[half] = np.where(part >= 0, 3 * faces[part // 3] + part % 3, -1)
