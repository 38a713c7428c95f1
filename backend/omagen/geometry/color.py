"""The sRGB transfer function, IEC 61966-2-1."""

from __future__ import annotations

import numpy as np


def to_linear(color: np.ndarray) -> np.ndarray:
    """sRGB to linear, both 0 to 1, in the array's own float type."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def to_srgb(color: np.ndarray) -> np.ndarray:
    """Linear to sRGB, both 0 to 1, in the array's own float type."""
    return np.where(color <= 0.0031308, color * 12.92, 1.055 * np.maximum(color, 1e-6) ** (1 / 2.4) - 0.055)
