"""The charts of an omage as an image of numbers: what a user selects, hides, separates or paints."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from omagen.shapes import Omage


def chart_labels(omage: Omage) -> np.ndarray:
    """(R, R) int32: which chart each pixel belongs to, -1 for none.

    The omage's own chart numbers or, without them, 8-connected components of the occupancy, counted from 0. Pixels that
    are occupied without a chart or a position (not finite) belong to none.
    """
    if omage.chart is not None:
        labels = omage.chart.astype(np.int32)
    else:
        _, labels = cv2.connectedComponents(omage.occupancy.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        labels -= 1
    _clear(labels, omage.occupancy, omage.position)
    return labels


def patches(omage: Omage) -> np.ndarray:
    """(R, R) int32: patch numbers, 0 for the largest on the surface, the next for the next; -1 where there is none."""
    labels = chart_labels(omage)
    ranks = patch_ranks(labels, omage.position)
    return np.where(labels < 0, np.int32(-1), ranks[labels])


def patch_ranks(labels: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(C,) int32: the place of each label 0 to C - 1 by its area on the surface, largest first, ties by number.

    `labels` (H, W) int32, `position` (H, W, 3) float32. Labels that no pixel has come last.
    """
    count = int(labels.max(initial=-1)) + 1
    order = np.argsort(-_areas(labels, position, count), kind="stable")
    ranks = np.empty(count, np.int32)
    ranks[order] = np.arange(count, dtype=np.int32)
    return ranks


@numba.njit(cache=True, nogil=True)
def _clear(labels: np.ndarray, occupancy: np.ndarray, position: np.ndarray) -> None:
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            is_finite = np.isfinite(position[i, j, 0] + position[i, j, 1] + position[i, j, 2])
            if labels[i, j] < 0 or not occupancy[i, j] or not is_finite:
                labels[i, j] = -1


@numba.njit(cache=True, nogil=True)
def _areas(labels: np.ndarray, position: np.ndarray, count: int) -> np.ndarray:
    """(count,) float64: the sum of the parallelograms between each pixel and its right and upper neighbour; for labels
    too thin to have any, a negative number that grows with their pixels."""
    areas = np.zeros(count, np.float64)
    pixels = np.zeros(count, np.int64)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            own = labels[i, j]
            if own < 0:
                continue
            pixels[own] += 1
            if i + 1 == labels.shape[0] or j + 1 == labels.shape[1]:
                continue
            if labels[i, j + 1] == own and labels[i + 1, j] == own:
                square = 0.0
                for k in range(3):
                    x, y = (k + 1) % 3, (k + 2) % 3
                    ux, uy = position[i, j + 1, x] - position[i, j, x], position[i, j + 1, y] - position[i, j, y]
                    vx, vy = position[i + 1, j, x] - position[i, j, x], position[i + 1, j, y] - position[i, j, y]
                    square += (ux * vy - uy * vx) ** 2
                areas[own] += np.sqrt(square)
    for label in range(count):
        if areas[label] == 0:
            areas[label] = -1.0 / pixels[label] if pixels[label] else -2.0
    return areas
