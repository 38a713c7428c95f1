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
    _sample(
        np.ascontiguousarray(pyramid.pixels).reshape(-1),
        pyramid.pixels.shape[2],
        pyramid.table.reshape(-1),
        pyramid.coarse,
        pyramid.layout,
        *wraps,
        uv,
        matrix,
        face,
        bary,
        look,
        out,
    )
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sample(
    pixels: np.ndarray,
    channels: int,
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
    one = np.float32(1.0)
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
        share = one / np.float32(taps)
        red = green = blue = alpha = np.float32(0.0)
        for tap in range(taps):
            offset = tap - (taps - 1) / 2
            x, y = u + offset * look[f, 0], v + offset * look[f, 1]
            if level == 0:
                r, g, b, a = _bytes_at(pixels, layout, channels, table, wrap_u, wrap_v, x, y)
            else:
                r, g, b, a = _level_at(coarse, layout, channels, level, wrap_u, wrap_v, x, y)
            w = share * (one - blend)
            red, green, blue, alpha = red + w * r, green + w * g, blue + w * b, alpha + w * a
            if blend > 0:
                r, g, b, a = _level_at(coarse, layout, channels, level + 1, wrap_u, wrap_v, x, y)
                w = share * blend
                red, green, blue, alpha = red + w * r, green + w * g, blue + w * b, alpha + w * a
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = red, green, blue, alpha


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
def _around(
    u: float, v: float, width: int, height: int, channels: int, start: int, wrap_u: int, wrap_v: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.float32, np.float32]:
    """Where the four texels around (u, v) begin: above left and right, below left and right; and the shares of the
    right and the lower ones. Unsigned, so that numba does not look for indices counted from the end."""
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    j, i = int(left), int(top)
    west, east = _wrapped(j, width, wrap_u) * channels, _wrapped(j + 1, width, wrap_u) * channels
    north = start + _wrapped(i, height, wrap_v) * width * channels
    south = start + _wrapped(i + 1, height, wrap_v) * width * channels
    return (
        np.uint64(north + west),
        np.uint64(north + east),
        np.uint64(south + west),
        np.uint64(south + east),
        np.float32(x - left),
        np.float32(y - top),
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _blend(
    p: np.float32, q: np.float32, r: np.float32, s: np.float32, east: np.float32, south: np.float32
) -> np.float32:
    north, south_ = p + (q - p) * east, r + (s - r) * east
    return north + (south_ - north) * south


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _byte(
    texels: np.ndarray,
    table: np.ndarray,
    k: int,
    p: np.uint64,
    q: np.uint64,
    r: np.uint64,
    s: np.uint64,
    east: np.float32,
    south: np.float32,
) -> np.float32:
    """Channel k between four texels of level 0."""
    c, t = np.uint64(k), np.uint64(256 * k)
    return _blend(
        np.float32(table[t + texels[p + c]]),
        np.float32(table[t + texels[q + c]]),
        np.float32(table[t + texels[r + c]]),
        np.float32(table[t + texels[s + c]]),
        east,
        south,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _number(
    texels: np.ndarray,
    k: int,
    p: np.uint64,
    q: np.uint64,
    r: np.uint64,
    s: np.uint64,
    east: np.float32,
    south: np.float32,
) -> np.float32:
    """Channel k between four texels of a level above 0."""
    c = np.uint64(k)
    a, b = np.float32(texels[p + c]), np.float32(texels[q + c])
    value = _blend(a, b, np.float32(texels[r + c]), np.float32(texels[s + c]), east, south)
    return value * np.float32(1 / 65535)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bytes_at(
    texels: np.ndarray,
    layout: np.ndarray,
    channels: int,
    table: np.ndarray,
    wrap_u: int,
    wrap_v: int,
    u: float,
    v: float,
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Level 0 at (u, v): red, green, blue, opacity."""
    p, q, r, s, x, y = _around(u, v, layout[0, 1], layout[0, 0], channels, 0, wrap_u, wrap_v)
    red = _byte(texels, table, 0, p, q, r, s, x, y)
    green = _byte(texels, table, 1, p, q, r, s, x, y)
    blue = _byte(texels, table, 2, p, q, r, s, x, y)
    alpha = _byte(texels, table, 3, p, q, r, s, x, y) if channels == 4 else np.float32(1.0)
    return red, green, blue, alpha


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _level_at(
    texels: np.ndarray, layout: np.ndarray, channels: int, level: int, wrap_u: int, wrap_v: int, u: float, v: float
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """A level above 0 at (u, v): red, green, blue, opacity."""
    height, width, start = layout[level, 0], layout[level, 1], layout[level, 2]
    p, q, r, s, x, y = _around(u, v, width, height, channels, start, wrap_u, wrap_v)
    red = _number(texels, 0, p, q, r, s, x, y)
    green = _number(texels, 1, p, q, r, s, x, y)
    blue = _number(texels, 2, p, q, r, s, x, y)
    alpha = _number(texels, 3, p, q, r, s, x, y) if channels == 4 else np.float32(1.0)
    return red, green, blue, alpha
