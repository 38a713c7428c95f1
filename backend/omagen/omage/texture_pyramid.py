"""A texture with smaller versions of itself, each averaged in linear light, so that it can be sampled at any scale."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.geometry.color import to_linear
from omagen.omage.cores import in_parts
from omagen.shapes import Texture

BYTE: Final = (np.arange(256) / 255).astype(np.float32)
SRGB_BYTE: Final = to_linear(np.arange(256) / 255).astype(np.float32)
UNIT: Final = np.float32(65535)
"""What 1 is in the smaller versions."""
SPARE: Final = 4
"""Numbers that look-ups, which read four channels at once, may read behind the last level"""
ROWS: Final = 128
"""Of a level, made at once"""
Shares = tuple[np.ndarray, np.ndarray]


class Pyramid:
    """Level 0 is the texture's own pixels; level n + 1 has half the sides of level n, rounded down, at least 1.

    Levels beyond 0 are made when `reach` asks for them. They are linear and uint16, so the whole pyramid takes two
    thirds of the memory of the pixels on top of them, and the pixels themselves are never copied.
    """

    def __init__(self, texture: Texture, *, is_color: bool) -> None:
        """`is_color`: sRGB in the first three channels; opacity is always linear."""
        self.pixels = texture.pixels
        """(H, W, 3 or 4) uint8, row 0 at the top"""
        self.is_color = is_color
        flat = np.ascontiguousarray(texture.pixels).reshape(-1)
        self.texels = flat if len(flat) >= SPARE else np.pad(flat, (0, SPARE))
        """The pixels one after the other, at least `SPARE` numbers"""
        self.coarse = np.zeros(SPARE, np.uint16)[:0]
        """Levels 1 and up, one after the other, each (h, w, channels); `SPARE` more numbers lie behind in memory"""
        self.layout = np.array([[*texture.pixels.shape[:2], 0]], np.int64)
        """(levels, 3): height, width and where in `coarse` the level starts; 0 for level 0"""

    @property
    def deepest(self) -> int:
        """The level at which both sides are 1."""
        return int(max(self.pixels.shape[:2])).bit_length() - 1

    def reach(self, level: int) -> None:
        """Have the levels up to `level`, or all there are."""
        channels = self.pixels.shape[2]
        levels = [self.coarse]
        while len(self.layout) <= min(level, self.deepest):
            height, width, start = self.layout[-1]
            half = (max(int(height) // 2, 1), max(int(width) // 2, 1))
            rows, columns = _shares(int(height), half[0]), _shares(int(width), half[1])
            smaller = np.empty((*half, channels), np.uint16)
            if len(self.layout) == 1:
                self._halve_into(smaller, rows, columns)
                end = 0
            else:
                above = levels[-1][-int(height * width * channels) :].reshape(int(height), int(width), channels)
                _halve(above, *rows, *columns, smaller)
                end = int(start + height * width * channels)
            levels.append(smaller.reshape(-1))
            self.layout = np.concatenate([self.layout, [[*half, end]]])
        self.coarse = np.concatenate([*levels, np.zeros(SPARE, np.uint16)])[:-SPARE]

    def _halve_into(self, smaller: np.ndarray, rows: Shares, columns: Shares) -> None:
        rgb = SRGB_BYTE if self.is_color else BYTE
        table = np.stack([rgb, rgb, rgb, BYTE])

        def halve(part: slice) -> None:
            _halve_bytes(self.pixels, table, rows[0][part], rows[1][part], *columns, smaller[part])

        in_parts(len(smaller), ROWS, halve)


def _shares(size: int, half: int) -> Shares:
    """For each of `half` equal parts of a line of `size` cells: its first cell, and its share in that and the next.

    Returns (half,) int64 and (half, K) float32, rows of which add up to 1.
    """
    ends = np.arange(half + 1) * (size / half)
    first = np.floor(ends[:-1]).astype(np.int64)
    cells = first[:, None] + np.arange(1 if size == half else 2 + size % 2)
    overlap = np.minimum(cells + 1, ends[1:, None]) - np.maximum(cells, ends[:-1, None])
    shares = overlap.clip(0) * (half / size)
    return first, shares.astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _halve_bytes(
    pixels: np.ndarray,
    table: np.ndarray,
    row: np.ndarray,
    row_share: np.ndarray,
    column: np.ndarray,
    column_share: np.ndarray,
    smaller: np.ndarray,
) -> None:
    height, width, channels = smaller.shape
    if row_share.shape[1] == 2 and column_share.shape[1] == 2:
        quarter = table * (UNIT / np.float32(4))
        for i in range(height):
            upper, lower = pixels[row[i]], pixels[row[i] + 1]
            for j in range(width):
                for k in range(channels):
                    total = quarter[k, upper[2 * j, k]] + quarter[k, upper[2 * j + 1, k]]
                    total += quarter[k, lower[2 * j, k]] + quarter[k, lower[2 * j + 1, k]]
                    smaller[i, j, k] = np.uint16(total + np.float32(0.5))
        return
    for i in range(height):
        for j in range(width):
            for k in range(channels):
                total = np.float32(0.0)
                for a in range(row_share.shape[1]):
                    y = min(row[i] + a, pixels.shape[0] - 1)
                    for b in range(column_share.shape[1]):
                        x = min(column[j] + b, pixels.shape[1] - 1)
                        total += row_share[i, a] * column_share[j, b] * table[k, pixels[y, x, k]]
                smaller[i, j, k] = np.uint16(total * UNIT + np.float32(0.5))


@numba.njit(cache=True, nogil=True)
def _halve(
    pixels: np.ndarray,
    row: np.ndarray,
    row_share: np.ndarray,
    column: np.ndarray,
    column_share: np.ndarray,
    smaller: np.ndarray,
) -> None:
    height, width, channels = smaller.shape
    for i in range(height):
        for j in range(width):
            for k in range(channels):
                total = np.float32(0.0)
                for a in range(row_share.shape[1]):
                    y = min(row[i] + a, pixels.shape[0] - 1)
                    for b in range(column_share.shape[1]):
                        x = min(column[j] + b, pixels.shape[1] - 1)
                        total += row_share[i, a] * column_share[j, b] * np.float32(pixels[y, x, k])
                smaller[i, j, k] = np.uint16(total + np.float32(0.5))
