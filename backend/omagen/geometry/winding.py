"""Faces of a piece made to agree about which side is outside, and closed pieces to be right about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from omagen.geometry.topology import half_edges
from omagen.kernels import cache
from omagen.shapes import Mesh

cache.install()


@dataclass(frozen=True)
class Wound:
    mesh: Mesh
    turned_faces: int


def wind_consistently(mesh: Mesh) -> Wound:
    """`mesh` with faces turned so that neighbours agree, and so that closed pieces that disagreed look outward.

    Faces are neighbours over edges of exactly two faces. Where a piece agrees already it stays as it is, an inner wall
    of something hollow too, unless all of the surface is inside out. In open pieces the larger area decides. One-sided
    surfaces (a Möbius strip) keep an edge of disagreement. UVs stay with their corners, normals are turned over.
    """
    faces = mesh.faces
    edges, order = half_edges(faces)
    is_first = np.concatenate([[True], edges[1:] != edges[:-1]])[: len(edges)]
    starts = np.flatnonzero(is_first)
    pairs = starts[np.diff(np.append(starts, len(edges))) == 2]
    one, other = order[pairs], order[pairs + 1]
    runs_up = (faces < np.roll(faces, -1, axis=1)).reshape(-1)
    disagrees = runs_up[one] == runs_up[other]
    is_closed_edge = np.zeros(len(faces) * 3, bool)
    is_closed_edge[one] = is_closed_edge[other] = True
    piece, turned, pieces = _parities((one // 3).astype(np.int64), (other // 3).astype(np.int64), disagrees, len(faces))
    is_mixed = np.bincount(piece[one[disagrees] // 3], minlength=pieces) > 0
    corners = mesh.vertices[faces].astype(np.float64)
    corners -= corners.mean(axis=(0, 1))
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    sign = np.where(turned, -1.0, 1.0)
    volume = np.bincount(piece, sign * (a * normal).sum(axis=1), pieces)
    vote = np.bincount(piece, sign * np.linalg.norm(normal, axis=1), pieces)
    is_closed = np.bincount(piece, ~is_closed_edge.reshape(-1, 3).all(axis=1), pieces) == 0
    is_wrong = is_mixed & np.where(is_closed, volume < 0, vote < 0)
    volume = np.where(is_wrong, -volume, volume)
    if is_closed.any() and volume[is_closed].sum() < 0 and not is_mixed.all():
        is_wrong |= is_closed & ~is_mixed  # inside out, all of it
    flip = turned ^ is_wrong[piece]
    return Wound(turned_over(mesh, flip), int(flip.sum()))


def turned_over(mesh: Mesh, flip: np.ndarray) -> Mesh:
    """`mesh` with the faces that `flip` (F,) bool selects the other way round."""
    if not flip.any():
        return mesh
    changes: dict[str, Any] = {}
    for name in ("faces", "uv", "second_uv", "normals"):
        array = getattr(mesh, name)
        if array is not None:
            changed = array.copy()
            changed[flip] = array[flip][:, [0, 2, 1]] * (-1 if name == "normals" else 1)
            changes[name] = changed
    return replace(mesh, quads=None, **changes)


@njit(cache=True, nogil=True)
def _parities(
    one: np.ndarray, other: np.ndarray, disagrees: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """(F,) int64 piece and (F,) bool, whether a face has to be turned to agree with its piece's first; how many pieces.

    Union-find that notes for each node whether it agrees with its parent.
    """
    parent = np.arange(count)
    odd = np.zeros(count, np.bool_)
    for edge in range(len(one)):
        a, side_a = _root(parent, odd, one[edge])
        b, side_b = _root(parent, odd, other[edge])
        if a != b:
            low, high = min(a, b), max(a, b)
            parent[high] = low
            odd[high] = side_a ^ side_b ^ disagrees[edge]
    number = np.full(count, -1)
    piece = np.empty(count, np.int64)
    turned = np.empty(count, np.bool_)
    pieces = 0
    for node in range(count):
        root, turned[node] = _root(parent, odd, node)
        if number[root] < 0:
            number[root] = pieces
            pieces += 1
        piece[node] = number[root]
    return piece, turned, pieces


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, odd: np.ndarray, node: int) -> tuple[int, bool]:
    top, side = node, False
    while parent[top] != top:
        side ^= odd[top]
        top = parent[top]
    below, rest = node, side  # now all on the way point at the top
    while parent[below] != top and below != top:
        following, step = parent[below], odd[below]
        parent[below], odd[below] = top, rest
        rest ^= step
        below = following
    return top, side
