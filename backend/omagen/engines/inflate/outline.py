"""From opacity to a sub-pixel outline: the level set that is contoured, and its closed loops.

Coordinates are those of the opacity grid: x to the right in columns, y *down* in rows, pixel centres at whole numbers.
"""

from __future__ import annotations

import cv2
import numpy as np
from skimage.measure import find_contours

from omagen.protocol import ErrorCode, OmagenError

PADDING = 6
"""Empty pixels around the grid, so that an object at the picture's border is closed there."""
SMALLEST_PART = 12.0
"""Parts and holes of fewer pixels are specks. So is a part below `SPECK_FRACTION` of the largest one."""
SPECK_FRACTION = 4e-4
MOST_PARTS = 200
GRADIENT = 0.25
"""How much opacity may differ between neighbours without counting as a thin line."""


def level_set(alpha: np.ndarray) -> tuple[np.ndarray, int]:
    """(H, W) float32, positive inside, zero on the outline, from (H, W) float32 opacity 0 to 1 whose border is empty;
    and how many parts were left out because there are more than `MOST_PARTS`.

    Smoothing removes the stair steps of hard masks. It would also remove lines of one pixel, so what is too thin for a
    2x2 opening is strengthened first, just enough to keep its width.
    """
    soft = np.count_nonzero((alpha > 0.1) & (alpha < 0.9))
    edge = np.count_nonzero(cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))))
    sigma = 0.65 if soft > 0.25 * edge else 1.0
    square = np.ones((2, 2), np.uint8)
    opened = cv2.dilate(cv2.erode(alpha, square, anchor=(0, 0)), square, anchor=(1, 1))
    thin = alpha - opened
    thin = np.maximum(thin - GRADIENT, 0) / (1 - GRADIENT)
    level = cv2.GaussianBlur(alpha + (0.9 if sigma < 1 else 1.3) * thin, (0, 0), sigma) - 0.5
    return _without_specks(level)


def _without_specks(level: np.ndarray) -> tuple[np.ndarray, int]:
    """`level` with parts and holes that are too small to be meant pushed to the other side of zero, and how many parts
    went that are no specks.
    """
    inside = (level > 0).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    if area.max() < SMALLEST_PART:
        raise OmagenError(
            ErrorCode.INPUT, "No object was found in the picture.",
            "Use a picture in which one object stands out from its background, or supply a mask.",
        )  # fmt: skip
    limit = max(SMALLEST_PART, SPECK_FRACTION * area.max())
    speck = area < limit
    too_many = np.argsort(-area, kind="stable")[MOST_PARTS:]
    left_out = int(np.count_nonzero(~speck[too_many]))
    speck[too_many] = True
    speck[0] = False
    level = np.where(speck[parts.astype(np.intp)], np.minimum(level, -0.05), level)
    _, holes, stats, _ = cv2.connectedComponentsWithStats(1 - inside, connectivity=4)
    pinhole = stats[:, cv2.CC_STAT_AREA] < SMALLEST_PART
    pinhole[0] = False
    level = np.where(pinhole[holes.astype(np.intp)] & (inside == 0), np.maximum(level, 0.05), level).astype(np.float32)
    return level, left_out


def contour(level: np.ndarray) -> list[np.ndarray]:
    """Closed loops of the zero level, each (n, 2) float64 in x, y without a repeated last point, with the inside at the
    left in a frame whose y points up: outer loops counter-clockwise, holes clockwise.

    The level set is contoured at twice its resolution, which decides saddles by their value rather than by a rule.
    """
    height, width = level.shape
    fine = cv2.resize(level, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    found = find_contours(fine, 0.0, positive_orientation="high")
    loops = [(loop[:-1, ::-1] + 0.5) / 2 - 0.5 for loop in found if len(loop) > 4]
    return [loop for loop in loops if abs(area(loop)) > SMALLEST_PART / 4]


def area(loop: np.ndarray) -> float:
    """Signed area of a closed loop, positive where it runs counter-clockwise in a frame whose y points up."""
    x, y = loop[:, 0], -loop[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
