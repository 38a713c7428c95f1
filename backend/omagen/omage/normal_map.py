"""Object-space normals as a tangent-space texture for a mesh of fewer triangles."""

from __future__ import annotations

import numba
import numpy as np

from omagen.omage.frame import from_omage_frame
from omagen.omage.raster import raster_faces
from omagen.omage.raster_dilation import dilate
from omagen.omage.tangents import corner_tangents
from omagen.shapes import Mesh

Triple = np.ndarray | tuple[float, float, float]
EXTENT = 64
"""Pixels by which the texture grows beyond the triangles."""
LOWEST = 0.02
"""Least z of a stored normal: the surface never turns its back on its own texture."""


def tangent_normal_map(mesh: Mesh, normal: np.ndarray) -> np.ndarray:
    """(R, R, 3) uint8, upright, +Y up as in glTF: shades `mesh` with the normals in `normal` instead of its own.

    `mesh` with UVs in the unit square and corner normals; `normal` (R, R, 3) float32, unit, frame of omages, row 0 at
    v = 0. Exact at pixels' centres, up to rounding, for renderers that interpolate normals and MikkTSpace tangents
    without normalising in between, as Blender does. Around the charts the texture is extended.
    """
    assert mesh.uv is not None and mesh.normals is not None
    resolution = len(normal)
    tangents, sign = corner_tangents(mesh)
    face, bary = raster_faces(mesh.uv.astype(np.float64) * resolution, resolution, resolution)
    wanted = from_omage_frame(normal).astype(np.float32)
    local, known = to_tangent_space(face, bary, mesh.normals, tangents, sign, wanted)
    # The triangles end half a pixel of the mesh's own resolution inside the charts.
    local = dilate(local, known, EXTENT)
    return np.ascontiguousarray(np.round(local[::-1] * 127.5 + 127.5).clip(0, 255).astype(np.uint8))


@numba.njit(cache=True, nogil=True)
def to_tangent_space(
    face: np.ndarray, bary: np.ndarray, normals: np.ndarray, tangents: np.ndarray, sign: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`wanted` (R, R, 3) in the frame of tangent, bitangent and normal, (0, 0, 1) where unknown; (R, R) where known."""
    height, width = face.shape
    local = np.zeros((height, width, 3), np.float32)
    known = np.zeros((height, width), np.bool_)
    n, t, w = np.empty(3, np.float64), np.empty(3, np.float64), np.empty(3, np.float64)
    for i in range(height):
        for j in range(width):
            local[i, j, 2] = 1
            f = face[i, j]
            if f < 0:
                continue
            second, third = bary[i, j, 0], bary[i, j, 1]
            first = 1 - second - third
            for k in range(3):
                n[k] = first * normals[f, 0, k] + second * normals[f, 1, k] + third * normals[f, 2, k]
                t[k] = first * tangents[f, 0, k] + second * tangents[f, 1, k] + third * tangents[f, 2, k]
                w[k] = wanted[i, j, k]
            b = _cross(n, t)
            # Cramer's rule for x t + y b + z n = w, by the products of two of the three vectors.
            bn, nt, tb = _cross(b, n), b, _cross(t, b)
            size = _dot(t, bn)
            if size < 1e-6:
                continue
            x, y, z = _dot(w, bn) / size, sign[f] * _dot(w, nt) / size, _dot(w, tb) / size
            z = max(z, LOWEST * np.sqrt(x * x + y * y + z * z))
            length = np.sqrt(x * x + y * y + z * z)
            if length > 0:
                local[i, j, 0], local[i, j, 1], local[i, j, 2] = x / length, y / length, z / length
                known[i, j] = True
    return local, known


@numba.njit(cache=True, nogil=True)
def _cross(a: Triple, b: Triple) -> Triple:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@numba.njit(cache=True, nogil=True)
def _dot(a: Triple, b: Triple) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
