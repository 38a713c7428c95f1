"""Chart bitmaps as runs: what the placement tests and stamps.

Every chart is grown by the gutter to the left and downwards once. Grown charts are disjoint exactly when the charts
themselves are more than the gutter apart in every direction, so placement need not know of gutters at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


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
        wide = width[c] + gutter
        for i in range(height[c]):
            source = start[c] + i * width[c]
            target = grown_start[c] + i * wide
            left = 0
            for j in range(width[c] - 1, -1, -1):
                if bits[source + j]:
                    left = gutter + 1
                if left:
                    grown[target + j + gutter] = 1
                    left -= 1
            for j in range(gutter - 1, gutter - 1 - left, -1):
                grown[target + j] = 1
        for i in range(height[c] + gutter - 1, -1, -1):
            target = grown_start[c] + i * wide
            above = min(i, height[c] - 1)
            for k in range(max(i - gutter, 0), above):
                source = grown_start[c] + k * wide
                for j in range(wide):
                    grown[target + j] |= grown[source + j]
            if above < i and above >= 0:
                source = grown_start[c] + above * wide
                for j in range(wide):
                    grown[target + j] |= grown[source + j]


@numba.njit(cache=True, nogil=True)
def _count(grown, start, height, width, counts, area):
    """Count the horizontal and the vertical runs of each chart, and its pixels."""
    for c in range(len(height)):
        h, w, pixels = height[c], width[c], grown[start[c] : start[c + 1]]
        for i in range(h):
            for j in range(w):
                if pixels[i * w + j]:
                    area[c] += 1
                    counts[c, 0] += j == 0 or not pixels[i * w + j - 1]
                    counts[c, 1] += i == 0 or not pixels[(i - 1) * w + j]


@numba.njit(cache=True, nogil=True)
def _trace(grown, start, height, width, first, run):
    """Write the runs of every chart in its four turns."""
    for c in range(len(height)):
        h, w, pixels = height[c], width[c], grown[start[c] : start[c + 1]]
        n = first[4 * c]
        for stride, begin in _spread(h):
            for i in range(begin, h, stride):
                n = _row_runs(pixels, i * w, 1, w, i, run, n)
        for stride, begin in _spread(w):
            for j in range(begin, w, stride):  # a quarter turn counter-clockwise: (i, j) -> (j, h - 1 - i)
                n = _row_runs(pixels, (h - 1) * w + j, -w, h, j, run, n)
        for k in range(first[4 * c], first[4 * c + 2]):
            turned = first[4 * c + 2] + k - first[4 * c]
            rows, columns = (h, w) if k < first[4 * c + 1] else (w, h)
            run[turned, 0] = rows - 1 - run[k, 0]
            run[turned, 1] = columns - run[k, 1] - run[k, 2]
            run[turned, 2], run[turned, 3] = run[k, 2], run[k, 3]


@numba.njit(cache=True, nogil=True)
def _spread(count):
    """Strides and first rows that visit `count` rows once each, always halving the widest gap."""
    stride = 1
    while stride < count:
        stride *= 2
    order = [(stride, 0)]
    while stride > 1:
        order.append((stride, stride // 2))
        stride //= 2
    return order


@numba.njit(cache=True, nogil=True)
def _row_runs(pixels, at, step, length, row, run, n):
    """Append the runs of one row, whose pixels lie `step` apart from `at` on; the number of runs so far."""
    begin = -1
    for j in range(length + 1):
        inside = j < length and pixels[at + j * step]
        if inside and begin < 0:
            begin = j
        if not inside and begin >= 0:
            run[n, 0], run[n, 1], run[n, 2], run[n, 3] = row, begin, j - begin, 0
            while (2 << run[n, 3]) <= j - begin:
                run[n, 3] += 1
            n += 1
            begin = -1
    return n
