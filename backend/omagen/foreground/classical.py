"""Segmentation without a network: a colour model of the picture's border, then GrabCut (Rother et al. 2004)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from omagen.protocol import ErrorCode, OmagenError

LARGEST = 384
"""Longest side at which GrabCut runs; its result is refined at the picture's resolution afterwards."""
CLUSTERS = 6
ITERATIONS = 6
PLAIN = 4.0
"""Spread of the border's colours in CIELAB below which the background counts as plain."""


def segment(rgb: np.ndarray, report: Callable[[float], None]) -> np.ndarray:
    """(h, w) float32 opacity, 0 or 1, of the object in (H, W, 3) uint8 sRGB `rgb`; h, w up to 1024.

    Raises `OmagenError` (input) when nothing stands out from the border.
    """
    scale = min(1.0, 1024 / max(rgb.shape[:2]))
    picture = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    contrast, spread = _contrast(picture)
    report(0.2)
    if float(np.quantile(contrast, 0.999)) < 6.0:
        raise OmagenError(
            ErrorCode.INPUT, "No object stands out from the background.",
            "Use a picture in which one object is clearly visible, or supply a mask.",
        )  # fmt: skip
    if spread < PLAIN:
        return _against_plain(contrast, spread)
    return _grab_cut(picture, contrast, report)


def _contrast(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """(H, W) float32 distance in CIELAB to the nearest of the border's main colours, and how much the border's
    colours vary.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    width = max(2, min(lab.shape[:2]) // 40)
    border = np.concatenate(
        [
            lab[:width].reshape(-1, 3),
            lab[-width:].reshape(-1, 3),
            lab[:, :width].reshape(-1, 3),
            lab[:, -width:].reshape(-1, 3),
        ]
    )
    middle = np.median(border, 0)
    spread = float(np.quantile(np.linalg.norm(border - middle, axis=1), 0.9))
    if spread < PLAIN:
        centres = middle[None]
    else:
        cv2.setRNGSeed(1)
        criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
        sample = np.ascontiguousarray(border[:: max(1, len(border) // 6000)])
        count = min(CLUSTERS, len(sample))
        _, _, centres = cv2.kmeans(sample, count, np.empty(0), criteria, 2, cv2.KMEANS_PP_CENTERS)  # pyright: ignore
    distance = np.full(lab.shape[:2], np.inf, np.float32)
    for centre in centres:
        np.minimum(distance, np.linalg.norm(lab - centre.astype(np.float32), axis=2), out=distance)
    return distance, spread


def _against_plain(contrast: np.ndarray, spread: float) -> np.ndarray:
    """The object on a plain background: what differs from it, and what of the background's colour it encloses in
    part.
    """
    limit = max(3.0 * spread, min(12.0, 0.25 * float(np.quantile(contrast, 0.98))), 5.0)
    different = (contrast > limit).astype(np.uint8)
    _, labels = cv2.connectedComponents(1 - different, connectivity=4)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    background = np.isin(labels, outside[outside > 0])
    enclosed = ~background & (different == 0)
    _, spots, stats, _ = cv2.connectedComponentsWithStats(enclosed.astype(np.uint8), connectivity=4)
    hole = (stats[:, cv2.CC_STAT_AREA] > 2e-4 * contrast.size) & _flat(contrast, spots, len(stats), spread)
    hole[0] = False
    return (~background & ~hole[spots]).astype(np.float32)


def _flat(contrast: np.ndarray, spots: np.ndarray, count: int, spread: float) -> np.ndarray:
    """(count,) bool: which spots have exactly the background's colour, so that they are holes rather than parts of
    the object.
    """
    size = np.maximum(np.bincount(spots.ravel(), minlength=count), 1)
    return np.bincount(spots.ravel(), contrast.ravel(), count) / size < max(1.5 * spread, 2.0)


def _grab_cut(picture: np.ndarray, contrast: np.ndarray, report: Callable[[float], None]) -> np.ndarray:
    scale = min(1.0, LARGEST / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centred = np.exp(-2.5 * (((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2) / 0.25)
    score = (
        cv2.GaussianBlur(cv2.resize(contrast, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 0.012 * width)
        * centred
    )
    low, high = np.quantile(score, [0.45, 0.8])
    trimap = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    trimap[score > (low + high) / 2] = cv2.GC_PR_FGD
    rim = max(1, min(height, width) // 100)
    trimap[:rim], trimap[-rim:], trimap[:, :rim], trimap[:, -rim:] = (cv2.GC_BGD,) * 4
    trimap[score > np.quantile(score, 0.97)] = cv2.GC_FGD
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    mode = cv2.GC_INIT_WITH_MASK
    for step in range(ITERATIONS):
        cv2.grabCut(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), trimap, (0, 0, 0, 0), background, foreground, 1, mode)
        mode = cv2.GC_EVAL
        report(0.2 + 0.8 * (step + 1) / ITERATIONS)
    solid = ((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)).astype(np.uint8)
    return _main_parts(solid).astype(np.float32)


def _main_parts(solid: np.ndarray) -> np.ndarray:
    """Without crumbs: parts of at least a tenth of the largest one, small holes closed."""
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    size = stats[:, cv2.CC_STAT_AREA].copy()
    size[0] = 0
    kept = (size >= 0.1 * size.max()) & (size > 0)
    solid = kept[labels.astype(np.intp)].astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - solid, connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] < 0.002 * solid.size
    hole[0] = False
    return np.where(hole[labels.astype(np.intp)], 1, solid)
