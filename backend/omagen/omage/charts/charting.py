"""Charts of a surface while they are being made, and the repairs that make all of them valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.charts.flat_faces import lift_flat_faces
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.projection import box_projection, halve
from omagen.omage.charts.topology import chart_vertices, connected_faces, inner_half_edges
from omagen.omage.charts.validity import judge, signed_areas

Progress = Callable[[str, float], None]
MOST_ROUNDS: Final = 64
"""Halving ends with single faces long before; a bound against surprises."""


@dataclass(frozen=True)
class Charting:
    chart: np.ndarray
    """(F,) int32, 0..C-1"""
    uv: np.ndarray
    """(F, 3, 2) float64"""
    inner: np.ndarray
    """(3F,) int32: opposite half-edges inside charts, -1 elsewhere; the uv on both sides are the same numbers"""
    charts: int


def charting(surface: Surface, label: np.ndarray, uv: np.ndarray, tolerance: float = 0.0) -> Charting:
    """Charts are faces of one `label` (F,) joined over edges on both sides of which `uv` agree within `tolerance`."""
    inner = inner_half_edges(surface.opposite, label)
    half = np.flatnonzero(inner >= 0)
    other = inner[half]
    corner = uv.reshape(-1, 2)
    after = half - half % 3 + (half + 1) % 3
    after_other = other - other % 3 + (other + 1) % 3
    agrees = (np.abs(corner[half] - corner[after_other]) <= tolerance).all(axis=1)
    agrees &= (np.abs(corner[after] - corner[other]) <= tolerance).all(axis=1)
    inner[half[~agrees]] = -1
    chart, charts = connected_faces(inner)
    if tolerance > 0:
        uv = unified(uv, inner)
    return Charting(chart, uv, inner, charts)


def unified(uv: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """`uv` (F, 3, 2) with one value per chart vertex, the one of its first corner."""
    vertex, _ = chart_vertices(inner)
    first = np.unique(vertex, return_index=True)[1]
    return np.ascontiguousarray(uv.reshape(-1, 2)[first][vertex].reshape(-1, 3, 2))


def repaired(surface: Surface, label: np.ndarray, uv: np.ndarray) -> tuple[Charting, np.ndarray]:
    """Valid charts and (F,) bool, the faces that have to be left out because they have no area to give them any.

    Charts with faces turned over are seen along the axes instead; charts that overlap themselves are halved.
    """
    corners = surface.corners()
    is_seen, is_lost = np.zeros(len(label), bool), np.zeros(len(label), bool)
    for _ in range(MOST_ROUNDS):
        found = charting(surface, label.astype(np.int32), uv)
        uv = lift_flat_faces(found.uv, found.inner)
        found = Charting(found.chart, uv, found.inner, found.charts)
        verdict = judge(uv, found.inner, found.chart, found.charts)
        verdict.flipped[found.chart[is_lost]] = False
        if verdict.good.all():
            return found, is_lost
        label, size = found.chart.astype(np.int64) * 8, np.bincount(found.chart)
        is_turned = verdict.flipped[found.chart] & ~is_lost
        is_new = is_turned & ~is_seen
        side, uv[is_new] = box_projection(corners[is_new])
        label[is_new] += side
        is_seen |= is_new
        alone = np.flatnonzero(is_turned & ~is_new & ~(signed_areas(uv) > 0))
        label[alone] = 8 * found.charts + np.arange(len(alone))
        is_lost[alone[size[found.chart[alone]] == 1]] = True
        is_doubled = verdict.overlapping[found.chart] & ~is_turned
        if is_doubled.any():
            label[is_doubled] += halve(uv[is_doubled], found.chart[is_doubled], found.charts)
        label = np.unique(label, return_inverse=True)[1]
    raise AssertionError("charts did not become valid")
