"""How much of a texture one pixel of a layout covers: for each face the level of detail and the places to look at.

A pixel is a square in the layout and a parallelogram in the texture. Along its longer axis up to `MAX_TAPS` places are
looked at; its shorter axis gives the level of the pyramid (Heckbert 1989; EXT_texture_filter_anisotropic).
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

MAX_TAPS: Final = 8
SHARPNESS: Final = 0.79
"""Levels finer than the pixel's own: there a level's averaging and the blending between its texels together spread
a texel as far as an average over the pixel would (their variances are w^2 / 12 + w^2 / 6, the pixel's is s^2 / 12)."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def footprints(
    uv: np.ndarray, matrix: np.ndarray, pixel_uv: np.ndarray, used: np.ndarray, width: int, height: int
) -> np.ndarray:
    """What the samples in each of the `used` faces look at, (F, 4) float32: du, dv between taps, level, taps.

    `uv`: (F, 3, 2) float32, moved by `matrix` (2, 3) float64 to those of a texture of `width` x `height` texels;
    `pixel_uv`: (F, 3, 2) float64, the same corners in the layout's pixels; `used`: (F,) bool. Faces without area or
    place in the layout are sampled at a point. Rows of unused faces are undefined.
    """
    found = np.empty((len(uv), 4), np.float32)
    for f in range(len(uv)):
        if not used[f]:
            continue
        found[f, 0] = found[f, 1] = found[f, 2] = 0.0
        found[f, 3] = 1.0
        px, py = pixel_uv[f, 1, 0] - pixel_uv[f, 0, 0], pixel_uv[f, 1, 1] - pixel_uv[f, 0, 1]
        qx, qy = pixel_uv[f, 2, 0] - pixel_uv[f, 0, 0], pixel_uv[f, 2, 1] - pixel_uv[f, 0, 1]
        area = px * qy - py * qx
        if not abs(area) > 1e-12:
            continue
        pu, pv = _texels(uv, f, 1, matrix, width, height)
        qu, qv = _texels(uv, f, 2, matrix, width, height)
        ux, uy = (pu * qy - qu * py) / area, (qu * px - pu * qx) / area
        vx, vy = (pv * qy - qv * py) / area, (qv * px - pv * qx) / area
        _look(ux, uy, vx, vy, width, height, found[f])
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _texels(uv: np.ndarray, f: int, k: int, matrix: np.ndarray, width: int, height: int) -> tuple[float, float]:
    """From corner 0 of face f to corner k, in texels."""
    u, v = float(uv[f, k, 0]) - uv[f, 0, 0], float(uv[f, k, 1]) - uv[f, 0, 1]
    return (matrix[0, 0] * u + matrix[0, 1] * v) * width, (matrix[1, 0] * u + matrix[1, 1] * v) * height


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _look(ux: float, uy: float, vx: float, vy: float, width: int, height: int, look: np.ndarray) -> None:
    """From the derivatives of a texture's coordinates in texels along a layout's x and y: steps, level and taps."""
    uu, uv, vv = ux * ux + uy * uy, ux * vx + uy * vy, vx * vx + vy * vy
    mean, bend = (uu + vv) / 2, np.hypot((uu - vv) / 2, uv)
    long, short = np.sqrt(mean + bend), np.sqrt(max(mean - bend, 0.0))
    if not long < 1e9:
        return
    span = max(short, 1.0, long / MAX_TAPS)
    taps = min(max(np.ceil(long / span - 0.05), 1.0), float(MAX_TAPS))
    look[2] = max(np.log2(span) - SHARPNESS, 0.0)
    look[3] = taps
    if taps > 1.0:
        turn = np.arctan2(2 * uv, uu - vv) / 2
        look[0] = np.cos(turn) * long / taps / width
        look[1] = np.sin(turn) * long / taps / height
