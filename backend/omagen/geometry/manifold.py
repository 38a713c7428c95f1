"""Splits a surface where it is no surface: at edges of three faces or more, and where pieces meet in a point only.

Stages that follow (decimation, unwrapping, refinement) rely on every edge having one or two faces. Nothing moves: the
vertices on such edges are there several times afterwards, once for each sheet that passes through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from omagen.geometry.topology import half_edges
from omagen.omage.charts.topology import chart_vertices
from omagen.shapes import Mesh

ROUNDS: Final = 8
"""Of dividing edges: each face is divided once a round"""


@dataclass(frozen=True)
class Split:
    mesh: Mesh
    edges: int
    """How many edges had more than two faces, or two that disagree about their winding"""
    vertices: int
    """How many vertices were added"""


def split_non_manifold(mesh: Mesh) -> Split:
    """`mesh` in which no edge has more than two faces and the faces around each vertex form one fan.

    Around an edge of many faces, those that bound the same solid side by side stay joined: two boxes that touch in an
    edge become two closed boxes. Of three faces the flattest pair goes on, as under a fin. What finds no partner gets
    an open edge. Where two such pairs cannot get vertices of their own, because they are joined a little further on,
    the edge of one of them gets a vertex in its middle.
    Vertices without faces are dropped; the first sheet at a vertex keeps its number where no vertex is dropped.
    """
    opposite, odd_edges = _paired(mesh)
    split = _with_fans_apart(mesh, opposite)
    for _ in range(ROUNDS):
        pairs = _coinciding(split.faces, opposite)
        if len(pairs) == 0:
            break
        split, opposite = _divided(split, opposite, pairs)
    return Split(split, odd_edges, max(len(split.vertices) - len(np.unique(mesh.faces)), 0))


def _with_fans_apart(mesh: Mesh, opposite: np.ndarray) -> Mesh:
    """`mesh` with as many vertices as there are fans of faces, joined over `opposite` (3F,) half-edges."""
    corner_vertex, count = chart_vertices(opposite)
    old = np.empty(count, np.int64)
    old[corner_vertex] = mesh.faces.reshape(-1)
    order = np.argsort(old, kind="stable")
    is_first = np.concatenate([[True], np.diff(old[order]) != 0])[:count]
    used = int(is_first.sum())
    if used == count == len(mesh.vertices):
        return mesh
    number = np.empty(count, np.int64)
    number[order[is_first]] = np.arange(used)
    number[order[~is_first]] = used + np.arange(count - used)
    source = np.empty(count, np.int64)
    source[number] = old
    faces = number[corner_vertex].reshape(-1, 3).astype(np.int32)
    colors, region = (None if a is None else a[source] for a in (mesh.colors, mesh.region))
    vertices = mesh.vertices[source]
    return replace(mesh, vertices=vertices, faces=faces, colors=colors, region=region, numbered=False)


def _coinciding(faces: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """(N, 2) int64 half-edges, the second -1 at open edges, which run between the same vertices as others that they are
    not joined with, but for one of these; no two on one face."""
    edges, order = half_edges(faces)
    leads = (opposite[order] < 0) | (order < opposite[order])  # one half-edge of each join
    edges, order = edges[leads], order[leads]
    again = order[1:][edges[1:] == edges[:-1]]
    pairs = np.stack([again, opposite[again]], axis=1).astype(np.int64)
    on_face = np.where(pairs < 0, -1, pairs // 3)
    first_of = np.full(len(faces), len(pairs))
    for column in (0, 1):
        np.minimum.at(first_of, on_face[on_face[:, column] >= 0, column], np.flatnonzero(on_face[:, column] >= 0))
    is_own = [(on_face[:, k] < 0) | (first_of[on_face[:, k]] == np.arange(len(pairs))) for k in (0, 1)]
    return pairs[is_own[0] & is_own[1]]


def _divided(mesh: Mesh, opposite: np.ndarray, pairs: np.ndarray) -> tuple[Mesh, np.ndarray]:
    """`mesh` with a vertex in the middle of the edges `pairs` (N, 2), and the opposite half-edges then."""
    half = pairs.reshape(-1)
    point = np.repeat(np.arange(len(pairs)), 2)[half >= 0] + len(mesh.vertices)
    half = half[half >= 0]
    face, a, b, c = half // 3, half % 3, (half % 3 + 1) % 3, (half % 3 + 2) % 3
    ends = mesh.faces[pairs[:, 0] // 3, pairs[:, 0] % 3], mesh.faces[pairs[:, 0] // 3, (pairs[:, 0] % 3 + 1) % 3]
    new = np.arange(len(half)) + len(mesh.faces)
    changes: dict[str, Any] = {"quads": None}
    for name in ("vertices", "colors", "region"):
        if (array := getattr(mesh, name)) is not None:
            changes[name] = np.concatenate([array, (array[ends[0]] + array[ends[1]]) / np.float32(2)])
    for name in ("faces", "uv", "second_uv", "normals"):
        if (array := getattr(mesh, name)) is not None:
            middle = point if name == "faces" else (array[face, a] + array[face, b]) / np.float32(2)
            before, after = array.copy(), array[face]
            before[face, b] = middle
            after[np.arange(len(face)), a] = middle
            changes[name] = np.concatenate([before, after])
    for name in ("material_index", "patches"):
        if (array := getattr(mesh, name)) is not None:
            changes[name] = np.concatenate([array, array[face]])
    # the old face keeps a-m and c-a, the new one has m-b and b-c; between them lies m-c
    joined = np.concatenate([opposite, np.full(3 * len(face), -1, opposite.dtype)])
    beyond = opposite[3 * face + b]
    moved = 3 * new + b
    joined[moved] = beyond
    joined[beyond[beyond >= 0]] = moved[beyond >= 0]
    joined[3 * face + b], joined[3 * new + c] = 3 * new + c, 3 * face + b
    partner = np.full(len(mesh.faces), -1)
    partner[face] = new
    other = opposite[half]
    has_other = other >= 0
    joined[half[has_other]] = 3 * partner[other[has_other] // 3] + other[has_other] % 3
    joined[(3 * new + a)[has_other]] = other[has_other]
    return replace(mesh, **changes), joined


def _paired(mesh: Mesh) -> tuple[np.ndarray, int]:
    """(3F,) int32: the half-edge that each is joined with, -1 for none; and how many edges were not simple."""
    faces = mesh.faces
    edges, order = half_edges(faces)
    starts = np.flatnonzero(np.concatenate([[True], edges[1:] != edges[:-1]])[: len(edges)])
    counts = np.diff(np.append(starts, len(edges)))
    opposite = np.full(faces.size, -1, np.int32)
    runs_up = (faces < np.roll(faces, -1, axis=1)).reshape(-1)
    two = starts[counts == 2]
    one, other = order[two], order[two + 1]
    agrees = runs_up[one] != runs_up[other]
    opposite[one[agrees]], opposite[other[agrees]] = other[agrees], one[agrees]
    many = np.repeat(counts > 2, counts)
    _pair_around(mesh, order[many], np.cumsum(np.concatenate([[True], np.diff(edges[many]) != 0]))[: many.sum()],
                 runs_up, opposite)  # fmt: skip
    return opposite, int((counts > 2).sum() + (~agrees).sum())


def _pair_around(mesh: Mesh, half: np.ndarray, edge: np.ndarray, runs_up: np.ndarray, opposite: np.ndarray) -> None:
    """Join half-edges `half` (N,) of the same `edge` (N,) in pairs, neighbours by angle about it, into `opposite`.

    A face that runs up the edge has its inner side on the smaller angles; so a solid lies between one that runs down
    and the next one that runs up.
    """
    if len(half) == 0:
        return
    faces = mesh.faces
    corner = np.stack([half % 3, (half % 3 + 1) % 3, (half % 3 + 2) % 3], axis=1)
    a, b, c = (mesh.vertices[faces[half // 3, corner[:, k]]].astype(np.float64) for k in range(3))
    up = runs_up[half]
    low, high = np.where(up[:, None], a, b), np.where(up[:, None], b, a)
    axis = high - low
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-300)
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin(axis=1)])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-300)
    away = c - low
    angle = np.arctan2((away * np.cross(axis, side)).sum(axis=1), (away * side).sum(axis=1))
    by_angle = np.lexsort((angle, edge))
    half, edge, up, angle = half[by_angle], edge[by_angle], up[by_angle], angle[by_angle]
    is_three = np.bincount(edge)[edge] == 3
    _pair_flattest(half[is_three].reshape(-1, 3), up[is_three].reshape(-1, 3), angle[is_three].reshape(-1, 3), opposite)
    half, edge, up = half[~is_three], edge[~is_three], up[~is_three]
    while len(half) > 1:
        same = np.flatnonzero(np.diff(edge, append=-1) == 0)
        first = np.flatnonzero(np.concatenate([[True], np.diff(edge) != 0]))
        last = np.append(first[1:], len(edge)) - 1
        here = np.concatenate([same, last])  # around the edge: after the last comes the first
        there = np.concatenate([same + 1, first])
        fits = ~up[here] & up[there]
        here, there = here[fits], there[fits]
        if len(here) == 0:
            break
        opposite[half[here]], opposite[half[there]] = half[there], half[here]
        left = np.ones(len(half), bool)
        left[here] = left[there] = False
        half, edge, up = half[left], edge[left], up[left]


def _pair_flattest(half: np.ndarray, up: np.ndarray, angle: np.ndarray, opposite: np.ndarray) -> None:
    """Of three half-edges (E, 3) at one edge, join the two that run in opposite directions and continue each other."""
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    bend = np.abs((angle[:, second] - angle[:, first]) % (2 * np.pi) - np.pi)
    bend = np.where(up[:, first] != up[:, second], bend, np.inf)
    rows = np.flatnonzero(np.isfinite(bend).any(axis=1))
    best = bend[rows].argmin(axis=1)
    here, there = half[rows, first[best]], half[rows, second[best]]
    opposite[here], opposite[there] = there, here
