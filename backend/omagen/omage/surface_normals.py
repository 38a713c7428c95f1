"""Which way a surface faces at the corners of its triangles, and how a normal map's axes lie on it."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.geometry.distinct import distinct_rows
from omagen.omage.tangents import tangent_sums
from omagen.shapes import Mesh

CREASE: Final = 40.0
"""Degrees between faces from which their edge is a crease, where a mesh does not bring normals of its own."""
MANY: Final = 48
"""Faces around a vertex beyond which looking at all pairs of them takes longer than sorting."""


def corner_normals(mesh: Mesh) -> np.ndarray:
    """(F, 3, 3) float32, unit length: the mesh's own normals, or smooth ones with creases at `CREASE` degrees.

    Smooth normals are the means of the normals of the faces around a point, weighted by their angles there, over all
    faces that are joined by edges below the crease. Corners at equal positions are one point. Where a normal has no
    direction it is that of its face; a face without area faces up.
    """
    if mesh.normals is None:
        point, _ = distinct_points(mesh.vertices)
        flat = face_normals(mesh)
        normals = _smooth(point[mesh.faces], mesh.vertices, mesh.faces, flat, np.cos(np.radians(CREASE)))
    else:
        normals = mesh.normals
    length = np.sqrt(np.einsum("fkc,fkc->fk", normals, normals))
    weak = ~((length > 1e-6) & np.isfinite(length))
    unit = normals / np.where(weak, 1, length)[..., None].astype(np.float32)
    if weak.any():
        unit[weak] = np.repeat(face_normals(mesh)[:, None], 3, axis=1)[weak]
    return np.ascontiguousarray(unit, np.float32)


def face_normals(mesh: Mesh) -> np.ndarray:
    """(F, 3) float32, unit length; up where a face has no area."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.where(length > 0, normal / np.where(length > 0, length, 1), (0.0, 1.0, 0.0)).astype(np.float32)


def distinct_points(vertices: np.ndarray) -> tuple[np.ndarray, int]:
    """(V,) int32: the number of each vertex's position, the same for equal ones; and how many there are."""
    keep, number = distinct_rows((vertices + np.float32(0)).view(np.uint32))
    return number.astype(np.int32), len(keep)


def corner_tangents(
    mesh: Mesh, faces: np.ndarray, normals: np.ndarray, uv: np.ndarray, point: np.ndarray
) -> np.ndarray:
    """(n, 3, 4) float32 for the `faces` (n,): the direction in which u grows, unit length, and v's side, 1 or -1.

    As in MikkTSpace the tangents of the faces around a corner that share its position, normal, UV and side are
    averaged in the corner's plane, weighted by angle, so that normal maps baked against it shade without facets.
    `normals` (F, 3, 3) as from `corner_normals`, `uv` (n, 3, 2) as the texture sees it, `point` (V,) the number of each
    vertex's position, as from `distinct_points`. Where a face has no area in the UVs its tangents are any in the plane.
    """
    corners, normals = np.ascontiguousarray(mesh.faces[faces]), np.ascontiguousarray(normals[faces])
    spans = uv[:, 1:].astype(np.float64) - uv[:, :1]
    mirrored = spans[:, 0, 0] * spans[:, 1, 1] - spans[:, 0, 1] * spans[:, 1, 0] < 0
    numbers = np.hstack([uv.reshape(-1, 2).astype(np.float32), normals.reshape(-1, 3)]) + np.float32(0)
    sided = (point[corners.reshape(-1)] * 2 + np.repeat(mirrored, 3)).astype(np.uint32)[:, None]
    kept, shared = distinct_rows(np.hstack([numbers.view(np.uint32), sided]))
    group = shared.astype(np.int64).reshape(-1, 3)
    sums, _ = tangent_sums(mesh.vertices, corners, uv.astype(np.float64), normals, group, len(kept))
    tangents = _in_plane(sums[group], normals)
    lost = ~tangents.any(-1)
    tangents[lost] = _any_tangent(normals[lost])
    side = np.where(mirrored, -1.0, 1.0)
    return np.concatenate([tangents, np.repeat(side[:, None, None], 3, axis=1)], -1).astype(np.float32)


