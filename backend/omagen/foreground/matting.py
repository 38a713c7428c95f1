"""Soft edges for a hard or coarse cut-out: the guided filter, confined to a band around the edge."""

from __future__ import annotations

import cv2
import numpy as np

BAND = 1 / 120
"""Half the width of the band in which opacity is estimated anew, as a fraction of the picture's longest side."""
LARGEST = 1536
"""Longest side at which the filter is solved; larger pictures apply its coefficients at their own resolution."""

STRIP = 512
"""Rows of the picture that are worked on at a time."""


def soften(rgb: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """(H, W) float32 opacity that follows the edges of (H, W, 3) uint8 `rgb`, from (h, w) float32 `coarse` of any size.

    Fast guided filter (He and Sun 2015): opacity as a local linear function of the colour. Outside the band opacity
    becomes 0 or 1, so that no haze remains.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, LARGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    guide = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    solid = (cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
    radius = max(3, round(BAND * max(size)))
    slope, offset = _guided(guide, solid.astype(np.float32), radius)
    signed = cv2.distanceTransform(solid, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
    sure = np.clip(0.5 + signed / (2 * radius), 0, 1)
    solution = np.dstack([slope, offset])
    alpha = np.empty((height, width), np.float32)
    for row in range(0, height, STRIP):
        part = slice(row, min(row + STRIP, height))
        fine = _enlarged(solution, row, part.stop - row, width, scale)
        soft = np.einsum("ijk,ijk->ij", fine[..., :3], rgb[part].astype(np.float32) / 255) + fine[..., 3]
        certain = _enlarged(sure, row, part.stop - row, width, scale)
        alpha[part] = np.where(certain <= 0, 0, np.where(certain >= 1, 1, np.clip((soft - 0.1) / 0.8, 0, 1)))
    return alpha


def _enlarged(image: np.ndarray, row: int, rows: int, width: int, scale: float) -> np.ndarray:
    """Rows `row` to `row + rows` of (h, w, ...) `image` enlarged by 1 / `scale` to `width`, bilinear."""
    shift = 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, shift], [0, scale, row * scale + shift]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (width, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _guided(guide: np.ndarray, values: np.ndarray, radius: int, eps: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (H, W, 3) and (H, W) of the guided filter with a colour guide (He, Sun and Tang 2010)."""

    def mean(array: np.ndarray) -> np.ndarray:
        return cv2.blur(array, (2 * radius + 1, 2 * radius + 1))

    centre, average = mean(guide), mean(values)
    pairs = mean(np.stack([guide[..., i] * guide[..., j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1))], 2))
    rest = mean(np.stack([guide[..., i] * guide[..., j] for i, j in ((1, 2), (2, 2))], 2))
    covariance = mean(guide * values[..., None]) - centre * average[..., None]
    r, g, b = (centre[..., i] for i in range(3))
    rr, rg, rb = pairs[..., 0] - r * r + eps, pairs[..., 1] - r * g, pairs[..., 2] - r * b
    gg, gb, bb = pairs[..., 3] - g * g + eps, rest[..., 0] - g * b, rest[..., 1] - b * b + eps
    c0, c1, c2 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c3, c4, c5 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * c0 + rg * c1 + rb * c2, 1e-14)
    x, y, z = (covariance[..., i] for i in range(3))
    slope = np.stack([c0 * x + c1 * y + c2 * z, c1 * x + c3 * y + c4 * z, c2 * x + c4 * y + c5 * z], 2)
    slope /= determinant[..., None]
    offset = average - np.einsum("ijk,ijk->ij", slope, centre)
    return mean(slope), mean(offset)
