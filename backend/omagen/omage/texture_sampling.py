"""Looks up textures at points of a surface: wrapped, blended between texels and levels, averaged over the footprint."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.omage.texture_pyramid import Pyramid
from omagen.shapes.material import Wrap

WRAPS: Final[dict[Wrap, int]] = {"repeat": 0, "clamp": 1, "mirror": 2}


def sample_pyramid(
    pyramid: Pyramid,
    wrap: tuple[Wrap, Wrap],
    uv: np.ndarray,
    matrix: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    look: np.ndarray,
) -> np.ndarray:
    """(N, 4) float32, linear; opacity 1 where the texture has none.

    `uv` (F, 3, 2) float32 and `matrix` (2, 3) float64 as for `footprints`, whose result is `look`; the points are
    `face` (N,) int32 and `bary` (N, 2) float32, the weights of corners 1 and 2.
    """
    out = np.empty((len(face), 4), np.float32)
    wraps = WRAPS[wrap[0]], WRAPS[wrap[1]]
    _sample(pyramid.pixels, pyramid.table, pyramid.coarse, pyramid.layout, *wraps, uv, matrix, face, bary, look, out)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sample(
    pixels: np.ndarray,
    table: np.ndarray,
    coarse: np.ndarray,
    layout: np.ndarray,
    wrap_u: int,
    wrap_v: int,
    uv: np.ndarray,
    matrix: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    look: np.ndarray,
    out: np.ndarray,
) -> None:
    for n in range(len(face)):
        f = face[n]
        w1, w2 = float(bary[n, 0]), float(bary[n, 1])
        w0 = 1.0 - w1 - w2
        s = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
        t = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
        u = matrix[0, 0] * s + matrix[0, 1] * t + matrix[0, 2]
        v = matrix[1, 0] * s + matrix[1, 1] * t + matrix[1, 2]
        if not np.isfinite(u + v):
            u = v = 0.0
        taps = int(look[f, 3])
        level = min(int(look[f, 2]), len(layout) - 1)
        blend = look[f, 2] - np.float32(level) if level + 1 < len(layout) else np.float32(0.0)
        for k in range(4):
            out[n, k] = 0.0
        for tap in range(taps):
            offset = tap - (taps - 1) / 2
            x, y = u + offset * look[f, 0], v + offset * look[f, 1]
            share = np.float32(1.0 / taps)
            if level == 0:
                _add_bytes(pixels, table, wrap_u, wrap_v, x, y, share * (np.float32(1.0) - blend), out[n])
            else:
                _add_level(coarse, layout, pixels.shape[2], level, wrap_u, wrap_v, x, y, share - share * blend, out[n])
            if blend > 0:
                _add_level(coarse, layout, pixels.shape[2], level + 1, wrap_u, wrap_v, x, y, share * blend, out[n])
        if pixels.shape[2] == 3:
            out[n, 3] = 1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _wrapped(index: int, size: int, wrap: int) -> int:
    if 0 <= index < size:
        return index
    if wrap == 1:
        return min(max(index, 0), size - 1)
    if wrap == 2:
        index %= 2 * size
        return min(index, 2 * size - 1 - index)
    return index % size


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_bytes(
    pixels: np.ndarray,
    table: np.ndarray,
    wrap_u: int,
    wrap_v: int,
    u: float,
    v: float,
    share: np.float32,
    out: np.ndarray,
) -> None:
    """Add `share` of level 0 at (u, v) to `out` (4,)."""
    height, width, channels = pixels.shape
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = np.float32(x - left), np.float32(y - top)
    j, i = int(left), int(top)
    j0, j1 = _wrapped(j, width, wrap_u), _wrapped(j + 1, width, wrap_u)
    i0, i1 = _wrapped(i, height, wrap_v), _wrapped(i + 1, height, wrap_v)
    lower, upper = share * down, share * (np.float32(1.0) - down)
    a, b = upper * (np.float32(1.0) - across), upper * across
    c, d = lower * (np.float32(1.0) - across), lower * across
    for k in range(channels):
        row = table[k]
        out[k] += a * row[pixels[i0, j0, k]] + b * row[pixels[i0, j1, k]]
        out[k] += c * row[pixels[i1, j0, k]] + d * row[pixels[i1, j1, k]]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_level(
    coarse: np.ndarray,
    layout: np.ndarray,
    channels: int,
    level: int,
    wrap_u: int,
    wrap_v: int,
    u: float,
    v: float,
    share: np.float32,
    out: np.ndarray,
) -> None:
    """Add `share` of a level above 0 at (u, v) to `out` (4,)."""
    height, width, start = layout[level, 0], layout[level, 1], layout[level, 2]
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = np.float32(x - left), np.float32(y - top)
    j, i = int(left), int(top)
    j0, j1 = _wrapped(j, width, wrap_u) * channels, _wrapped(j + 1, width, wrap_u) * channels
    i0 = start + _wrapped(i, height, wrap_v) * width * channels
    i1 = start + _wrapped(i + 1, height, wrap_v) * width * channels
    share = share * np.float32(1.0 / 65535.0)
    lower, upper = share * down, share * (np.float32(1.0) - down)
    a, b = upper * (np.float32(1.0) - across), upper * across
    c, d = lower * (np.float32(1.0) - across), lower * across
    for k in range(channels):
        out[k] += a * np.float32(coarse[i0 + j0 + k]) + b * np.float32(coarse[i0 + j1 + k])
        out[k] += c * np.float32(coarse[i1 + j0 + k]) + d * np.float32(coarse[i1 + j1 + k])
