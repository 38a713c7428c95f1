"""Normals as colours and back, as image models know normal maps."""

from __future__ import annotations

from typing import Final

import numpy as np

BACKGROUND: Final = 0.5
"""Mid grey is no direction, and the least step from normals at an outline, which lie across the view"""


def encode(normal: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32, 0 to 1: red to the right, green up, blue towards the viewer.

    `normal` (H, W, 3) in the camera's frame; `share` (H, W), 0 to 1, of the object, the rest is background.
    """
    return (BACKGROUND + 0.5 * np.asarray(normal, np.float32) * np.clip(share, 0, 1)[..., None]).astype(np.float32)


def decode(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) float32 unit normals of a `picture` (H, W, 3), and (H, W) float32 how long they were; grey gives 0."""
    direction = 2 * np.asarray(picture, np.float32) - 1
    length = np.linalg.norm(direction, axis=-1)
    return direction / np.maximum(length, 1e-6)[..., None] * (length > 1e-6)[..., None], length


def unit(vectors: np.ndarray) -> np.ndarray:
    """`vectors` (..., 3) at length 1; those without length stay 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
