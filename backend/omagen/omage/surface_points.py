"""Values between the corners of triangles, compiled by numba."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def interpolate(values: np.ndarray, corner: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """(N, C) float32: what the corners carry, at points of a mesh.

    `values`: (M, C) float32; `corner`: (F, 3) int32, the row of each face's corners; `face`: (N,) int32; `bary`: (N, 2)
    float32, the weights of corners 1 and 2.
    """
    out = np.empty((len(face), values.shape[1]), np.float32)
    for n in range(len(face)):
        a, b, c = corner[face[n], 0], corner[face[n], 1], corner[face[n], 2]
        w1, w2 = bary[n, 0], bary[n, 1]
        w0 = np.float32(1.0) - w1 - w2
        for k in range(values.shape[1]):
            out[n, k] = w0 * values[a, k] + w1 * values[b, k] + w2 * values[c, k]
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bend(
    normal: np.ndarray,
    texels: np.ndarray,
    tangents: np.ndarray,
    corner: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    scale: np.float32,
) -> None:
    """Give `normal` (N, 3) length 1, and where there are `texels` (N, 4) of a normal map, 0 to 1, bend it by them.

    `tangents`: (M, 4) float32, a unit tangent and the side of v; `corner`: (F, 3) int32 into them. The tangent at a
    point is interpolated, then made square to the normal there.
    """
    one = np.float32(1.0)
    for n in range(len(normal)):
        x, y, z = normal[n, 0], normal[n, 1], normal[n, 2]
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0:
            x, y, z = x / size, y / size, z / size
        else:
            y = one
        if len(texels):
            a, b, c = corner[face[n], 0], corner[face[n], 1], corner[face[n], 2]
            w1, w2 = bary[n, 0], bary[n, 1]
            w0 = one - w1 - w2
            tx = w0 * tangents[a, 0] + w1 * tangents[b, 0] + w2 * tangents[c, 0]
            ty = w0 * tangents[a, 1] + w1 * tangents[b, 1] + w2 * tangents[c, 1]
            tz = w0 * tangents[a, 2] + w1 * tangents[b, 2] + w2 * tangents[c, 2]
            dot = tx * x + ty * y + tz * z
            tx, ty, tz = tx - dot * x, ty - dot * y, tz - dot * z
            size = np.sqrt(tx * tx + ty * ty + tz * tz)
            if size > 0:
                tx, ty, tz = tx / size, ty / size, tz / size
            side = tangents[a, 3]
            bx, by, bz = (y * tz - z * ty) * side, (z * tx - x * tz) * side, (x * ty - y * tx) * side
            p = (texels[n, 0] * 2 - one) * scale
            q = (texels[n, 1] * 2 - one) * scale
            r = texels[n, 2] * 2 - one
            x, y, z = p * tx + q * bx + r * x, p * ty + q * by + r * y, p * tz + q * bz + r * z
            size = np.sqrt(x * x + y * y + z * z)
            if size > 0:
                x, y, z = x / size, y / size, z / size
            else:
                x, y, z = normal[n, 0], normal[n, 1], normal[n, 2]
        normal[n, 0], normal[n, 1], normal[n, 2] = x, y, z


@numba.njit(cache=True, nogil=True)
def interpolate_exactly(values: np.ndarray, corner: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """Like `interpolate` for `values` (M, C) float64, in that precision throughout: (N, C) float64."""
    out = np.empty((len(face), values.shape[1]), np.float64)
    for n in range(len(face)):
        a, b, c = corner[face[n], 0], corner[face[n], 1], corner[face[n], 2]
        w1, w2 = float(bary[n, 0]), float(bary[n, 1])
        w0 = 1.0 - (w1 + w2)
        for k in range(values.shape[1]):
            out[n, k] = w0 * values[a, k] + w1 * values[b, k] + w2 * values[c, k]
    return out
