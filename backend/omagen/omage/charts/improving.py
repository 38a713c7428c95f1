"""Brings flattened charts closer to their shape in space: freed of a common stretch first, relaxed then."""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.omage.charts.charting import Charting
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.relaxation import relaxed
from omagen.omage.charts.stretch import chart_stretch, double_areas
from omagen.omage.charts.topology import chart_vertices, restricted
from omagen.omage.charts.validity import judge, signed_areas

GOOD_STRETCH: Final = 1.03
GOOD_SPREAD: Final = 0.15
"""Charts within these limits of `chart_stretch` stay as they are."""
SWEEPS: Final = 20


def unstretched(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> np.ndarray:
    """`uv` (F, 3, 2) with each chart mapped linearly so that on average no direction is stretched more than another.

    Orientation and injectivity are kept. `corners` (F, 3, 3) float64, `chart` (F,).
    """
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], axis=1)  # (F, edge, 2)
    determinant = flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]
    area = double_areas(corners)
    is_real = (determinant != 0) & (area > 0)
    inverse = np.zeros((len(uv), 2, 2))
    d = np.where(is_real, determinant, 1)
    inverse[:, 0, 0], inverse[:, 0, 1] = flat[:, 1, 1] / d, -flat[:, 0, 1] / d
    inverse[:, 1, 0], inverse[:, 1, 1] = -flat[:, 1, 0] / d, flat[:, 0, 0] / d
    jacobian = np.einsum("fij,fjx->fix", inverse, np.stack([a, b], axis=1))  # dX / du and dX / dv
    metric = np.einsum("fix,fjx->fij", jacobian, jacobian)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(is_real, area / np.sqrt(np.linalg.det(metric)), 0)  # so that every face counts by its shape
    weight[~np.isfinite(weight)] = 0
    mean = np.zeros((charts, 2, 2))
    for i in range(2):
        for j in range(2):
            mean[:, i, j] = np.bincount(chart, weights=weight * metric[:, i, j], minlength=charts)
    values, vectors = np.linalg.eigh(mean)
    is_usable = values[:, 0] > 1e-18 * values[:, 1]
    root = np.sqrt(np.where(is_usable[:, None], values, 1))
    linear = np.einsum("cik,ck,cjk->cij", vectors, root, vectors)
    return np.einsum("fkj,fij->fki", uv, linear[chart])


def improved(surface: Surface, found: Charting) -> Charting:
    """`found`, valid and of even density, with every chart relaxed that needs it and stays valid."""
    corners = surface.corners()
    stretch, spread = chart_stretch(corners, found.uv, found.chart, found.charts)
    wanted = (stretch > GOOD_STRETCH) | (spread > GOOD_SPREAD)
    faces = np.flatnonzero(wanted[found.chart])
    if len(faces) == 0:
        return found
    chart, corners = found.chart[faces], corners[faces]
    inner = restricted(found.inner, faces)
    vertex, vertices = chart_vertices(inner)
    face_vertex = vertex.reshape(-1, 3)
    place = np.zeros((vertices, 2))
    place[face_vertex] = found.uv[faces]
    uv = relaxed(place, face_vertex, corners, SWEEPS)[face_vertex]
    stretch_after, spread_after = chart_stretch(corners, uv, chart, found.charts)
    is_better = (stretch_after <= stretch + 0.02) & (spread_after <= spread + 0.02)
    is_better &= judge(uv, inner, chart, found.charts).good
    taken = is_better[chart]
    result = found.uv.copy()
    result[faces[taken]] = uv[taken]
    return Charting(found.chart, result, found.inner, found.charts)


def evened(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> np.ndarray:
    """`uv` with every chart at the origin and scaled, the same in all directions, to the area that it has in space."""
    low = np.full((charts, 2), np.inf)
    np.minimum.at(low, chart, uv.min(axis=1))
    in_space = np.bincount(chart, weights=double_areas(corners), minlength=charts)
    in_uv = np.bincount(chart, weights=np.abs(signed_areas(uv)), minlength=charts)
    scale = np.sqrt(np.where(in_space > 0, in_space, in_uv) / in_uv)
    return (uv - low[chart][:, None]) * scale[chart][:, None, None]
