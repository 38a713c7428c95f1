"""Windings of charts without normals: neighbours across seams agree, and closed shapes face outwards."""

from __future__ import annotations

import numba
import numpy as np

INSIDE_OUT = -0.05
"""A shape is turned when its volume is below this share of the volume of a ball with its area."""


def seam_windings(
    labels: np.ndarray, blocks: np.ndarray, position: np.ndarray, one: np.ndarray, other: np.ndarray, vote: np.ndarray
) -> np.ndarray:
    """(C,) int8 per label: 1 for triangles counter-clockwise in the picture, -1 for clockwise.

    `one`, `other` (N,) int32: the labels of paired pixels, `vote` (N,) float64: above 0 where the same winding fits,
    below where opposite ones do. Strong seams decide first. Each group of charts so connected keeps the winding of the
    larger part of its area, unless that makes it a shape turned inside out.
    """
    count = int(labels.max(initial=-1)) + 1
    between = one != other
    low, high = np.minimum(one, other)[between], np.maximum(one, other)[between]
    keys, index = np.unique(low.astype(np.int64) * count + high, return_inverse=True)
    votes = np.bincount(index, vote[between], len(keys))
    order = np.argsort(-np.abs(votes), kind="stable")
    group, sign = _join(count, (keys // count)[order], (keys % count)[order], votes[order])
    size, area, moment, middle = _chart_sums(labels, blocks, position, count)
    groups = int(group.max(initial=-1)) + 1
    total = np.maximum(np.bincount(group, size, groups), 1e-30)
    centre = np.stack([np.bincount(group, middle[:, k], groups) for k in range(3)], axis=1) / total[:, None]
    volume = np.bincount(group, sign * (moment - (area * centre[group]).sum(axis=1)) / 3, groups)
    roundness = volume / (total**1.5 / (6 * np.sqrt(np.pi)))
    native = np.bincount(group, sign * size, groups)
    flip = np.where(np.abs(roundness) > -INSIDE_OUT, roundness < 0, native < 0)
    return np.where(flip[group], -sign, sign).astype(np.int8)


@numba.njit(cache=True, nogil=True)
def _join(count: int, one: np.ndarray, other: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`group` (C,) int64 of charts connected by votes, and `sign` (C,) int8 within them, decided in the given order."""
    group = np.arange(count)
    sign = np.ones(count, np.int8)
    for n in range(len(one)):
        a, b = group[one[n]], group[other[n]]
        if a == b or votes[n] == 0:
            continue
        turn = sign[one[n]] * sign[other[n]] * (1 if votes[n] > 0 else -1)
        for c in range(count):
            if group[c] == b:
                group[c] = a
                sign[c] *= turn
    return group, sign


@numba.njit(cache=True, nogil=True)
def _chart_sums(
    labels: np.ndarray, blocks: np.ndarray, position: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each chart, from its blocks of four pixels: area, vector area, vector area times place, area times place."""
    size = np.zeros(count, np.float64)
    area = np.zeros((count, 3), np.float64)
    moment = np.zeros(count, np.float64)
    middle = np.zeros((count, 3), np.float64)
    part = np.empty(3, np.float64)
    for i in range(labels.shape[0] - 1):
        for j in range(labels.shape[1] - 1):
            if blocks[i, j] != 15:
                continue
            own = labels[i, j]
            a, b, c, d = position[i, j], position[i, j + 1], position[i + 1, j + 1], position[i + 1, j]
            square = 0.0
            for k in range(3):
                x, y = (k + 1) % 3, (k + 2) % 3
                part[k] = 0.5 * ((c[x] - a[x]) * (d[y] - b[y]) - (c[y] - a[y]) * (d[x] - b[x]))
                square += part[k] ** 2
            length = np.sqrt(square)
            size[own] += length
            for k in range(3):
                place = (a[k] + b[k] + c[k] + d[k]) / 4
                area[own, k] += part[k]
                moment[own] += part[k] * place
                middle[own, k] += length * place
    return size, area, moment, middle
