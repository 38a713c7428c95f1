"""Joins small charts to their neighbours where the union still flattens well: few charts leave room for texels."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
MOST_SLACK: Final = 6.0
"""How much more than `Budget` says a chart of few pixels may be distorted by joining."""


@dataclass(frozen=True)
class Budget:
    charts: int
    """As many the resolution can do with; beyond it also larger charts are joined"""
    small_area: float
    """Area in space of `SMALL` pixels"""
    stretch: float
    """What joining may do to shapes of large charts: mean of (ratio + 1 / ratio) / 2, see `chart_stretch`"""
    spread: float
    """What joining may do to sizes within large charts"""

    def limits(self, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`stretch` and `spread` for charts of `area` (N,): the fewer pixels, the less do their shapes matter."""
        least = max(self.small_area / MOST_SLACK**2, 1e-300)
        slack = np.sqrt(self.small_area / np.maximum(area, least)).clip(1, MOST_SLACK)
        return 1 + (self.stretch - 1) * slack, self.spread * slack


def budget_of(resolution: int, area: float) -> Budget:
    """What `resolution` pixels across allow for a surface of `area`: half a chart per row at 64, a whole one at 256."""
    charts = max(8, round(resolution / 2 * (resolution / 64) ** 0.5))
    pixel = area / (COVERAGE * resolution**2)
    slack = min(1.0, (64 / resolution) ** 0.5)
    return Budget(charts, SMALL * pixel, 1 + 0.15 * slack, 0.15 + 0.25 * slack)


def merged(surface: Surface, found: Charting, budget: Budget, deadline: float, progress: Progress) -> Charting:
    """`found`, valid and of even density, with small charts joined until there are few enough or none can be."""
    failed: dict[tuple[int, int], int] = {}
    key = np.arange(found.charts)  # survives renumbering, so that a pair that failed is not tried again the same way
    for step in range(ROUNDS):
        progress("Joining small charts", step / ROUNDS)
        pairs = _pairs(surface, found, key, budget, failed)
        if len(pairs) == 0 or time.monotonic() > deadline:
            break
        found, key = _joined(surface, found, key, pairs, budget, failed)
    return found


def _pairs(
    surface: Surface, found: Charting, key: np.ndarray, budget: Budget, failed: dict[tuple[int, int], int]
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
        if not (is_taken[a] or is_taken[b] or failed.get((int(key[a]), int(key[b])), 0) > 1):
            is_taken[a] = is_taken[b] = True
            chosen.append((a, b))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _joined(
    surface: Surface,
    found: Charting,
    key: np.ndarray,
    pairs: np.ndarray,
    budget: Budget,
    failed: dict[tuple[int, int], int],
) -> tuple[Charting, np.ndarray]:
    """One round: those of `pairs` joined whose union is a good chart; the others are noted in `failed`.

    At first along all edges between the two; where that failed, along their longest run alone, which leaves the
    others as a seam of the chart with itself: what goes round a tube can lie flat only so.
    """
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
    is_second = np.zeros(found.charts, bool)
    is_second[pairs[:, 0]] = [(int(key[a]), int(key[b])) in failed for a, b in pairs]
    uv, inner = _flattened(surface, found, faces, chart, moved, corners, is_second[found.chart[faces]])
    verdict = judge(uv, inner, chart, found.charts)
    stretch, spread = chart_stretch(corners[moved], uv[moved], chart[moved], found.charts)
    before, spread_before = chart_stretch(corners[moved], found.uv[faces][moved], chart[moved], found.charts)
    area = np.bincount(chart[moved], weights=double_areas(corners[moved]), minlength=found.charts) / 2
    most_stretch, most_spread = budget.limits(area)
    is_fine = verdict.good & (stretch <= np.maximum(most_stretch, before))
    is_fine &= spread <= np.maximum(most_spread, spread_before)
    for a, b in pairs[~is_fine[pairs[:, 1]]]:
        pair = int(key[a]), int(key[b])
        failed[pair] = failed.get(pair, 0) + 1
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
    surface: Surface,
    found: Charting,
    faces: np.ndarray,
    chart: np.ndarray,
    moved: np.ndarray,
    corners: np.ndarray,
    by_one_run: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`uv` (N, 3, 2) and `inner` (3N,) of `faces` (N,) when those `moved` (N,) hang on to the rest of their `chart`.

    `by_one_run` (N,) bool: those that do so along the longest run of edges only.
    """
    inner = restricted(found.inner, faces)
    across = restricted(surface.opposite, faces)
    other = np.maximum(across, 0) // 3
    here, is_first = np.repeat(chart, 3), np.repeat(moved, 3)
    is_joint = (across >= 0) & (here == chart[other]) & (is_first != moved[other])
    is_joint = _longest_runs(surface, faces, is_joint, across, found.chart[faces], by_one_run & moved)
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


def _longest_runs(
    surface: Surface, faces: np.ndarray, is_joint: np.ndarray, across: np.ndarray, piece: np.ndarray, which: np.ndarray
) -> np.ndarray:
    """`is_joint` (3N,) with only the longest run of joints of each `piece` (N,) whose faces are in `which` (N,)."""
    half = np.flatnonzero(is_joint & np.repeat(which, 3))
    if len(half) == 0:
        return is_joint
    corner = surface.faces[faces].reshape(-1)
    start, end = corner[half], corner[half - half % 3 + (half + 1) % 3]
    piece = piece[half // 3].astype(np.int64)
    # Joints of one piece that share a vertex are one run.
    ends = np.concatenate([start, end]) * (piece.max() + 1) + np.tile(piece, 2)
    first, second = np.split(np.unique(ends, return_inverse=True)[1], 2)
    size = int(max(first.max(), second.max())) + 1
    graph = coo_array((np.ones(len(half), bool), (first, second)), shape=(size, size))
    run = connected_components(graph, directed=False)[1][first]
    length = np.bincount(run, np.linalg.norm(surface.vertices[end] - surface.vertices[start], axis=1))
    order = np.lexsort((length[run], piece))
    is_last = np.append(piece[order][1:] != piece[order][:-1], True)
    is_longest = np.zeros(len(length), bool)
    is_longest[run[order[is_last]]] = True
    loose = half[~is_longest[run]]
    kept = is_joint.copy()
    kept[loose] = kept[across[loose]] = False
    return kept
