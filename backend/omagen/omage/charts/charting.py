"""Charts of a surface while they are being made, and the repairs that make all of them valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.charts.flat_faces import lift_flat_faces
from omagen.omage.charts.peeling import peeled
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.projection import box_projection
from omagen.omage.charts.stretch import double_areas
from omagen.omage.charts.topology import chart_vertices, connected_faces, inner_half_edges, restricted
from omagen.omage.charts.validity import Verdict, judge, signed_areas

Progress = Callable[[str, float], None]
MOST_ROUNDS: Final = 64
"""Taking apart ends with single faces long before; a bound against surprises."""
FEW: Final = 0.05
"""Up to this share of a chart's area, faces at fault are cut off; beyond it, the chart is done anew."""


@dataclass(frozen=True)
class Charting:
    chart: np.ndarray
    """(F,) int32, 0..C-1"""
    uv: np.ndarray
    """(F, 3, 2) float64"""
    inner: np.ndarray
    """(3F,) int32: opposite half-edges inside charts, -1 elsewhere; the uv on both sides are the same numbers"""
    charts: int


def charting(opposite: np.ndarray, label: np.ndarray, uv: np.ndarray, tolerance: float = 0.0) -> Charting:
    """Charts are faces of one `label` (F,) joined over edges on both sides of which `uv` agree within `tolerance`."""
    inner = inner_half_edges(opposite, label)
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

    Faces that are turned over are cut off and seen along the axes instead, all of their chart where they are many.
    What lies over itself is taken apart. `label` (F,) int32, `uv` (F, 3, 2) float64.
    """
    uv, label = uv.copy(), label.astype(np.int64)
    valid = np.zeros(len(label), np.int64)
    is_seen, is_lost = np.zeros(len(label), bool), np.zeros(len(label), bool)
    todo, count = np.arange(len(label)), 0
    for _ in range(MOST_ROUNDS):
        found = charting(restricted(surface.opposite, todo), label, uv[todo])
        uv[todo] = lifted = lift_flat_faces(found.uv, found.inner)
        verdict = judge(lifted, found.inner, found.chart, found.charts)
        is_alone = np.bincount(found.chart, minlength=found.charts)[found.chart] == 1
        is_flat = ~(signed_areas(lifted) > 0)
        lost = is_alone & is_flat & is_seen[todo]
        is_lost[todo[lost]] = True
        is_done = verdict.good[found.chart] | lost
        valid[todo[is_done]] = count + found.chart[is_done]
        if is_done.all():
            break
        count += found.charts
        again = ~is_done
        label = _taken_apart(surface, found, lifted, verdict, todo, is_seen, is_flat)[again]
        uv[todo] = lifted
        todo = todo[again]
    return charting(surface.opposite, np.unique(valid, return_inverse=True)[1].astype(np.int32), uv), is_lost


def _taken_apart(
    surface: Surface,
    found: Charting,
    uv: np.ndarray,
    verdict: Verdict,
    faces: np.ndarray,
    is_seen: np.ndarray,
    is_flat: np.ndarray,
) -> np.ndarray:
    """(N,) int64: new labels for `faces` (N,) of the surface, smaller pieces of the charts that are at fault.

    Changes `uv` (N, 3, 2) of faces that are seen along the axes, and notes them in `is_seen` (F,).
    """
    label = found.chart.astype(np.int64) * 16
    corners = surface.corners(faces)
    area = double_areas(corners)
    total = np.bincount(found.chart, weights=area, minlength=found.charts)
    flat = np.bincount(found.chart, weights=np.where(is_flat, area, 0), minlength=found.charts)
    is_turned = verdict.flipped[found.chart] & ((flat > FEW * total)[found.chart] | is_flat) & ~is_seen[faces]
    side, seen = box_projection(corners[is_turned])
    uv[is_turned] = seen
    label[is_turned] += 1 + side
    stubborn = np.flatnonzero(verdict.flipped[found.chart] & is_flat & is_seen[faces])
    label[stubborn] = 16 * found.charts + np.arange(len(stubborn))
    is_seen[faces[is_turned]] = True
    for chart in np.flatnonzero(verdict.overlapping & ~verdict.flipped):
        members = np.flatnonzero(found.chart == chart)
        label[members] += 8 * peeled(uv, found.inner, members, verdict.crossing[chart] // 3)
    return label
