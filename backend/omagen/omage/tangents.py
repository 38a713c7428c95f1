"""Tangents of a mesh's corners as renderers compute them: MikkTSpace, the convention of glTF 2.0 and Blender."""

from __future__ import annotations

import numba
import numpy as np

from omagen.io.glb_writer import split_corners
from omagen.shapes import Mesh


def corner_tangents(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """`tangent` (F, 3, 3) float32, unit, at right angles to the corner's normal, where u grows; `sign` (F,) float32.

    The bitangent is sign * normal x tangent. Corners with the same vertex, normal and UVs share the mean of their
    faces' tangents by angle. Corners whose faces have no area in UVs get zeros. `mesh` has UVs and normals.
    """
    assert mesh.uv is not None and mesh.normals is not None
    corners, uv, normals = mesh.faces.reshape(-1), mesh.uv.reshape(-1, 2), mesh.normals.reshape(-1, 3)
    _, group = split_corners(corners, uv, normals)
    group = group.reshape(-1, 3).astype(np.int64)
    sums, sign = tangent_sums(mesh.vertices, mesh.faces, mesh.uv, mesh.normals, group, int(group.max(initial=-1)) + 1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    unit = np.where(length > 1e-12, sums / np.maximum(length, 1e-12), 0).astype(np.float32)
    return unit[group], sign


@numba.njit(cache=True, nogil=True)
def tangent_sums(
    vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, normals: np.ndarray, group: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of tangents by angle in the corners' planes, (count, 3) float64, and the sign of each face (F,) float32.

    `group` (F, 3) int64: which sum each corner is part of; the others as in `Mesh`.
    """
    sums = np.zeros((count, 3), np.float64)
    sign = np.ones(len(faces), np.float32)
    along, tangent = np.empty(3, np.float64), np.empty(3, np.float64)
    ahead, behind = np.empty(3, np.float64), np.empty(3, np.float64)
    for f in range(len(faces)):
        s1, t1 = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1]
        s2, t2 = uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
        area = s1 * t2 - s2 * t1
        if area == 0:
            continue
        sign[f] = 1 if area > 0 else -1
        for k in range(3):
            start = vertices[faces[f, 0], k]
            along[k] = sign[f] * ((vertices[faces[f, 1], k] - start) * t2 - (vertices[faces[f, 2], k] - start) * t1)
        for c in range(3):
            for k in range(3):
                start = vertices[faces[f, c], k]
                tangent[k] = along[k]
                ahead[k] = vertices[faces[f, (c + 1) % 3], k] - start
                behind[k] = vertices[faces[f, (c + 2) % 3], k] - start
            _flatten(tangent, normals, f, c)
            _flatten(ahead, normals, f, c)
            _flatten(behind, normals, f, c)
            cosine = ahead[0] * behind[0] + ahead[1] * behind[1] + ahead[2] * behind[2]
            angle = np.arccos(min(max(cosine, -1.0), 1.0))
            for k in range(3):
                sums[group[f, c], k] += angle * tangent[k]
    return sums, sign


@numba.njit(cache=True, nogil=True)
def _flatten(vector: np.ndarray, normals: np.ndarray, f: int, c: int) -> None:
    """Take its part along a corner's normal out of `vector` (3,) and bring it to length 1, or 0."""
    along = square = 0.0
    for k in range(3):
        along += vector[k] * normals[f, c, k]
    for k in range(3):
        vector[k] -= along * normals[f, c, k]
        square += vector[k] * vector[k]
    scale = 1 / np.sqrt(square) if square > 1e-60 else 0.0
    for k in range(3):
        vector[k] *= scale
