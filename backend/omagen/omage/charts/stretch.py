"""How flattening changes lengths: anisotropy and density, per face and per chart (Sander et al. 2001, section 3)."""

from __future__ import annotations

import numpy as np
from numba import njit


def double_areas(corners: np.ndarray) -> np.ndarray:
    """(F,) float64 twice the area of triangles in space. `corners` (F, 3, 3) float64."""
    return _double_areas(np.ascontiguousarray(corners, np.float64))


@njit(cache=True, nogil=True)
def _double_areas(corners: np.ndarray) -> np.ndarray:
    area = np.empty(len(corners))
    for f in range(len(corners)):
        area[f] = _double_area(corners, f)
    return area


@njit(cache=True, nogil=True, inline="always")
def _double_area(corners: np.ndarray, f: int) -> float:
    total = 0.0
    for k in range(3):
        m, n = (k + 1) % 3, (k + 2) % 3
        um, un = corners[f, 1, m] - corners[f, 0, m], corners[f, 1, n] - corners[f, 0, n]
        vm, vn = corners[f, 2, m] - corners[f, 0, m], corners[f, 2, n] - corners[f, 0, n]
        part = um * vn - un * vm
        total += part * part
    return np.sqrt(total)


def anisotropy(corners: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(F,) float64 at least 1: ratio of the largest to the smallest stretch; infinite where a triangle has no area."""
    return _measured(corners, uv)[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _measured(corners: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F,) float64 each: twice the area in space, twice that in uv, and the anisotropy."""
    area, flat, ratio = np.empty(len(uv)), np.empty(len(uv)), np.empty(len(uv))
    for f in range(len(uv)):
        aa = ab = bb = 0.0
        for k in range(3):
            a, b = corners[f, 1, k] - corners[f, 0, k], corners[f, 2, k] - corners[f, 0, k]
            aa += a * a
            ab += a * b
            bb += b * b
        area[f] = _double_area(corners, f)
        au, av = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1]
        bu, bv = uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
        flat[f] = abs(au * bv - av * bu)
        # E, F, G of the inverse map, each times the squared (doubled) uv area: their common factor cancels in the ratio
        s11 = aa * bv**2 - 2 * ab * av * bv + bb * av**2
        s22 = aa * bu**2 - 2 * ab * au * bu + bb * au**2
        determinant = area[f] * flat[f]
        half = max((s11 + s22) / (2 * determinant), 1.0) if determinant > 0 else np.inf  # (ratio + 1 / ratio) / 2
        ratio[f] = half + np.sqrt(half**2 - 1)
    return area, flat, ratio


def chart_stretch(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> tuple[np.ndarray, np.ndarray]:
    """Per chart (C,): the mean of (ratio + 1 / ratio) / 2 of the anisotropy, and the spread of the density.

    Both weighted by the area in space. The spread is the standard deviation of log2 of length scale, so 1 means that
    texels commonly differ twofold in size.
    """
    return _chart_stretch(*_measured(corners, uv), chart.astype(np.int32, copy=False), charts)


@njit(cache=True, nogil=True, error_model="numpy")
def _chart_stretch(
    area: np.ndarray, flat: np.ndarray, ratio: np.ndarray, chart: np.ndarray, charts: int
) -> tuple[np.ndarray, np.ndarray]:
    total, stretch, mean, spread = np.zeros(charts), np.zeros(charts), np.zeros(charts), np.zeros(charts)
    density = np.zeros(len(area))
    for f in range(len(area)):
        if area[f] > 0 and flat[f] > 0:
            density[f] = 0.5 * np.log2(flat[f] / area[f])
            total[chart[f]] += area[f]
            stretch[chart[f]] += area[f] * (ratio[f] + 1 / ratio[f]) / 2
            mean[chart[f]] += area[f] * density[f]
    total[total == 0] = 1
    mean /= total
    for f in range(len(area)):
        if area[f] > 0 and flat[f] > 0:
            spread[chart[f]] += area[f] * (density[f] - mean[chart[f]]) ** 2
    return stretch / total, np.sqrt(spread / total)
