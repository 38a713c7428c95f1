"""Joins small charts to their neighbours where the union still flattens well: few charts leave room for texels."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.charts.charting import Charting, Progress
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.relaxation import relaxed
from omagen.omage.charts.stretch import chart_stretch, double_areas
from omagen.omage.charts.topology import chart_vertices, connected_faces, restricted
from omagen.omage.charts.unfolding import unfold
from omagen.omage.charts.validity import judge

ROUNDS: Final = 24
SWEEPS: Final = 12
PATIENCE: Final = 6
COVERAGE: Final = 0.6
"""Share of the pixels that charts can be expected to get."""
SMALL: Final = 256
"""Charts of fewer pixels than this are joined to a neighbour where possible, however few charts there are."""


@dataclass(frozen=True)
class Budget:
    charts: int
    """As many the resolution can do with; beyond it also larger charts are joined"""
    small_area: float
    """Area in space of `SMALL` pixels"""
    stretch: float
    """What joining may do to shapes: mean of (ratio + 1 / ratio) / 2, see `chart_stretch`"""
    spread: float
    """What joining may do to sizes"""


def budget_of(resolution: int, area: float) -> Budget:
    """What `resolution` pixels across allow for a surface of `area`: half a chart per row at 64, a whole one at 256."""
    charts = max(8, round(resolution / 2 * (resolution / 64) ** 0.5))
    pixel = area / (COVERAGE * resolution**2)
    slack = min(1.0, (64 / resolution) ** 0.5)
    return Budget(charts, SMALL * pixel, 1 + 0.15 * slack, 0.15 + 0.25 * slack)


def merged(surface: Surface, found: Charting, budget: Budget, deadline: float, progress: Progress) -> Charting:
    """`found`, valid and of even density, with small charts joined until there are few enough or none can be."""
    failed: set[tuple[int, int]] = set()
    key = np.arange(found.charts)  # survives renumbering, so that a pair that failed is not tried again
    for step in range(ROUNDS):
        progress("Joining small charts", step / ROUNDS)
        pairs = _pairs(surface, found, key, budget, failed)
        if len(pairs) == 0 or time.monotonic() > deadline:
            break
        found, key = _joined(surface, found, key, pairs, budget, failed)
    return found


def _pairs(
    surface: Surface, found: Charting, key: np.ndarray, budget: Budget, failed: set[tuple[int, int]]
) -> np.ndarray:
    """(P, 2): charts to join and what to join them to, no chart in two pairs; the smallest charts choose first."""
    border = np.flatnonzero((found.inner < 0) & (surface.opposite >= 0))
    here, there = found.chart[border // 3], found.chart[surface.opposite[border] // 3]
    is_between = here != there
    border, here, there = border[is_between], here[is_between], there[is_between]
    corner = surface.faces.reshape(-1)
    ends = surface.vertices[corner[border]] - surface.vertices[corner[border - border % 3 + (border + 1) % 3]]
    pair, inverse = np.unique(here.astype(np.int64) * found.charts + there, return_inverse=True)
    length = np.bincount(inverse, weights=np.linalg.norm(ends, axis=1), minlength=len(pair))
    area = np.bincount(found.chart, weights=double_areas(surface.corners()), minlength=found.charts) / 2
    small, large = pair // found.charts, pair % found.charts
    wanted = (area[small] < budget.small_area) | (found.charts > budget.charts)
    order = np.lexsort((-length, area[small]))
    is_taken = np.zeros(found.charts, bool)
    chosen = []
    for index in order[wanted[order] & (area[small] <= area[large])[order]]:
        a, b = int(small[index]), int(large[index])
        if not (is_taken[a] or is_taken[b] or (int(key[a]), int(key[b])) in failed):
            is_taken[a] = is_taken[b] = True
            chosen.append((a, b))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _joined(
    surface: Surface, found: Charting, key: np.ndarray, pairs: np.ndarray, budget: Budget, failed: set[tuple[int, int]]
) -> tuple[Charting, np.ndarray]:
    """One round: those of `pairs` joined whose union is a good chart; the others are noted in `failed`."""
    target = np.arange(found.charts)
    target[pairs[:, 0]] = pairs[:, 1]
    is_moved = np.zeros(found.charts, bool)
    is_moved[pairs[:, 0]] = True
    is_part = is_moved.copy()
    is_part[pairs[:, 1]] = True
    faces = np.flatnonzero(is_part[found.chart])
    chart = target[found.chart[faces]]
    moved = is_moved[found.chart[faces]]
    corners = surface.corners(faces)
    uv, inner = _flattened(surface, found, faces, chart, moved, corners)
    verdict = judge(uv, inner, chart, found.charts)
    stretch, spread = chart_stretch(corners[moved], uv[moved], chart[moved], found.charts)
    before, spread_before = chart_stretch(corners[moved], found.uv[faces][moved], chart[moved], found.charts)
    is_fine = verdict.good & (stretch <= np.maximum(budget.stretch, before))
    is_fine &= spread <= np.maximum(budget.spread, spread_before)
    for a, b in pairs[~is_fine[pairs[:, 1]]]:
        failed.add((int(key[a]), int(key[b])))
    accepted = is_fine[chart]
    label, all_uv, all_inner = found.chart.copy(), found.uv.copy(), found.inner.copy()
    taken = faces[accepted]
    label[taken], all_uv[taken] = chart[accepted], uv[accepted]
    half = (3 * taken[:, None] + np.arange(3)).reshape(-1)
    local = inner.reshape(-1, 3)[accepted].reshape(-1)
    all_inner[half] = np.where(local >= 0, 3 * faces[local // 3] + local % 3, -1)
    chart, charts = connected_faces(all_inner)
    new_key = np.empty(charts, np.int64)
    new_key[chart] = key[label]
    return Charting(chart, all_uv, all_inner, charts), new_key


def _flattened(
    surface: Surface, found: Charting, faces: np.ndarray, chart: np.ndarray, moved: np.ndarray, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`uv` (N, 3, 2) and `inner` (3N,) of `faces` (N,) when those `moved` (N,) hang on to the rest of their `chart`."""
    inner = restricted(found.inner, faces)
    across = restricted(surface.opposite, faces)
    other = np.maximum(across, 0) // 3
    here, is_first = np.repeat(chart, 3), np.repeat(moved, 3)
    is_joint = (across >= 0) & (here == chart[other]) & (is_first != moved[other])
    inner = np.where(is_joint, across, inner).astype(np.int32)
    vertex, vertices = chart_vertices(inner)
    face_vertex = vertex.reshape(-1, 3)
    place, is_known = np.zeros((vertices, 2)), np.zeros(vertices, bool)
    place[face_vertex[~moved]] = found.uv[faces[~moved]]
    is_known[face_vertex[~moved]] = True
    unfold(place, is_known, face_vertex[moved], corners[moved])
    active = np.zeros(vertices, bool)
    active[face_vertex[moved]] = True
    near = active[face_vertex].any(axis=1)
    place = relaxed(place, face_vertex[near], corners[near], SWEEPS, active, PATIENCE)
    return place[face_vertex], inner
