"""Texture coordinates and normals of a decoded mesh's corners."""

from __future__ import annotations

import numba
import numpy as np

from omagen.omage.triangulate import Surface

SHARP = np.cos(np.radians(40.0))
"""Where no normals are stored, a face this far from its corner's smooth normal keeps its own."""


def corner_uv(surface: Surface, place: np.ndarray | None = None) -> np.ndarray:
    """(F, 3, 2) float32: where each corner's pixel is, in a square of side 1 with row 0 at its bottom.

    `place` (H, W, 2) float32 for each pixel; without it they are at their centres.
    """
    height, width = surface.vertex.shape
    if place is None:
        return _centres(surface.pixels, surface.inserted, height, width)
    return _values(surface.pixels, surface.inserted, place.reshape(-1, 2))


def stored_normals(surface: Surface, normal: np.ndarray) -> np.ndarray:
    """(F, 3, 3) float32, unit, frame of meshes: `normal` (H, W, 3) float32, frame of omages, at each corner's pixel.

    Where it has no direction it points up.
    """
    return _normals(surface.pixels, surface.inserted, np.ascontiguousarray(normal.reshape(-1, 3)))


@numba.njit(cache=True, nogil=True)
def _centres(pixels: np.ndarray, inserted: np.ndarray, height: int, width: int) -> np.ndarray:
    uv = np.empty((len(pixels), 3, 2), np.float32)
    size = height * width
    across, up, row_of = 1.0 / width, 1.0 / height, 1.0 / width
    for f in range(len(pixels)):
        for c in range(3):
            p = pixels[f, c]
            if p < size:
                i = int((p + 0.5) * row_of)
                uv[f, c, 0], uv[f, c, 1] = (p - i * width + 0.5) * across, (i + 0.5) * up
                continue
            u = v = 0.0
            for k in range(4):
                q = inserted[p - size, k]
                i = int((q + 0.5) * row_of)
                u, v = u + (q - i * width + 0.5) * across, v + (i + 0.5) * up
            uv[f, c, 0], uv[f, c, 1] = u / 4, v / 4
    return uv


def _values(pixels: np.ndarray, inserted: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """`plane` (N, C) at the pixels of corners; inserted points have the mean of theirs."""
    if len(inserted):
        plane = np.concatenate([plane, plane[inserted].mean(axis=1)])
    return plane[pixels]


@numba.njit(cache=True, nogil=True)
def _normals(pixels: np.ndarray, inserted: np.ndarray, normal: np.ndarray) -> np.ndarray:
    out = np.empty((len(pixels), 3, 3), np.float32)
    for f in range(len(pixels)):
        for c in range(3):
            p = pixels[f, c]
            if p < len(normal):
                x, y, z = normal[p, 0], normal[p, 1], normal[p, 2]
            else:
                x = y = z = np.float32(0)
                for k in range(4):
                    q = inserted[p - len(normal), k]
                    x, y, z = x + normal[q, 0], y + normal[q, 1], z + normal[q, 2]
            square = x * x + y * y + z * z
            if not np.isfinite(square) or square == 0:
                x, y, z = np.float32(0), np.float32(0), np.float32(1)
            elif abs(square - 1) > 1e-4:
                length = np.float32(np.sqrt(square))
                x, y, z = x / length, y / length, z / length
            out[f, c, 0], out[f, c, 1], out[f, c, 2] = x, z, -y
    return out


@numba.njit(cache=True, nogil=True)
def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 3) float32, unit: the mean of the faces around each vertex by area; across sharp edges the face's own."""
    sums = np.zeros(vertices.shape, np.float64)
    own = np.empty((len(faces), 3), np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        square = 0.0
        for k in range(3):
            x, y = (k + 1) % 3, (k + 2) % 3
            ux, uy = vertices[b, x] - vertices[a, x], vertices[b, y] - vertices[a, y]
            vx, vy = vertices[c, x] - vertices[a, x], vertices[c, y] - vertices[a, y]
            part = ux * vy - uy * vx
            own[f, k] = part
            square += part * part
            sums[a, k] += part
            sums[b, k] += part
            sums[c, k] += part
        if square > 0:
            own[f] /= np.sqrt(square)
    out = np.empty((len(faces), 3, 3), np.float32)
    for f in range(len(faces)):
        for corner in range(3):
            s = sums[faces[f, corner]]
            length = np.sqrt(s[0] * s[0] + s[1] * s[1] + s[2] * s[2])
            along = s[0] * own[f, 0] + s[1] * own[f, 1] + s[2] * own[f, 2]
            for k in range(3):
                out[f, corner, k] = s[k] / length if along > SHARP * length else own[f, k]
    return out
