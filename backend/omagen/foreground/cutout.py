"""Which pixels are the object: a mask that is supplied, the picture's own opacity, a network, or classical
segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from omagen.engines.base import RunProgress
from omagen.foreground.classical import segment
from omagen.foreground.matting import soften
from omagen.foreground.network import installed_network
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Picture

LEAST_SIDE = 8
"""An object smaller than this many pixels has no shape to speak of."""
MOST_ELONGATED = 60.0


@dataclass(frozen=True)
class Cutout:
    """A picture with the object's opacity."""

    rgb: np.ndarray
    """(H, W, 3) uint8, sRGB, as in the picture"""
    alpha: np.ndarray
    """(H, W) float32, 0 to 1"""
    mixed: bool
    """Whether partly opaque pixels of `rgb` contain the background's colour."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns that hold the object."""
        rows = np.flatnonzero((self.alpha > 0.02).any(1))
        columns = np.flatnonzero((self.alpha > 0.02).any(0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def cut_out(picture: Picture, mask: np.ndarray | None, progress: RunProgress) -> Cutout:
    """The object in `picture`. `progress` gets fractions from 0 to 1.

    mask: (h, w) float32, 0 to 1, of any size; it wins over everything else.
    Raises `OmagenError` (input) where there is no object, or one too small or too elongated.
    """
    progress("Finding the object", 0.0)
    rgb = np.ascontiguousarray(picture.rgba[..., :3])
    if mask is not None:
        cutout = Cutout(rgb, _fitted(mask, rgb, progress), mixed=True)
    elif picture.has_alpha and _meaningful(picture.rgba[..., 3]):
        opacity = picture.rgba[..., 3]
        cutout = Cutout(rgb, opacity.astype(np.float32) / np.float32(opacity.max()), mixed=False)
    else:
        find = installed_network()
        if find is None:
            progress.warn(
                "The object was cut out by colour and contrast alone, so its outline is approximate. For a better one "
                "paint or supply a mask, use a picture with a transparent background, or download a model for removing "
                "backgrounds."
            )
            find = segment
        coarse = find(rgb, lambda fraction: progress("Finding the object", 0.8 * fraction))
        progress("Matting the edges", 0.8)
        cutout = Cutout(rgb, soften(rgb, coarse), mixed=True)
    _check(cutout)
    progress("Finding the object", 1.0)
    return cutout


def _meaningful(alpha: np.ndarray) -> bool:
    """Whether an opacity channel cuts an object out, rather than being noise or rounded corners."""
    return float(np.mean(alpha < 0.5 * alpha.max())) > 0.005


def _fitted(mask: np.ndarray, rgb: np.ndarray, progress: RunProgress) -> np.ndarray:
    """`mask` at the picture's size."""
    height, width = rgb.shape[:2]
    if mask.shape == (height, width):
        return np.clip(mask, 0, 1).astype(np.float32)
    if abs(mask.shape[1] / mask.shape[0] * height / width - 1) > 0.02:
        progress.warn(
            f"The mask ({mask.shape[1]} x {mask.shape[0]}) has other proportions than the picture ({width} x {height}) "
            "and was stretched over it."
        )
    smaller = mask.shape[0] > height
    resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.clip(resized, 0, 1).astype(np.float32)


def _check(cutout: Cutout) -> None:
    solid = cutout.alpha > 0.5
    if not solid.any():
        raise OmagenError(
            ErrorCode.INPUT, "No object was found in the picture.",
            "Use a picture in which one object stands out from its background, or supply a mask.",
        )  # fmt: skip
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    sides = (int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))
    if max(sides) < LEAST_SIDE:
        raise OmagenError(
            ErrorCode.INPUT, f"The object is only {sides[0]} x {sides[1]} pixels.",
            f"Use a picture in which it has at least {LEAST_SIDE} pixels; 500 and more give a good texture.",
        )  # fmt: skip
    if max(sides) > MOST_ELONGATED * min(sides):
        raise OmagenError(
            ErrorCode.INPUT, f"The object is too elongated ({sides[0]} x {sides[1]} pixels).",
            f"Use one that is at most {MOST_ELONGATED:g} times as long as wide.",
        )  # fmt: skip