def _in_plane(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """The parts of `vectors` across `normals`, with length 1, or 0 where nothing is left."""
    flat = vectors - normals * (vectors * normals).sum(-1, keepdims=True)
    length = np.linalg.norm(flat, axis=-1, keepdims=True)
    enough = length > 1e-7 * np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(enough, flat / np.where(enough, length, 1), 0)


def _any_tangent(normals: np.ndarray) -> np.ndarray:
    """(n, 3): unit vectors across `normals` (n, 3)."""
    axis = np.eye(3)[np.abs(normals).argmin(-1)]
    return _in_plane(axis, normals)


@numba.njit(cache=True, nogil=True)
def _smooth(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, flat: np.ndarray, crease: float) -> np.ndarray:
    """Normals by angle: the corners around each point, joined where the faces beside an edge are within the crease."""
    corner = points.reshape(-1)
    start = np.zeros(corner.max() + 2 if len(corner) else 1, np.int64)
    for p in corner:
        start[p + 1] += 1
    start = np.cumsum(start)
    around = np.empty(len(corner), np.int64)
    free = start[:-1].copy()
    for c in range(len(corner)):
        around[free[corner[c]]] = c
        free[corner[c]] += 1
    group = np.arange(len(corner))
    for p in range(len(start) - 1):
        _join(points, around[start[p] : start[p + 1]], flat, crease, group)
    total = np.zeros((len(corner), 3), np.float32)
    for c in range(len(corner)):
        f, k = c // 3, c % 3
        angle = _angle(vertices, faces[f, k], faces[f, (k + 1) % 3], faces[f, (k + 2) % 3])
        total[_root(group, c)] += np.float32(angle) * flat[f]
    normals = np.empty((len(faces), 3, 3), np.float32)
    for c in range(len(corner)):
        normals[c // 3, c % 3] = total[_root(group, c)]
    return normals


@numba.njit(cache=True, nogil=True)
def _angle(vertices: np.ndarray, at: int, to: int, other: int) -> float:
    dot = left = right = 0.0
    for k in range(3):
        a = float(vertices[to, k]) - vertices[at, k]
        b = float(vertices[other, k]) - vertices[at, k]
        dot += a * b
        left += a * a
        right += b * b
    size = np.sqrt(left * right)
    return np.arccos(min(max(dot / size, -1.0), 1.0)) if size > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _join(points: np.ndarray, around: np.ndarray, flat: np.ndarray, crease: float, group: np.ndarray) -> None:
    """Unite the corners `around` one point whose faces share an edge there and are within the crease."""
    count = len(around)
    if count < 2:
        return
    if count <= MANY:
        for a in around:
            for b in around:
                if points[a // 3, (a + 1) % 3] == points[b // 3, (b + 2) % 3]:
                    _unite(a, b, flat, crease, group)
        return
    ahead = np.empty(count, np.int64)
    for n in range(count):
        ahead[n] = points[around[n] // 3, (around[n] + 1) % 3]
    order = np.argsort(ahead)
    ahead = ahead[order]
    for b in around:
        place = int(np.searchsorted(ahead, points[b // 3, (b + 2) % 3]))
        if place < count and ahead[place] == points[b // 3, (b + 2) % 3]:
            _unite(int(around[order[place]]), b, flat, crease, group)


@numba.njit(cache=True, nogil=True)
def _unite(a: int, b: int, flat: np.ndarray, crease: float, group: np.ndarray) -> None:
    f, g = a // 3, b // 3
    if flat[f, 0] * flat[g, 0] + flat[f, 1] * flat[g, 1] + flat[f, 2] * flat[g, 2] >= crease:
        group[_root(group, a)] = _root(group, b)


@numba.njit(cache=True, nogil=True)
def _root(group: np.ndarray, c: int) -> int:
    while group[c] != c:
        group[c] = group[group[c]]
        c = group[c]
    return c
