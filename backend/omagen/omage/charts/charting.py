"""Charts of a surface while they are being made, and the repairs that make all of them valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.flat_faces import lift_flat_faces
from omagen.omage.charts.peeling import peeled
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.projection import box_projection
from omagen.omage.charts.topology import chart_vertices, connected_faces, restricted
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
    inner = _agreeing(opposite, label.astype(np.int64, copy=False), np.ascontiguousarray(uv), tolerance)
    chart, charts = connected_faces(inner)
    if tolerance > 0:
        uv = unified(uv, inner)
    return Charting(chart, uv, inner, charts)


@njit(cache=True, nogil=True)
def _agreeing(opposite: np.ndarray, label: np.ndarray, uv: np.ndarray, tolerance: float) -> np.ndarray:
    inner = np.full(len(opposite), -1, np.int32)
    for half in range(len(opposite)):
        other = opposite[half]
        if other < half or label[half // 3] != label[other // 3]:
            continue
        face, i, opposed, j = half // 3, half % 3, other // 3, other % 3
        agrees = True
        for axis in range(2):
            agrees &= abs(uv[face, i, axis] - uv[opposed, (j + 1) % 3, axis]) <= tolerance
            agrees &= abs(uv[face, (i + 1) % 3, axis] - uv[opposed, j, axis]) <= tolerance
        if agrees:
            inner[half], inner[other] = other, half
    return inner


def unified(uv: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """`uv` (F, 3, 2) with one value per chart vertex, the one of its first corner."""
    vertex, _ = chart_vertices(inner)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(vertex), prepend=-1))  # vertices are numbered as they occur
    return np.take(uv.reshape(-1, 2)[first], vertex.reshape(-1, 3), axis=0)


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
    return charting(surface.opposite, valid, uv), is_lost


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
    area = surface.double_area[faces]
    total = np.bincount(found.chart, weights=area, minlength=found.charts)
    flat = np.bincount(found.chart, weights=np.where(is_flat, area, 0), minlength=found.charts)
    is_turned = verdict.flipped[found.chart] & ((flat > FEW * total)[found.chart] | is_flat) & ~is_seen[faces]
    side, seen = box_projection(surface.corners(faces[is_turned]))
    uv[is_turned] = seen
    label[is_turned] += 1 + side
    stubborn = np.flatnonzero(verdict.flipped[found.chart] & is_flat & is_seen[faces])
    label[stubborn] = 16 * found.charts + np.arange(len(stubborn))
    is_seen[faces[is_turned]] = True
    for chart in np.flatnonzero(verdict.overlapping & ~verdict.flipped):
        members = np.flatnonzero(found.chart == chart)
        label[members] += 8 * peeled(uv, found.inner, members, verdict.crossing[chart] // 3)
    return label
