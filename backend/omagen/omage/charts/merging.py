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
from omagen.omage.charts.stretch import chart_stretch
from omagen.omage.charts.topology import chart_vertices, faces_around, restricted
from omagen.omage.charts.unfolding import unfold
from omagen.omage.charts.validity import judge_changed

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
    work = _begun(surface, found)
    for step in range(ROUNDS):
        progress("Joining small charts", step / ROUNDS)
        pairs = _pairs(work, budget)
        if len(pairs) == 0 or time.monotonic() > deadline:
            break
        _join(surface, work, pairs, budget)
    number = np.empty(found.charts, np.int32)
    number[np.argsort(work.first, kind="stable")] = np.arange(found.charts)
    return Charting(number[work.chart], work.uv, work.inner, work.charts)


@dataclass
class _Work:
    """Charts while they are joined: a joined one takes the number of the one it was joined to, the others keep theirs.

    Rounds change what they join and look at nothing but that and its surroundings.
    """

    chart: np.ndarray
    uv: np.ndarray
    inner: np.ndarray
    """As in `Charting`, with numbers that are in use no more"""
    charts: int
    """How many are left"""
    border: np.ndarray
    """(B,) int64, ascending: half-edges at which charts end"""
    area: np.ndarray
    """(C,) float64: in space"""
    first: np.ndarray
    """(C,) int64: the first face of each chart; of joined ones a number beyond all faces"""
    links: np.ndarray
    """(P, 2) int64: charts that have common edges, both ways"""
    length: np.ndarray
    """(P,) float64: of these edges"""
    failed: dict[tuple[int, int], int]
    """How often a pair was tried"""


