"""Brings flattened charts closer to their shape in space: freed of a common stretch first, relaxed then."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

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
    mean = _mean_metric(corners, uv, chart.astype(np.int32, copy=False), charts)
    values, vectors = np.linalg.eigh(mean)
    is_usable = values[:, 0] > 1e-18 * values[:, 1]
    root = np.sqrt(np.where(is_usable[:, None], values, 1))
    linear = np.einsum("cik,ck,cjk->cij", vectors, root, vectors)
    return _mapped(uv, linear, chart.astype(np.int32, copy=False))


@njit(cache=True, nogil=True)
def _mean_metric(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> np.ndarray:
    """(C, 2, 2): sum over faces of what lengths in space a step in uv has, each face counting by its shape alone."""
    total = np.zeros((charts, 2, 2))
    for f in range(len(uv)):
        au, av = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1]
        bu, bv = uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
        d = au * bv - av * bu
        if d == 0:
            continue
        uu = uw = ww = 0.0
        for k in range(3):
            a, b = corners[f, 1, k] - corners[f, 0, k], corners[f, 2, k] - corners[f, 0, k]
            along, across = (bv * a - av * b) / d, (au * b - bu * a) / d  # dX / du and dX / dv
            uu += along * along
            uw += along * across
            ww += across * across
        # the square root of the determinant is how much larger the triangle is in space than in uv
        determinant = uu * ww - uw * uw
        if not 0 < determinant < np.inf:
            continue
        weight = abs(d)  # its area in space over that root
        total[chart[f], 0, 0] += weight * uu
        total[chart[f], 0, 1] += weight * uw
        total[chart[f], 1, 0] += weight * uw
        total[chart[f], 1, 1] += weight * ww
    return total


@njit(cache=True, nogil=True)
def _mapped(uv: np.ndarray, linear: np.ndarray, chart: np.ndarray) -> np.ndarray:
    result = np.empty_like(uv)
    for f in range(len(uv)):
        c = chart[f]
        for k in range(3):
            for i in range(2):
                result[f, k, i] = uv[f, k, 0] * linear[c, i, 0] + uv[f, k, 1] * linear[c, i, 1]
    return result


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
    uv = relaxed(place, face_vertex, corners, SWEEPS, piece=chart)[face_vertex]
    stretch_after, spread_after = chart_stretch(corners, uv, chart, found.charts)
    is_better = (stretch_after <= stretch + 0.02) & (spread_after <= spread + 0.02)
    is_better &= judge(uv, inner, chart, found.charts).good
    taken = is_better[chart]
    result = found.uv.copy()
    result[faces[taken]] = uv[taken]
    return Charting(found.chart, result, found.inner, found.charts)


def evened(corners: np.ndarray, uv: np.ndarray, chart: np.ndarray, charts: int) -> np.ndarray:
    """`uv` with every chart at the origin and scaled, the same in all directions, to the area that it has in space."""
    in_space = np.bincount(chart, weights=double_areas(corners), minlength=charts)
    in_uv = np.bincount(chart, weights=np.abs(signed_areas(uv)), minlength=charts)
    scale = np.sqrt(np.where(in_space > 0, in_space, in_uv) / in_uv)
    return _at_origin(uv, scale, chart.astype(np.int32, copy=False))


@njit(cache=True, nogil=True)
def _at_origin(uv: np.ndarray, scale: np.ndarray, chart: np.ndarray) -> np.ndarray:
    low = np.full((len(scale), 2), np.inf)
    for f in range(len(uv)):
        for k in range(3):
            for i in range(2):
                low[chart[f], i] = min(low[chart[f], i], uv[f, k, i])
    result = np.empty_like(uv)
    for f in range(len(uv)):
        for k in range(3):
            for i in range(2):
                result[f, k, i] = (uv[f, k, i] - low[chart[f], i]) * scale[chart[f]]
    return result
