"""How flattening changes lengths: anisotropy and density, per face and per chart (Sander et al. 2001, section 3)."""

from __future__ import annotations

import numpy as np

from omagen.omage.charts.validity import signed_areas


def double_areas(corners: np.ndarray) -> np.ndarray:
    """(F,) float64 twice the area of triangles in space. `corners` (F, 3, 3) float64."""
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


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
