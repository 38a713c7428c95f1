"""Looks up textures at points of a surface: wrapped, blended between texels and levels, averaged over the footprint."""

# pyright: reportCallIssue=false
# (numba fills in the first argument of its intrinsics itself)

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.omage.texture_pyramid import SRGB_BYTE, Pyramid
from omagen.omage.texture_texels import add_bytes, add_colors, add_words
from omagen.shapes.material import Wrap

WRAPS: Final[dict[Wrap, int]] = {"repeat": 0, "clamp": 1, "mirror": 2}
_TABLE: Final = SRGB_BYTE * np.float32(255)
"""What an sRGB byte means, from 0 to 255"""
_OF_BYTE: Final = np.float32(1 / 255)
_OF_WORD: Final = np.float32(1 / 65535)


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
    out = np.zeros((len(face), 4), np.float32)
    channels, wraps = pyramid.pixels.shape[2], (WRAPS[wrap[0]], WRAPS[wrap[1]])
    sample = _sample_colors if pyramid.is_color else _sample_numbers
    sample(pyramid.texels, channels, pyramid.coarse, pyramid.layout, wraps, uv, matrix, face, bary, look, out)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sample_colors(
    texels: np.ndarray,
    channels: int,
    coarse: np.ndarray,
    layout: np.ndarray,
    wrap: tuple[int, int],
    uv: np.ndarray,
    matrix: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    look: np.ndarray,
    out: np.ndarray,
) -> None:
    total, last = out.reshape(-1), len(texels) - 4
    for n in range(len(face)):
        f = face[n]
        u, v = _place(uv, matrix, f, bary[n, 0], bary[n, 1])
        taps, level, share, finer = _levels(look, f, len(layout))
        for tap in range(taps):
            offset = tap - (taps - 1) / 2
            x, y = u + offset * look[f, 0], v + offset * look[f, 1]
            if level == 0:
                places, weights = _around(x, y, layout, 0, channels, wrap, finer * _OF_BYTE)
                add_colors(total, 4 * n, texels, last, places, weights, _TABLE)
            _add_coarse(total, n, coarse, x, y, layout, level, channels, wrap, share, finer)
        if channels == 3:
            out[n, 3] = 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sample_numbers(
    texels: np.ndarray,
    channels: int,
    coarse: np.ndarray,
    layout: np.ndarray,
    wrap: tuple[int, int],
    uv: np.ndarray,
    matrix: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    look: np.ndarray,
    out: np.ndarray,
) -> None:
    """Like `_sample_colors` for texels that are linear."""
    total, last = out.reshape(-1), len(texels) - 4
    for n in range(len(face)):
        f = face[n]
        u, v = _place(uv, matrix, f, bary[n, 0], bary[n, 1])
        taps, level, share, finer = _levels(look, f, len(layout))
        for tap in range(taps):
            offset = tap - (taps - 1) / 2
            x, y = u + offset * look[f, 0], v + offset * look[f, 1]
            if level == 0:
                places, weights = _around(x, y, layout, 0, channels, wrap, finer * _OF_BYTE)
                add_bytes(total, 4 * n, texels, last, places, weights)
            _add_coarse(total, n, coarse, x, y, layout, level, channels, wrap, share, finer)
        if channels == 3:
            out[n, 3] = 1


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add_coarse(
    total: np.ndarray,
    n: int,
    coarse: np.ndarray,
    x: float,
    y: float,
    layout: np.ndarray,
    level: int,
    channels: int,
    wrap: tuple[int, int],
    share: np.float32,
    finer: np.float32,
) -> None:
    """Add to point n what the levels beyond 0 have at (x, y): of `level` the share `finer`, of the next the rest."""
    if level > 0:
        places, weights = _around(x, y, layout, level, channels, wrap, finer * _OF_WORD)
        add_words(total, 4 * n, coarse, 0, places, weights)
    if finer < share:
        places, weights = _around(x, y, layout, level + 1, channels, wrap, (share - finer) * _OF_WORD)
        add_words(total, 4 * n, coarse, 0, places, weights)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(uv: np.ndarray, matrix: np.ndarray, f: int, second: np.float32, third: np.float32) -> tuple[float, float]:
    """Where a point of face f is in the texture; at the origin where that is undefined."""
    w1, w2 = float(second), float(third)
    w0 = 1.0 - w1 - w2
    s = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
    t = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
    u = matrix[0, 0] * s + matrix[0, 1] * t + matrix[0, 2]
    v = matrix[1, 0] * s + matrix[1, 1] * t + matrix[1, 2]
    if not np.isfinite(u + v):
        return 0.0, 0.0
    return u, v


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _levels(look: np.ndarray, f: int, levels: int) -> tuple[int, int, np.float32, np.float32]:
    """Of face f: taps, the finer of the two levels between which it is, the share of a tap, and of it at that level."""
    taps = int(look[f, 3])
    level = min(int(look[f, 2]), levels - 1)
    share = np.float32(1.0) / np.float32(taps)
    if level + 1 < levels:
        return taps, level, share, share - share * (look[f, 2] - np.float32(level))
    return taps, level, share, share


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
    u: float, v: float, layout: np.ndarray, level: int, channels: int, wrap: tuple[int, int], share: np.float32
) -> tuple[tuple[int, int, int, int], tuple[np.float32, np.float32, np.float32, np.float32]]:
    """Where the four texels around (u, v) in a level begin, above left and right, below left and right; and their
    weights, together `share`."""
    height, width, start = layout[level, 0], layout[level, 1], layout[level, 2]
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    j, i = int(left), int(top)
    west, east = _wrapped(j, width, wrap[0]) * channels, _wrapped(j + 1, width, wrap[0]) * channels
    north = start + _wrapped(i, height, wrap[1]) * width * channels
    south = start + _wrapped(i + 1, height, wrap[1]) * width * channels
    right, lower = np.float32(x - left), np.float32(y - top)
    below = share * lower
    above = share - below
    return (
        (north + west, north + east, south + west, south + east),
        (above - above * right, above * right, below - below * right, below * right),
    )
