"""Points spread evenly over a surface, the same ones every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SurfacePoints:
    """Places on the faces of a mesh: corner 0 has weight 1 - bary.sum(), corners 1 and 2 have the two of `bary`."""

    face: np.ndarray
    """(N,) int64"""
    bary: np.ndarray
    """(N, 2) float64"""
    position: np.ndarray
    """(N, 3) float64"""


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) float64: along the normal of each face, twice as long as its area. `vertices` (V, 3), `faces` (F, 3)."""
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float64, unit: the mean of the faces around each vertex, by area; 0 where there is none."""
    doubled = face_normals(vertices, faces)
    flat = faces.reshape(-1)
    sums = np.stack([np.bincount(flat, np.repeat(doubled[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-300)


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) float64"""
    return 0.5 * np.linalg.norm(face_normals(vertices, faces), axis=1)


def sample_points(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int = 0) -> SurfacePoints:
    """`count` points, each face getting as many as its area is worth, rounded up or down (systematic sampling).

    Deterministic for a given seed. Raises `ValueError` where the surface has no area.
    """
    total = np.cumsum(face_areas(vertices, faces))
    if len(total) == 0 or not total[-1] > 0:
        raise ValueError("a surface without area has no points")
    rng = np.random.default_rng(seed)
    face = np.searchsorted(total, (np.arange(count) + rng.random()) * (total[-1] / count), side="right")
    face = np.minimum(face, len(faces) - 1)
    return points_at(vertices, faces, face, _in_triangle(rng.random((count, 2))))


def sample_each(vertices: np.ndarray, faces: np.ndarray, group: np.ndarray, count: int, seed: int = 0) -> SurfacePoints:
    """`count` points on the faces of each group, by area; `group` (F,) int from 0 without gaps. Ordered by group.

    Groups without area get their points as if all their faces were of one size.
    """
    areas = face_areas(vertices, faces)
    groups = int(group.max(initial=-1)) + 1
    of_group = np.bincount(group, areas, groups)
    share = np.where(of_group[group] > 0, areas / np.where(of_group[group] > 0, of_group[group], 1), 1)
    share = share / np.bincount(group, share, groups)[group]  # every group weighs 1
    order = np.argsort(group, kind="stable")
    total = np.cumsum(share[order])
    rng = np.random.default_rng(seed)
    within = (np.arange(count) + rng.random()) / count
    places = (np.arange(groups)[:, None] + within * (1 - 1e-9)).reshape(-1)
    place = np.minimum(np.searchsorted(total, places, side="right"), len(faces) - 1)
    return points_at(vertices, faces, order[place], _in_triangle(rng.random((len(places), 2))))


def points_at(vertices: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> SurfacePoints:
    """The points of faces `face` (N,) at the weights `bary` (N, 2) of their corners 1 and 2."""
    a, b, c = (vertices[faces[face, i]].astype(np.float64) for i in range(3))
    position = a + bary[:, :1] * (b - a) + bary[:, 1:] * (c - a)
    return SurfacePoints(face, bary, position)


def barycentric(vertices: np.ndarray, faces: np.ndarray, face: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(N, 2) float64 weights of corners 1 and 2 of the faces `face` (N,) at the points `position` (N, 3) on them."""
    a, b, c = (vertices[faces[face, i]].astype(np.float64) for i in range(3))
    ab, ac, ap = b - a, c - a, position - a
    aa, bb, cross = (ab * ab).sum(1), (ac * ac).sum(1), (ab * ac).sum(1)
    pa, pb = (ap * ab).sum(1), (ap * ac).sum(1)
    determinant = aa * bb - cross * cross
    flat = determinant <= 0
    determinant[flat] = 1
    bary = np.stack([(bb * pa - cross * pb) / determinant, (aa * pb - cross * pa) / determinant], axis=1)
    bary[flat] = 1 / 3
    return bary.clip(0, 1)


def _in_triangle(square: np.ndarray) -> np.ndarray:
    """Even points of the unit square (N, 2) folded into the triangle of weights that add up to at most 1."""
    over = square.sum(axis=1) > 1
    return np.where(over[:, None], 1 - square, square)
