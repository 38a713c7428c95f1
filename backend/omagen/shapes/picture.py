"""A picture with opacity, the input of most engines and the output of some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Picture:
    rgba: np.ndarray
    """(H, W, 4) uint8, sRGB, straight (unpremultiplied) alpha, row 0 at the top"""
    has_alpha: bool = False
    """True where the file itself carried opacity that is not the same everywhere."""
    warnings: tuple[str, ...] = ()
    """What was odd about the file, in words for the user."""
