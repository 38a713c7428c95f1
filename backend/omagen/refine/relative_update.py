"""Takes from generated normals the detail only: large shapes stay the mesh's own, what is far off is not believed.

An image model that was not trained on normal maps gets slopes wrong over large areas, and fine detail less so. The
differences to the mesh's normals therefore lose what a Gaussian leaves of them.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from omagen.refine.normal_pictures import unit

SHORT: Final = 0.5
"""Length of a decoded normal below which its colour is no direction"""


def relative_update(
    coarse: np.ndarray,
    enhanced: np.ndarray,
    where: np.ndarray,
    *,
    sigma: float,
    max_angle: float,
    length: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) float32 unit normals and (H, W) float32 how far each is believed, 0 to 1.

    `coarse`, `enhanced` (H, W, 3) unit normals; `where` (H, W) bool, outside of which `coarse` comes back and nothing
    is looked at; `sigma` in pixels; `max_angle` in degrees from which a normal is rejected, from half of it on it
    counts less; `length` (H, W) of the decoded colours. What is rejected comes back as `coarse`.
    """
    where = np.asarray(where, bool)
    believed = _belief(coarse, enhanced, max_angle) * where
    if length is not None:
        believed = believed * (length > SHORT)
    change = np.where(believed[..., None] > 0, enhanced - coarse, 0).astype(np.float32)
    high = change - masked_blur(change, believed, sigma)
    result = unit(coarse + believed[..., None] * high).astype(np.float32)
    return np.where((believed > 0)[..., None], result, coarse), believed


def masked_blur(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, C) float32: the Gaussian mean of `values` by `weight` (H, W), so that what has none bleeds nowhere."""
    weight = np.asarray(weight, np.float32)
    # beyond three standard deviations a mean over nothing would be divided by what rounding left
    total = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    sums = cv2.GaussianBlur(
        np.asarray(values, np.float32) * weight[..., None], (0, 0), sigma, borderType=cv2.BORDER_CONSTANT
    )
    return sums / np.maximum(total, 1e-6)[..., None]


def _belief(coarse: np.ndarray, enhanced: np.ndarray, max_angle: float) -> np.ndarray:
    """(H, W) float32: 1 up to half of `max_angle` degrees between the two, falling smoothly to 0 at all of it."""
    angle = np.degrees(np.arccos(np.clip((coarse * enhanced).sum(-1), -1, 1)))
    t = np.clip((max_angle - angle) / (max_angle / 2), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
