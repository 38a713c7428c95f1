"""Splits edges where targets carry more detail than the mesh, without cracks and up to a budget of vertices."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.topology import half_edges
from omagen.refine.targets import NormalSource
from omagen.shapes import Mesh

MIN_SPREAD: Final = 0.01
"""Radians between the targets within a face below which splitting it gains nothing"""
ROUNDS: Final = 8
MAX_FACES: Final = 2_000_000


def subdivide(mesh: Mesh, source: NormalSource, budget: int, share: np.ndarray | None = None) -> Mesh:
    """`mesh` with up to about `budget` vertices: faces within which the targets differ are split, worst first.

    Vertices that `mesh` has keep their numbers and places; new ones are appended. `share` (V,): only faces with some
    of it everywhere are split. Corner UVs, normals, colours and regions are interpolated.
    """
    for _ in range(ROUNDS):
        room = budget - len(mesh.vertices)
        if room < 3 or len(mesh.faces) * 4 > MAX_FACES:
            break
        spread = _spread(mesh, source)
        if share is not None:
            spread[(share[mesh.faces] <= 0).any(1)] = 0
        wanted = np.flatnonzero(spread > MIN_SPREAD)
        if len(wanted) == 0:
            break
        # a face splits its three sides, each shared with a neighbour
        worst = wanted[np.argsort(-spread[wanted], kind="stable")][: max(1, room * 2 // 3)]
        chosen = np.zeros(len(mesh.faces), bool)
        chosen[worst] = True
        before = len(mesh.vertices)
        mesh = split_sides(mesh, np.repeat(chosen[:, None], 3, axis=1), room)
        if share is not None:
            share = np.concatenate([share, np.ones(len(mesh.vertices) - before)])
        if len(mesh.vertices) == before:
            break
    return mesh


def _spread(mesh: Mesh, source: NormalSource) -> np.ndarray:
    """(F,): how far the targets of a face's quarters are from their mean, radians times how sure they are."""
    every = split_sides(mesh, np.ones((len(mesh.faces), 3), bool))
    found = source.targets(every)
    count = len(mesh.faces)
    normal = (found.normal * found.weight[:, None]).reshape(4, count, 3)
    weight = found.weight.reshape(4, count)
    mean = normal.sum(0)
    length = np.linalg.norm(mean, axis=1)
    total = weight.sum(0)
    resultant = np.divide(length, total, out=np.ones(count), where=total > 0)
    return np.sqrt(np.maximum(0, 2 - 2 * resultant.clip(0, 1))) * np.sqrt(weight.min(0))


def split_sides(mesh: Mesh, split: np.ndarray, room: int | None = None) -> Mesh:
    """`mesh` with the sides `split` (F, 3) bool cut in half, on both sides of each edge; at most `room` vertices more.

    Vertices at one place are split alike only where they are one; weld first. Side i runs from corner i to the next.
    """
    faces = mesh.faces
    edges, order = half_edges(faces)
    first = np.concatenate([[True], edges[1:] != edges[:-1]])
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(first) - 1
    wanted = np.zeros(int(first.sum()), bool)
    wanted[number[split.reshape(-1)]] = True
    if room is not None and wanted.sum() > room:
        wanted[np.flatnonzero(wanted)[room:]] = False
    new = np.where(wanted, np.cumsum(wanted) - 1 + len(mesh.vertices), -1)
    cut = wanted[number].reshape(-1, 3)
    ends = edges[first][wanted]
    a, b = (ends >> np.uint64(32)).astype(np.int64), (ends & np.uint64(0xFFFFFFFF)).astype(np.int64)
    parent, codes = split_pattern(cut)
    names = np.hstack([faces, new[number].reshape(-1, 3)])
    grown = {
        name: np.concatenate([old, _half(old, a, b)])
        for name in ("vertices", "colors", "region")
        if (old := getattr(mesh, name)) is not None
    }
    corners = {
        name: _at_codes(old, parent, codes)
        for name in ("uv", "second_uv", "normals")
        if (old := getattr(mesh, name)) is not None
    }
    if "normals" in corners:
        length = np.linalg.norm(corners["normals"], axis=2, keepdims=True)
        corners["normals"] = (corners["normals"] / np.maximum(length, 1e-20)).astype(np.float32)
    of_faces = {name: old[parent] for name in ("material_index", "patches") if (old := getattr(mesh, name)) is not None}
    return replace(mesh, faces=names[parent[:, None], codes].astype(np.int32), **grown, **corners, **of_faces)


def _half(values: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((values[a].astype(np.float64) + values[b]) / 2).astype(values.dtype)


def split_pattern(cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face (N,) that each new face lies in, and its corners (N, 3): 0 to 2, or 3 to 5 for the middles of sides.

    What is left in the middle comes first, then the triangles at corners 0, 1 and 2 (Palfinger 2022).
    """
    count = len(cut)
    inner = np.where(cut, np.arange(3) + 3, np.arange(3))
    parents, codes = [np.arange(count)], [inner]
    for i in range(3):
        at = np.flatnonzero(cut[:, i])
        parents.append(at)
        codes.append(np.stack([np.full(len(at), i), np.full(len(at), i + 3), inner[at, i - 1]], axis=1))
    return np.concatenate(parents), np.concatenate(codes)


def _at_codes(corners: np.ndarray, parent: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(N, 3, C) float32 of the values (F, 3, C) at corners and at the middles of sides"""
    middles = (corners + np.roll(corners, -1, axis=1)) / 2
    return np.ascontiguousarray(np.concatenate([corners, middles], axis=1)[parent[:, None], codes], np.float32)