def _begun(surface: Surface, found: Charting) -> _Work:
    border = np.flatnonzero(found.inner < 0)
    half = border[surface.opposite[border] >= 0]
    links = np.stack([found.chart[half // 3], found.chart[surface.opposite[half] // 3]], axis=1).astype(np.int64)
    corner = surface.faces.reshape(-1)
    ends = surface.vertices[corner[half]] - surface.vertices[corner[half - half % 3 + (half + 1) % 3]]
    links, length = _summed(links, np.linalg.norm(ends, axis=1))
    area = np.bincount(found.chart, weights=surface.double_area, minlength=found.charts) / 2
    first = np.flatnonzero(np.diff(np.maximum.accumulate(found.chart), prepend=-1))  # charts are numbered as they occur
    uv, inner = found.uv.copy(), found.inner.copy()
    return _Work(found.chart.copy(), uv, inner, found.charts, border, area, first, links, length, {})


def _summed(links: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each of `links` (P, 2) between different charts once, with the sum of its `length` (P,)."""
    is_between = links[:, 0] != links[:, 1]
    links, length = links[is_between], length[is_between]
    size = int(links.max(initial=0)) + 1
    link, inverse = np.unique(links @ np.array([size, 1]), return_inverse=True)
    return np.stack([link // size, link % size], axis=1), np.bincount(inverse, length, minlength=len(link))


def _pairs(work: _Work, budget: Budget) -> np.ndarray:
    """(P, 2): charts to join and what to join them to, no chart in two pairs; the smallest charts choose first."""
    area, first, failed = work.area, work.first, work.failed
    wanted = (area < budget.small_area) | (work.charts > budget.charts)
    small, large = work.links.T
    is_allowed = wanted[small] & (area[small] <= area[large])
    small, large = small[is_allowed], large[is_allowed]
    is_taken = np.zeros(len(area), bool)
    chosen = []
    for index in np.lexsort((first[large], first[small], -work.length[is_allowed], area[small])):
        a, b = int(small[index]), int(large[index])
        if not (is_taken[a] or is_taken[b] or failed.get((a, b), 0) > 1):
            is_taken[a] = is_taken[b] = True
            chosen.append((a, b))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _join(surface: Surface, work: _Work, pairs: np.ndarray, budget: Budget) -> None:
    """One round: those of `pairs` joined whose union is a good chart; the others are noted as failed.

    At first along all edges between the two; where that failed, along their longest run alone, which leaves the
    others as a seam of the chart with itself: what goes round a tube can lie flat only so.
    """
    charts = len(work.area)
    target = np.arange(charts, dtype=np.int32)
    target[pairs[:, 0]] = pairs[:, 1]
    is_moved, is_second, is_part = (np.zeros(charts, bool) for _ in range(3))
    is_moved[pairs[:, 0]] = is_part[pairs] = True
    is_second[pairs[:, 0]] = [(int(a), int(b)) in work.failed for a, b in pairs]
    faces = np.flatnonzero(is_moved[work.chart])
    source = work.chart[faces]
    corners, before = surface.corners(faces), work.uv[faces]
    joint, other = _joints(surface, work, faces, target, is_second[source])
    around, uv = _flattened(surface, work, faces, target, joint, other)
    kept = work.uv[around]
    work.uv[around], work.chart[faces] = uv, target[source]
    work.inner[joint], work.inner[other] = other, joint
    border = work.border[is_part[work.chart[work.border // 3]] & (work.inner[work.border] < 0)]
    is_fine = judge_changed(work.uv, work.inner, work.chart, charts, around, border)[target]
    stretch, spread = chart_stretch(corners, work.uv[faces], source, charts)
    stretch_before, spread_before = chart_stretch(corners, before, source, charts)
    most_stretch, most_spread = budget.limits(work.area)
    is_fine &= (stretch <= np.maximum(most_stretch, stretch_before)) & (
        spread <= np.maximum(most_spread, spread_before)
    )
    is_joined = is_moved & is_fine
    for a, b in pairs[~is_joined[pairs[:, 0]]].tolist():
        work.failed[a, b] = work.failed.get((a, b), 0) + 1
    is_undone = np.zeros(charts, bool)
    is_undone[pairs[~is_joined[pairs[:, 0]]]] = True
    undone = is_undone[work.chart[around]]
    work.uv[around[undone]] = kept[undone]
    loose = is_undone[work.chart[joint // 3]]
    work.inner[joint[loose]] = work.inner[other[loose]] = -1
    back = is_undone[source]
    work.chart[faces[back]] = source[back]
    _note(surface, work, pairs[is_joined[pairs[:, 0]]])


def _note(surface: Surface, work: _Work, joined: np.ndarray) -> None:
    """Bring what is known of whole charts up to date: of `joined` (P, 2), the first are part of the second now."""
    a, b = joined.T
    work.charts -= len(joined)
    work.border = work.border[work.inner[work.border] < 0]
    is_larger = np.zeros(len(work.area), bool)
    is_larger[b] = True
    grown = np.flatnonzero(is_larger[work.chart])
    # summed anew in the order of the faces, so that charts of one shape have one area and may be joined either way
    area = np.bincount(work.chart[grown], weights=surface.double_area[grown], minlength=len(work.area)) / 2
    work.area[b] = area[b]
    work.first[b] = np.minimum(work.first[a], work.first[b])
    work.first[a] = len(work.chart)
    number = np.arange(len(work.area))
    number[a] = b
    work.links, work.length = _summed(number[work.links], work.length)


def _joints(
    surface: Surface, work: _Work, faces: np.ndarray, target: np.ndarray, by_one_run: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(J,) int64 half-edges of `faces` (N,) along which their charts are joined to their `target` (C,), and opposites.

    `by_one_run` (N,) bool: those that are joined along the longest run of edges only.
    """
    half = (3 * faces[:, None] + np.arange(3)).reshape(-1)
    here = np.repeat(work.chart[faces], 3)
    other = surface.opposite[half].astype(np.int64)
    is_joint = (other >= 0) & (work.chart[other // 3] == target[here])
    half, other, here = half[is_joint], other[is_joint], here[is_joint]
    which = np.repeat(by_one_run, 3)[is_joint]
    kept = ~which
    kept[which] = _in_longest_runs(surface, half[which], here[which])
    return half[kept], other[kept]


def _flattened(
    surface: Surface, work: _Work, faces: np.ndarray, target: np.ndarray, joint: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(A,) int64 `faces` (N,) and those around them, and their `uv` (A, 3, 2) when `faces` hang on by their joints."""
    is_known = np.zeros(len(work.chart), bool)
    is_known[faces] = True
    ends = np.concatenate([other, other - other % 3 + (other + 1) % 3])
    near = np.concatenate([faces, faces_around(work.inner, ends, is_known)])
    outer = (3 * near[len(faces) :, None] + np.arange(3)).reshape(-1)
    around = np.concatenate([near, faces_around(work.inner, outer, is_known)])
    order = np.argsort(around)
    around = around[order]
    is_moved, is_near = order < len(faces), order < len(near)
    inner = restricted(work.inner, around)
    at = 3 * np.searchsorted(around, joint // 3) + joint % 3
    across = 3 * np.searchsorted(around, other // 3) + other % 3
    inner[at], inner[across] = across, at
    vertex, vertices = chart_vertices(inner)
    face_vertex = vertex.reshape(-1, 3)
    place, is_placed = np.zeros((vertices, 2)), np.zeros(vertices, bool)
    place[face_vertex[~is_moved]] = work.uv[around[~is_moved]]
    is_placed[face_vertex[~is_moved]] = True
    unfold(place, is_placed, face_vertex[is_moved], surface.corners(faces))
    active = np.zeros(vertices, bool)
    active[face_vertex[is_moved]] = True
    close = around[is_near]
    chart = target[work.chart[close]]
    place = relaxed(place, face_vertex[is_near], surface.corners(close), SWEEPS, active, PATIENCE, chart)
    return around, place[face_vertex]


def _in_longest_runs(surface: Surface, half: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """(J,) bool: which of the joints `half` (J,) are in the longest run of those of their `piece` (J,)."""
    if len(half) == 0:
        return np.zeros(0, bool)
    corner = surface.faces.reshape(-1)
    start, end = corner[half], corner[half - half % 3 + (half + 1) % 3]
    # Joints of one piece that share a vertex are one run.
    ends = np.concatenate([start, end]) * (piece.astype(np.int64).max() + 1) + np.tile(piece, 2)
    first, second = np.split(np.unique(ends, return_inverse=True)[1], 2)
    size = int(max(first.max(), second.max())) + 1
    graph = coo_array((np.ones(len(half), bool), (first, second)), shape=(size, size))
    run = connected_components(graph, directed=False)[1][first]
    length = np.bincount(run, np.linalg.norm(surface.vertices[end] - surface.vertices[start], axis=1))
    order = np.lexsort((length[run], piece))
    is_last = np.append(piece[order][1:] != piece[order][:-1], True)
    is_longest = np.zeros(len(length), bool)
    is_longest[run[order[is_last]]] = True
    return is_longest[run]
