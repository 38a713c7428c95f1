"""Chart bitmaps as runs: what the placement tests and stamps.

Every chart is grown by the gutter to the left and downwards once. Grown charts are disjoint exactly when the charts
themselves are more than the gutter apart in every direction, so placement need not know of gutters at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

BLOCK = 64
"""Rows turned at once."""


@dataclass(frozen=True)
class Runs:
    """The grown charts in their four turns. "Turned chart k" is chart k // 4 after k % 4 quarter turns."""

    run: np.ndarray
    """(N, 4) int32: row, first column, length, binary logarithm of the length rounded down.

    Rows far from each other come first, so that tests fail early.
    """
    start: np.ndarray
    """(4C + 1,) int64: the runs of turned chart k are run[start[k]:start[k + 1]]"""
    height: np.ndarray
    """(4C,) int32, pixels"""
    width: np.ndarray
    """(4C,) int32, pixels"""
    area: np.ndarray
    """(C,) int64, pixels"""


def grown_runs(bits: np.ndarray, start: np.ndarray, height: np.ndarray, width: np.ndarray, gutter: int) -> Runs:
    """The runs of charts given as in `ChartMasks`."""
    charts = len(height)
    grown_height, grown_width = height + gutter, width + gutter
    grown_start = np.zeros(charts + 1, np.int64)
    np.cumsum(grown_height.astype(np.int64) * grown_width, out=grown_start[1:])
    grown = np.zeros(grown_start[-1], np.uint8)
    _grow(bits, start, height, width, gutter, grown, grown_start)
    counts = np.zeros((charts, 2), np.int64)
    area = np.zeros(charts, np.int64)
    _count(grown, grown_start, grown_height, grown_width, counts, area)
    first = np.zeros(4 * charts + 1, np.int64)
    np.cumsum(counts[:, [0, 1, 0, 1]].reshape(-1), out=first[1:])
    run = np.empty((first[-1], 4), np.int32)
    _trace(grown, grown_start, grown_height, grown_width, first, run)
    sides = np.stack([grown_height, grown_width, grown_height, grown_width], 1).reshape(-1)
    across = np.stack([grown_width, grown_height, grown_width, grown_height], 1).reshape(-1)
    return Runs(run, first, sides.astype(np.int32), across.astype(np.int32), area)


@numba.njit(cache=True, nogil=True)
def _grow(bits, start, height, width, gutter, grown, grown_start):
    """Write each chart, grown by `gutter` to the left and downwards: pixel (i, j) becomes (i + gutter, j + gutter)."""
    for c in range(len(height)):
        wide, narrow = np.uint64(width[c] + gutter), np.uint64(width[c])  # unsigned, so that the loops vectorise
        for i in range(height[c]):
            source = np.uint64(start[c] + i * width[c])
            target = np.uint64(grown_start[c]) + np.uint64(i) * wide
            for _ in range(gutter + 1):
                for j in range(narrow):
                    grown[target + j] |= bits[source + j] != 0
                target += np.uint64(1)
        for i in range(height[c] + gutter - 1, 0, -1):
            target = np.uint64(grown_start[c]) + np.uint64(i) * wide
            for k in range(max(i - gutter, 0), i):
                source = np.uint64(grown_start[c]) + np.uint64(k) * wide
                for j in range(wide):
                    grown[target + j] |= grown[source + j]


@numba.njit(cache=True, nogil=True)
def _count(grown, start, height, width, counts, area):
    """Count the horizontal and the vertical runs of each chart, and its pixels."""
    for c in range(len(height)):
        wide = np.uint64(width[c])
        for i in range(height[c]):
            line = np.uint64(start[c]) + np.uint64(i) * wide
            pixels, rights, ups = np.int64(0), np.int64(0), np.int64(0)
            for j in range(wide):
                pixels += grown[line + j]
            for j in range(np.uint64(1), wide):
                rights += grown[line + j] & ~grown[line + j - np.uint64(1)]
            if i == 0:
                ups = pixels
            else:
                for j in range(wide):
                    ups += grown[line + j] & ~grown[line + j - wide]
            area[c] += pixels
            counts[c, 0] += rights + (grown[line] if wide else 0)
            counts[c, 1] += ups


@numba.njit(cache=True, nogil=True)
def _trace(grown, start, height, width, first, run):
    """Write the runs of every chart in its four turns."""
    for c in range(len(height)):
        h, w = height[c], width[c]
        pixels = grown[start[c] : start[c + 1]]
        turned = _quarter_turn(pixels, h, w)
        n = _append_runs(pixels, h, w, run, first[4 * c])
        _append_runs(turned, w, h, run, n)
        for k in range(first[4 * c], first[4 * c + 2]):
            opposite = first[4 * c + 2] + k - first[4 * c]
            rows, columns = (h, w) if k < n else (w, h)
            run[opposite, 0] = rows - 1 - run[k, 0]
            run[opposite, 1] = columns - run[k, 1] - run[k, 2]
            run[opposite, 2], run[opposite, 3] = run[k, 2], run[k, 3]


@numba.njit(cache=True, nogil=True)
def _quarter_turn(pixels, h, w):
    """The bitmap turned counter-clockwise: pixel (i, j) becomes (j, h - 1 - i). In blocks, for the cache's sake."""
    turned = np.empty_like(pixels)
    for top in range(0, h, BLOCK):
        for j in range(w):
            for i in range(top, min(top + BLOCK, h)):
                turned[j * h + h - 1 - i] = pixels[i * w + j]
    return turned


@numba.njit(cache=True, nogil=True)
def _append_runs(pixels, h, w, run, n):
    """Write the runs of a bitmap from number `n` on, rows far apart first; the number after them."""
    stride = 1
    while stride < h:
        stride *= 2
    row = 0
    while stride:
        for i in range(row, h, 2 * stride if row else stride):
            n = _row_runs(pixels[i * w : i * w + w], i, run, n)
        row = stride // 2
        stride //= 2
    return n


@numba.njit(cache=True, nogil=True)
def _row_runs(pixels, row, run, n):
    """Write the runs of one row from number `n` on; the number after them."""
    j = 0
    while True:
        while j < len(pixels) and not pixels[j]:
            j += 1
        if j == len(pixels):
            return n
        begin = j
        while j < len(pixels) and pixels[j]:
            j += 1
        run[n, 0], run[n, 1], run[n, 2], run[n, 3] = row, begin, j - begin, 0
        while (2 << run[n, 3]) <= j - begin:
            run[n, 3] += 1
        n += 1
