"""Bounding boxes of patches into the unit square with the margins of the published layouts; few boxes, no rotation."""

from __future__ import annotations

from typing import Final

import numpy as np

MARGIN: Final = 0.02
"""Free space around every box, as a fraction of the square's side."""
_STEPS: Final = 40
"""Halvings of the interval in which the largest scale is searched."""


def pack_boxes(sizes: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest scale found at which boxes of `sizes` (N, 2) fit, and their lower left corners (N, 2).

    Tall boxes first, each as low and then as far left as the outline of those below allows (bottom-left skyline).
    """
    order = np.argsort(-sizes[:, 1], kind="stable")
    low, high = 0.0, (1 - 2 * MARGIN) / max(float(sizes.max()), 1e-12)
    best = _placed(sizes, order, high)
    if best is not None:
        return high, best
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = _placed(sizes, order, middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    if best is None:
        raise ValueError(f"{len(sizes)} boxes do not fit with margins of {MARGIN}")
    return low, best


def _placed(sizes: np.ndarray, order: np.ndarray, scale: float) -> np.ndarray | None:
    """Corners at `scale`, or None where the boxes do not fit."""
    corners = np.empty_like(sizes)
    padded = sizes * scale + 2 * MARGIN
    skyline = [(0.0, 0.0)]  # left end and height of each step, from left to right
    for box in order:
        width, height = padded[box]
        spot = min(_spots(skyline, width), default=None)
        if spot is None or spot[0] + height > 1 + 1e-12:
            return None
        bottom, left = spot
        corners[box] = left + MARGIN, bottom + MARGIN
        skyline = _raised(skyline, left, left + width, bottom + height)
    return corners


def _spots(skyline: list[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """(height, left) of every place where a box may rest with its left side at a step of the skyline."""
    spots = []
    for i, (left, _) in enumerate(skyline):
        if left + width > 1 + 1e-12:
            break
        under = [height for start, height in skyline[i:] if start < left + width - 1e-12]
        spots.append((max(under), left))
    return spots


def _raised(skyline: list[tuple[float, float]], left: float, right: float, height: float) -> list[tuple[float, float]]:
    before = [step for step in skyline if step[0] < left]
    after = [step for step in skyline if step[0] > right]
    resumed = max((step for step in skyline if step[0] <= right), key=lambda step: step[0])
    return [*before, (left, height), *([(right, resumed[1])] if right < 1 - 1e-12 else []), *after]
