"""Evens out that pictures of one object are of different brightness and tint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from omagen.texturing.views import Sight

DARKEST: Final = 0.01
"""Linear light below which a ratio says nothing"""
FEWEST: Final = 30
"""Points that two pictures must share for their ratio to count"""
STEADINESS: Final = 0.02
"""How much a picture wants to stay as it is, as a share of all points that it shares with others"""
LARGEST: Final = np.log(3.0)


def gains(sights: Sequence[Sight]) -> np.ndarray:
    """(V, 3) float64: factors for the linear colours of V pictures that make them agree where they show the same.

    Brown, Lowe, "Automatic panoramic image stitching using invariant features", 2007, section 6, per channel, in
    logarithms, with medians. The first picture is held; pictures that share nothing keep their colours.
    """
    count = len(sights)
    matrix, right = np.zeros((count, count)), np.zeros((count, 3))
    for i in range(count):
        for j in range(i):
            both = np.minimum(_sure(sights[i]), _sure(sights[j])) > 0.5
            bright = both & (np.minimum(sights[i].color, sights[j].color).min(1) > DARKEST)
            shared = int(bright.sum())
            if shared < FEWEST:
                continue
            ratio = np.median(np.log(sights[j].color[bright] / sights[i].color[bright]), axis=0)
            # wanted: log gain of i - log gain of j = ratio
            matrix[i, i] += shared
            matrix[j, j] += shared
            matrix[i, j] -= shared
            matrix[j, i] -= shared
            right[i] += shared * ratio
            right[j] -= shared * ratio
    matrix += np.diag(STEADINESS * matrix.diagonal() + 1e-9)
    matrix[0, 0] += 1e3 * max(matrix.diagonal().max(), 1.0)
    return np.exp(np.linalg.solve(matrix, right).clip(-LARGEST, LARGEST))


def _sure(sight: Sight) -> np.ndarray:
    return sight.trust * sight.opacity
