"""An image's pixels, copied out of Blender, and the picture file that is made of them off the main thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from . import png

STRIP: Final = 256
"""Rows that are converted at a time, so that large pictures take little more memory than their pixels."""


@dataclass(frozen=True)
class Pixels:
    """An image's pixels as Blender holds them; all that is made of them is made by `png`, off the main thread."""

    values: np.ndarray
    """(H, W, C) float32, the bottom row first, C from 1 to 4"""
    is_linear: bool = False
    """True for floating-point images; the others are sRGB."""
    is_mask: bool = False
    """Only what belongs to the object counts: the transparency, or the brightness of a picture that is opaque."""

    def png(self) -> bytes:
        """The picture as a PNG file of 8 bits, RGBA or grey. Takes a while for large ones; fit for any thread."""
        height, width, channels = self.values.shape
        opaque = channels < 4 or float(self.values[..., 3].min()) >= 1.0
        tops = range(height, 0, -STRIP)
        return png.encode((self._strip(self.values[max(top - STRIP, 0) : top], opaque) for top in tops), height, width)

    def _strip(self, values: np.ndarray, opaque: bool) -> np.ndarray:
        """Some rows, turned upside down, as the bytes of the file."""
        values = values[::-1]
        return _mask_of(values, opaque)[..., None] if self.is_mask else _rgba_of(values, self.is_linear)


def _rgba_of(values: np.ndarray, is_linear: bool) -> np.ndarray:
    """(H, W, C) float32 -> (H, W, 4) uint8 sRGB."""
    channels = values.shape[2]
    full = np.ones((*values.shape[:2], 4), np.float32)
    full[..., :3] = values[..., :1] if channels < 3 else values[..., :3]
    if channels == 4:
        full[..., 3] = values[..., 3]
    full.clip(0.0, 1.0, out=full)
    if is_linear:
        colour = full[..., :3]
        full[..., :3] = np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * colour ** (1 / 2.4) - 0.055)
    return _eight_bit(full)


def _mask_of(values: np.ndarray, opaque: bool) -> np.ndarray:
    """(H, W, C) float32 -> (H, W) uint8, white = object."""
    return _eight_bit((values[..., :3].mean(axis=-1) if opaque else values[..., 3]).clip(0.0, 1.0))


def _eight_bit(values: np.ndarray) -> np.ndarray:
    """float32 from 0 to 1 -> uint8"""
    return (values * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
