"""Colours of the foreground where the picture mixes them with the background, and filling of what has no colour at
all.
"""

from __future__ import annotations

import cv2
import numpy as np

STRIP = 512
"""Rows that are worked on at a time; even, so that strips shrink by two like the whole. Bounds the memory for large
pictures.
"""


def fill(rgb: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: `rgb` where (H, W) float32 `weight` is 1, elsewhere the smooth continuation of what is around.

    Push-pull interpolation (Gortler et al. 1996): weighted means on ever coarser grids fill in what the finer ones
    lack.
    """
    halves = [_halve(rgb[r : r + STRIP] * weight[r : r + STRIP, :, None], weight[r : r + STRIP]) for r in _strips(rgb)]
    coarse = _push_pull(np.concatenate([color for color, _ in halves]), np.concatenate([known for _, known in halves]))
    coarse = np.round(np.clip(coarse, 0, 255)).astype(np.uint8)
    result = cv2.resize(coarse, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    for r in _strips(rgb):
        part, known = result[r : r + STRIP], weight[r : r + STRIP, :, None]
        part[:] = np.round(part + known * (rgb[r : r + STRIP] - part.astype(np.float32)))
    return result


def foreground_color(rgb: np.ndarray, alpha: np.ndarray, mixed: bool) -> np.ndarray:
    """(H, W, 3) uint8 colours of the object alone, continued a little beyond it.

    rgb: (H, W, 3) uint8. alpha: (H, W) float32, 0 to 1. mixed: whether the colours of partly opaque pixels contain the
    background, as in a photograph, rather than being straight, as in a file with opacity.
    Colours of the opaque inside are continued outwards. Where an edge is mostly opaque it keeps what detail it has:
    its own colour, or the solution of I = a F + (1 - a) B with the background B continued inwards.
    """
    opaque = cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 0.97
    lonely = (alpha > 0.35) & (cv2.dilate(opaque.astype(np.uint8), np.ones((11, 11), np.uint8)) == 0)
    result = fill(rgb, np.where(opaque, np.float32(1), np.where(lonely, alpha**2, np.float32(0))))
    result[opaque] = rgb[opaque]
    edge = np.nonzero(~opaque & (alpha > 0.5))
    share = alpha[edge][:, None]
    own = rgb[edge].astype(np.float32)
    if mixed:
        behind = fill(rgb, (alpha < 0.02).astype(np.float32))[edge]
        own = np.clip((own - (1 - share) * behind) / share, 0, 255)
    trust = ((share - 0.5) / 0.5) ** 2
    result[edge] = np.round(trust * own + (1 - trust) * result[edge])
    return result


def _strips(image: np.ndarray) -> range:
    return range(0, image.shape[0], STRIP)


def _halve(color: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied colours and their weights on a grid half as fine; weights saturate, so that sparse texels count
    fully.
    """
    size = ((known.shape[1] + 1) // 2, (known.shape[0] + 1) // 2)
    small = cv2.resize(color.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    gain = np.minimum(1.0 / np.maximum(share, 1e-6), 4.0)
    return small * gain[..., None], share * gain


def _push_pull(color: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 colours without weights, from premultiplied ones."""
    if min(known.shape) <= 1:
        total = np.maximum(known.sum(), 1e-6)
        mean = color.sum((0, 1)) / total
        return color + (1 - known)[..., None] * mean
    coarse = _push_pull(*_halve(color, known))
    return color + (1 - known)[..., None] * cv2.resize(coarse, known.shape[::-1], interpolation=cv2.INTER_LINEAR)
