"""Mends what noise does to the charts of generated omages: strayed pixels, charts that touch, specks.

A network gives every pixel a position that is a little off, some far off, and borders that are ragged. Lengths are
judged by each pixel's own surroundings: its spacing is the median distance to its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

STRAYED = 5.0
"""A pixel has strayed when it is this many spacings from the median of its neighbours."""
TORN = 6.0
"""Two neighbours are on different charts when they are this many spacings apart."""
SPECK = 5
"""Charts of fewer pixels are noise."""
ENOUGH = 5
"""With so many of its eight neighbours, a strayed pixel is put back among them; with fewer it is removed."""


@dataclass(frozen=True)
class Cleaned:
    labels: np.ndarray
    """(H, W) int32 from 0, -1 for none: charts as connected pieces without tears"""
    position: np.ndarray
    """(H, W, 3) float32, with strayed pixels put back"""
    moved: int
    removed: int
    """Strayed pixels that were put back and removed"""
    specks: int
    """Charts removed for being too small"""


def remove_outliers(labels: np.ndarray, position: np.ndarray) -> Cleaned:
    """Put strayed pixels back, take charts apart where they only touch, and drop specks.

    `labels` (H, W) int32, -1 for none, `position` (H, W, 3) float32, finite where labelled.
    """
    labels, position = labels.copy(), position.copy()
    spacing, stray = _find_strays(labels, position)
    moved, removed = _mend(labels, position, spacing, stray)
    spacing, _ = _find_strays(labels, position)
    pieces = _pieces(labels, position, spacing)
    count = np.bincount(pieces[pieces >= 0])
    is_speck = count < SPECK
    number = np.where(is_speck, -1, np.cumsum(~is_speck) - 1).astype(np.int32)
    pieces = np.where(pieces < 0, np.int32(-1), number[pieces]) if len(count) else pieces
    return Cleaned(pieces, position, moved, removed, int(is_speck.sum()))


@numba.njit(cache=True, nogil=True)
def _find_strays(labels: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`spacing` (H, W) float32: the median distance of each pixel's neighbours from their median; and (H, W) bool:
    whether the pixel has strayed from it."""
    height, width = labels.shape
    spacing = np.zeros((height, width), np.float32)
    stray = np.zeros((height, width), np.bool_)
    near = np.empty((3, 8), np.float32)
    length = np.empty(8, np.float32)
    middle = np.empty(3, np.float32)
    for i in range(height):
        for j in range(width):
            own = labels[i, j]
            if own < 0:
                continue
            count = 0
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if labels[y, x] == own and (y != i or x != j):
                        for k in range(3):
                            near[k, count] = position[y, x, k]
                        count += 1
            if count < 3:
                continue
            away = 0.0
            for k in range(3):
                middle[k] = _median(near[k], count)
                away += (position[i, j, k] - middle[k]) ** 2
            for n in range(count):
                x0, x1, x2 = near[0, n] - middle[0], near[1, n] - middle[1], near[2, n] - middle[2]
                length[n] = x0 * x0 + x1 * x1 + x2 * x2
            square = _median(length, count)
            spacing[i, j] = np.sqrt(square)
            stray[i, j] = away > STRAYED * STRAYED * square
    return spacing, stray


@numba.njit(cache=True, nogil=True)
def _median(values: np.ndarray, count: int) -> float:
    """The middle, or the upper one of both middles, of the first `count` of `values`, which stay in their order."""
    for n in range(count):
        below = same = 0
        for m in range(count):
            below += values[m] < values[n]
            same += values[m] == values[n]
        if below <= count // 2 < below + same:
            return values[n]
    return values[0]


@numba.njit(cache=True, nogil=True)
def _mend(labels: np.ndarray, position: np.ndarray, spacing: np.ndarray, stray: np.ndarray) -> tuple[int, int]:
    """Put strayed pixels at the mean of their sound neighbours, or unlabel them; how many of each. Where pixels around
    have strayed as well, it is the shape that is rough, and nothing is done."""
    height, width = labels.shape
    moved = removed = 0
    total = np.zeros(3, np.float64)
    for i in range(height):
        for j in range(width):
            if not stray[i, j] or spacing[i, j] == 0:
                continue
            count = strays = 0
            total[:] = 0
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if labels[y, x] != labels[i, j] or (y == i and x == j):
                        continue
                    if stray[y, x]:
                        strays += 1
                    else:
                        for k in range(3):
                            total[k] += position[y, x, k]
                        count += 1
            if strays > 2:
                continue
            if count >= ENOUGH:
                for k in range(3):
                    position[i, j, k] = total[k] / count
                moved += 1
            else:
                labels[i, j] = -1
                removed += 1
    return moved, removed


@numba.njit(cache=True, nogil=True)
def _pieces(labels: np.ndarray, position: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """(H, W) int32: pieces of the labels, 8-connected through neighbours that are not torn apart, numbered in order."""
    height, width = labels.shape
    pieces = np.full((height, width), -1, np.int32)
    stack = np.empty(height * width, np.int64)
    piece = 0
    for first in range(height * width):
        if labels[first // width, first % width] < 0 or pieces[first // width, first % width] >= 0:
            continue
        stack[0], depth = first, 1
        pieces[first // width, first % width] = piece
        while depth:
            depth -= 1
            i, j = stack[depth] // width, stack[depth] % width
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if labels[y, x] != labels[i, j] or pieces[y, x] >= 0 or _is_torn(position, spacing, i, j, y, x):
                        continue
                    pieces[y, x] = piece
                    stack[depth] = y * width + x
                    depth += 1
        piece += 1
    return pieces


@numba.njit(cache=True, nogil=True)
def _is_torn(position: np.ndarray, spacing: np.ndarray, i: int, j: int, y: int, x: int) -> bool:
    square = 0.0
    for k in range(3):
        square += (position[i, j, k] - position[y, x, k]) ** 2
    limit = TORN * max(spacing[i, j], spacing[y, x])
    return limit > 0 and square > limit * limit
