"""Cleans a labelling of faces: smooth borders, one piece per label, no specks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.projection import connected_charts

MOST_ROUNDS: Final = 30
SPECK: Final = 0.2
"""A piece below this fraction of the largest piece of its label joins a neighbour."""


def cleaned(label: np.ndarray, opposite: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(F,) int32: `label` (F,) with specks and unlabelled faces (-1) absorbed and ragged borders straightened.

    `opposite` (3F,) int32, `area` (F,) float64. Faces that no labelled face can reach stay -1.
    """
    label = label.astype(np.int32).copy()
    _straighten(label, opposite)
    piece, pieces = connected_charts(opposite, label)
    size = np.bincount(piece, weights=area, minlength=pieces)
    of_piece = np.empty(pieces, np.int32)
    of_piece[piece] = label
    largest = np.zeros(label.max() + 2)
    np.maximum.at(largest, of_piece, size)
    label[(size < SPECK * largest[of_piece])[piece]] = -1
    while _absorb(label, opposite):
        pass
    _straighten(label, opposite)
    return label


@njit(cache=True, nogil=True)
def _straighten(label: np.ndarray, opposite: np.ndarray) -> None:
    """Faces of which two neighbours share another label take it: each time the border becomes shorter."""
    for _ in range(MOST_ROUNDS):
        changed = False
        for face in range(len(label)):
            first, second, third = opposite[3 * face], opposite[3 * face + 1], opposite[3 * face + 2]
            a = label[first // 3] if first >= 0 else -1
            b = label[second // 3] if second >= 0 else -1
            c = label[third // 3] if third >= 0 else -1
            shared = a if a in (b, c) else b if b == c else -1
            if shared >= 0 and shared != label[face]:
                label[face] = shared
                changed = True
        if not changed:
            return


@njit(cache=True, nogil=True)
def _absorb(label: np.ndarray, opposite: np.ndarray) -> bool:
    """One ring of unlabelled faces takes the labels next to it; whether any did."""
    changed = False
    taken = label.copy()
    for face in range(len(label)):
        if label[face] >= 0:
            continue
        for k in range(3):
            other = opposite[3 * face + k]
            if other >= 0 and label[other // 3] >= 0:
                taken[face] = label[other // 3]
                changed = True
                break
    label[:] = taken
    return changed
