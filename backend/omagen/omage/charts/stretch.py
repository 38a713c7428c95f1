"""How flattening changes lengths: anisotropy and density, per face and per chart (Sander et al. 2001, section 3)."""

from __future__ import annotations

import numpy as np
from numba import njit

from omagen.omage.charts.validity import signed_areas


def double_areas(corners: np.ndarray) -> np.ndarray:
    """(F,) float64 twice the area of triangles in space. `corners` (F, 3, 3) float64."""
    return _double_areas(np.ascontiguousarray(corners, np.float64))


@njit(cache=True, nogil=True)
def _double_areas(corners: np.ndarray) -> np.ndarray:
    area = np.empty(len(corners))
    for f in range(len(corners)):
        total = 0.0
        for k in range(3):
            m, n = (k + 1) % 3, (k + 2) % 3
            um, un = corners[f, 1, m] - corners[f, 0, m], corners[f, 1, n] - corners[f, 0, n]
            vm, vn = corners[f, 2, m] - corners[f, 0, m], corners[f, 2, n] - corners[f, 0, n]
            part = um * vn - un * vm
            total += part * part
        area[f] = np.sqrt(total)
    return area


def anisotropy(corners: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(F,) float64 at least 1: ratio of the largest to the smallest stretch; infinite where a triangle has no area."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    du, dv = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    # E, F, G of the inverse map, each times the squared (doubled) uv area: their common factor cancels in the ratio
    aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
    s11 = aa * dv[:, 1] ** 2 - 2 * ab * du[:, 1] * dv[:, 1] + bb * du[:, 1] ** 2
    s22 = aa * dv[:, 0] ** 2 - 2 * ab * du[:, 0] * dv[:, 0] + bb * du[:, 0] ** 2
    determinant = double_areas(corners) * np.abs(signed_areas(uv))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = (s11 + s22) / (2 * determinant)  # (ratio + 1 / ratio) / 2
    half = np.maximum(np.where(determinant > 0, half, np.inf), 1)
    return half + np.sqrt(half**2 - 1)


def chart_stretch(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> tuple[np.ndarray, np.ndarray]:
    """Per chart (C,): the mean of (ratio + 1 / ratio) / 2 of the anisotropy, and the spread of the density.

    Both weighted by the area in space. The spread is the standard deviation of log2 of length scale, so 1 means that
    texels commonly differ twofold in size.
    """
    area = double_areas(corners)
    flat = np.abs(signed_areas(uv))
    is_real = (area > 0) & (flat > 0)
    total = np.bincount(chart, weights=np.where(is_real, area, 0), minlength=charts)
    total[total == 0] = 1
    ratio = anisotropy(corners, uv)
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = np.where(is_real, area * (ratio + 1 / ratio) / 2, 0)
        density = np.where(is_real, 0.5 * np.log2(flat / area), 0)
    mean = np.bincount(chart, weights=area * density, minlength=charts) / total
    spread = np.bincount(chart, weights=np.where(is_real, area * (density - mean[chart]) ** 2, 0), minlength=charts)
    return np.bincount(chart, weights=stretch, minlength=charts) / total, np.sqrt(spread / total)
