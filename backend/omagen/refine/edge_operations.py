"""Collapse, split and flip of many edges at once, as continuous remeshing does them (Palfinger 2022).

Values are (V, C) arrays of whatever vertices carry, the first three columns their places; faces (F, 3) int64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from omagen.geometry.sampling import face_normals


class Edges(NamedTuple):
    ends: np.ndarray
    """(E, 2) int64: distinct pairs in lexicographic order, the smaller number first"""
    of_side: np.ndarray
    """(F, 3) int64: the edge of each face's side i, from corner i to the next"""


def edges_of(faces: np.ndarray) -> Edges:
    a, b = faces.astype(np.int64), np.roll(faces, -1, axis=1).astype(np.int64)
    keys = (np.minimum(a, b) << 32) | np.maximum(a, b)
    distinct, of_side = np.unique(keys, return_inverse=True)
    return Edges(np.stack([distinct >> 32, distinct & 0xFFFFFFFF], axis=1), of_side.reshape(-1, 3))


def edge_lengths(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.linalg.norm(values[ends[:, 0], :3] - values[ends[:, 1], :3], axis=1)


def vertex_normals(values: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3), unit: sums of the faces' cross products"""
    doubled = face_normals(values[:, :3], faces)
    flat = faces.reshape(-1)
    sums = np.stack([np.bincount(flat, np.repeat(doubled[:, k], 3), len(values)) for k in range(3)], axis=1)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def collapse(
    values: np.ndarray, faces: np.ndarray, edges: Edges, priority: np.ndarray, *, guarded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`values` and `faces` without the edges of greatest `priority` (E,) > 0 that are far enough from each other.

    The lower vertex keeps the mean of both. What would pinch the surface is left. `guarded` also leaves what would turn
    a face over, which published remeshing does not ask. Unused vertices drop out; the others keep their order.
    """
    chosen = _candidates(edges.ends, priority, len(values))
    chosen = chosen[_is_linked_simply(edges.ends, chosen, len(values))]
    if guarded and len(chosen):
        chosen = chosen[~_turns_faces(values, faces, chosen)]
    target, values = np.arange(len(values)), values.copy()
    values[chosen[:, 0]] = values[chosen].mean(1)
    target[chosen[:, 1]] = chosen[:, 0]
    return packed(values, without_folded(target[faces]))


def without_folded(faces: np.ndarray) -> np.ndarray:
    return faces[(faces != np.roll(faces, 1, axis=1)).all(1)]


def packed(values: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    used = np.zeros(len(values), bool)
    used[faces] = True
    return values[used], (np.cumsum(used) - 1)[faces]


def _candidates(ends: np.ndarray, priority: np.ndarray, count: int) -> np.ndarray:
    own = np.empty(len(ends), np.int64)
    own[np.argsort(priority, kind="stable")] = np.arange(len(ends))
    at_edge, at_vertex = own, np.zeros(count, np.int64)
    for _ in range(3):
        np.maximum.at(at_vertex, ends.reshape(-1), np.repeat(at_edge, 2))
        at_edge = at_vertex[ends].max(1)
    return ends[(at_edge == own) & (priority > 0)]


def _is_linked_simply(ends: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """Whether the ends of each chosen edge have no more than two neighbours in common, all at once."""
    weight = np.zeros(count)
    weight[chosen[:, 0]] = 1
    weight += np.bincount(ends.reshape(-1), np.repeat(weight[ends].sum(1), 2), count)
    weight[chosen] = 0
    weight += np.bincount(ends.reshape(-1), np.repeat(weight[ends].sum(1), 2), count)
    return weight[chosen[:, 1]] <= 2


def _turns_faces(values: np.ndarray, faces: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Whether a face around each chosen edge would look away from where it looked."""
    target, number = np.arange(len(values)), np.full(len(values), -1)
    target[chosen[:, 1]] = chosen[:, 0]
    number[chosen] = np.arange(len(chosen))[:, None]
    moved = values[:, :3].copy()
    moved[chosen] = values[chosen, :3].mean(1)[:, None]
    near = faces[(number[faces] >= 0).any(1)]
    stays = (target[near] != np.roll(target[near], 1, axis=1)).all(1)
    near = near[stays]
    before, after = face_normals(values[:, :3], near), face_normals(moved, near)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    bad = (before * after).sum(1) <= 0.2 * lengths
    result = np.zeros(len(chosen), bool)
    owners = number[near[bad]].reshape(-1)
    result[owners[owners >= 0]] = True
    return result


def split(values: np.ndarray, faces: np.ndarray, edges: Edges, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All edges `wanted` (E,) bool cut in half; new vertices, means of the ends, are appended in the edges' order."""
    from omagen.refine.subdivision import split_pattern

    new = np.where(wanted, np.cumsum(wanted) - 1 + len(values), -1)
    parent, codes = split_pattern(wanted[edges.of_side])
    names = np.hstack([faces, new[edges.of_side]])
    return np.concatenate([values, values[edges.ends[wanted]].mean(1)]), names[parent[:, None], codes]


def flip(values: np.ndarray, faces: np.ndarray, edges: Edges, movable: np.ndarray | None = None) -> np.ndarray:
    """`faces` with those edges turned that make the numbers of neighbours more even; edges at borders stay.

    `movable` (E,) bool: the edges that may be. An edge whose turned one is there already stays.
    """
    ends = edges.ends
    sides = edges.of_side.reshape(-1)
    count = np.bincount(sides, minlength=len(ends))
    start = faces.reshape(-1)
    forward = start == ends[sides, 0]
    face_of = np.repeat(np.arange(len(faces)), 3)
    opposite = np.roll(faces, 1, axis=1).reshape(-1)
    left, right, left_face, right_face = (np.full(len(ends), -1) for _ in range(4))
    left[sides[forward]], left_face[sides[forward]] = opposite[forward], face_of[forward]
    right[sides[~forward]], right_face[sides[~forward]] = opposite[~forward], face_of[~forward]
    degree = np.bincount(ends.reshape(-1), minlength=len(values))
    change = 2 + degree[left] + degree[right] - degree[ends].sum(1)
    able = (count == 2) & (left >= 0) & (right >= 0) & (left != right) & (change < 0)
    if movable is not None:
        able &= movable
    keys = (ends[:, 0] << 32) | ends[:, 1]
    turned = (np.minimum(left, right) << 32) | np.maximum(left, right)
    able &= ~np.isin(turned, keys)
    which = np.flatnonzero(able)
    a, b, l, r = ends[which, 0], ends[which, 1], left[which], right[which]  # noqa: E741
    old = face_normals(values[:, :3], np.stack([a, b, l], 1)) + face_normals(values[:, :3], np.stack([b, a, r], 1))
    first, second = np.stack([a, r, l], 1), np.stack([b, l, r], 1)
    good = np.ones(len(which), bool)
    for fresh in (first, second):
        good &= (face_normals(values[:, :3], fresh) * old).sum(1) > 0
    which, first, second = which[good], first[good], second[good]
    rank = np.empty(len(which), np.int64)
    rank[np.argsort(-change[which], kind="stable")] = np.arange(len(which))
    highest = np.full(len(values), -1)
    four = np.concatenate([ends[which], left[which, None], right[which, None]], axis=1)
    np.maximum.at(highest, four.reshape(-1), np.repeat(rank, 4))
    goes = (highest[four] == rank[:, None]).all(1)
    faces = faces.copy()
    faces[left_face[which[goes]]] = first[goes]
    faces[right_face[which[goes]]] = second[goes]
    return faces
