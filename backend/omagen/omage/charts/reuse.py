"""Judges the UVs that a mesh brings along: which of its charts are worth keeping, and whether their layout is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.charts.charting import FEW, Charting, charting
from omagen.omage.charts.coverage import cover
from omagen.omage.charts.flat_faces import lift_flat_faces
from omagen.omage.charts.improving import unstretched
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.stretch import chart_stretch
from omagen.omage.charts.validity import judge, signed_areas

SAME_UV: Final = 1e-6
OUTSIDE: Final = 1e-4
"""How far a layout may leave the unit square, in units of its side."""
MOST_STRETCH: Final = 2.0
REUSED_STRETCH: Final = 1.3
MOST_SPREAD: Final = 1.0
"""Limits of `chart_stretch`: for layouts used as they are, for charts that are packed anew, for sizes in both."""
LEAST_COVERAGE: Final = 0.25
"""A layout that covers less of the square is packed anew."""
CLOSE_SHARE: Final = 0.01
"""Share of a layout's outline that may run closer than two pixels to another chart."""
LARGEST_GRID: Final = 2048


@dataclass(frozen=True)
class GivenUv:
    """A mesh's own UVs as charts."""

    found: Charting
    """uv of mirrored charts are turned over, so that all count as counter-clockwise"""
    mirrored: np.ndarray
    """(C,) bool"""
    good: np.ndarray
    """(C,) bool: flattened without fault"""
    even: np.ndarray
    """(C,) bool: of a stretch that one can live with"""
    unstretched: np.ndarray
    """(F, 3, 2) float64: uv of `found` without the stretch that all of a chart has in common"""
    usable: np.ndarray
    """(C,) bool: worth keeping once unstretched and freed of the few faces that are at fault"""
    usable_share: float
    """How much of the surface, by area, is in usable charts"""
    layout_faults: tuple[str, ...]
    """Why the charts are not a layout of the unit square, where they are not: in words for the user. At least one of
    the reasons, and all of them where the layout is wanted"""
    is_roomy: bool
    """The layout keeps its charts apart at the asked resolution and does not waste the square."""


def given_uv(surface: Surface, uv: np.ndarray, resolution: int, is_wanted: bool = False) -> GivenUv:
    """Judge `uv` (F, 3, 2), one row per face of `surface`; where they are wanted as they are, find all their faults."""
    uv = np.where(np.isfinite(uv), uv, 0).astype(np.float64)
    found = charting(surface.opposite, np.zeros(len(uv), np.int32), uv, SAME_UV)
    mirrored = np.bincount(found.chart, weights=signed_areas(found.uv), minlength=found.charts) < 0
    turned = found.uv.copy()
    turned[mirrored[found.chart], :, 0] *= -1
    turned = lift_flat_faces(turned, found.inner)
    found = Charting(found.chart, turned, found.inner, found.charts)
    verdict = judge(turned, found.inner, found.chart, found.charts)
    good, corners = verdict.good, surface.corners()
    even = _is_even(corners, turned, found, MOST_STRETCH)
    straight = unstretched(corners, turned, found.chart, found.charts)
    is_turned = ~(signed_areas(turned) > 0)
    area = surface.double_area
    share = np.bincount(found.chart, weights=area * is_turned, minlength=found.charts)
    usable = share <= FEW * np.bincount(found.chart, weights=area, minlength=found.charts)
    usable &= _is_even(corners, np.where(is_turned[:, None, None], 0, straight), found, REUSED_STRETCH)
    placed = laid_out(found, mirrored)
    usable_share = float(area[usable[found.chart]].sum() / max(area.sum(), 1e-300))
    faults = _layout_faults(surface, placed, found, good, is_wanted)
    is_roomy = not faults and _is_roomy(placed, found.chart, resolution)
    return GivenUv(found, mirrored, good, even, straight, usable, usable_share, faults, is_roomy)


def _is_even(corners: np.ndarray, uv: np.ndarray, found: Charting, limit: float) -> np.ndarray:
    stretch, spread = chart_stretch(corners, uv, found.chart, found.charts)
    return (stretch <= limit) & (spread <= MOST_SPREAD)


def laid_out(found: Charting, mirrored: np.ndarray) -> np.ndarray:
    """(F, 3, 2): the uv where the mesh has them, mirrored charts clockwise again, moved into the unit square."""
    uv = found.uv.copy()
    uv[mirrored[found.chart], :, 0] *= -1
    return np.clip(uv, 0, 1) if (np.abs(uv - 0.5) <= 0.5 + OUTSIDE).all() else uv


def _layout_faults(
    surface: Surface, uv: np.ndarray, found: Charting, good: np.ndarray, is_wanted: bool
) -> tuple[str, ...]:
    faults = []
    if not good.all():
        area = surface.double_area
        share = area[~good[found.chart]].sum() / max(area.sum(), 1e-300)
        faults.append(f"{share:.1%} of the surface is folded over, doubled or has no room in its UV island")
        if not is_wanted:
            return tuple(faults)
    if uv.min() < 0 or uv.max() > 1:
        faults.append(f"UVs lie outside the unit square (from {uv.min():.3g} to {uv.max():.3g})")
    elif (share := _doubled_share(uv, found.chart)) > 0:
        faults.append(f"UV islands lie on top of each other ({share:.1%} of the covered area)")
    return tuple(faults)


def _doubled_share(uv: np.ndarray, chart: np.ndarray) -> float:
    if (area := 0.5 * float(np.abs(signed_areas(uv)).sum())) > 1.01:  # more than the square holds: no need to look
        return 1 - 1 / area
    seen = np.full((LARGEST_GRID, LARGEST_GRID), -1, np.int32)
    doubled = np.zeros(seen.shape, bool)
    cover(uv * LARGEST_GRID, chart, seen, doubled)
    return float(doubled.sum() / max((seen >= 0).sum(), 1))


def _is_roomy(uv: np.ndarray, chart: np.ndarray, resolution: int) -> bool:
    size = min(resolution, LARGEST_GRID)
    seen = np.full((size, size), -1, np.int32)
    cover(uv * size, chart, seen, np.zeros(seen.shape, bool))
    if (seen >= 0).mean() < LEAST_COVERAGE:
        return False
    outline, close = 0, 0
    for row in range(3):
        for column in range(-2, 3):
            if row == 0 and column <= 0:
                continue
            here = seen[: size - row, max(0, -column) : size - max(0, column)]
            there = seen[row:, max(0, column) : size + min(0, column)]
            differs = here != there
            is_near = max(row, abs(column)) == 1
            is_met = differs & (here >= 0) & (there >= 0)
            if is_near and is_met.any():
                return False
            close += int(is_met.sum())
            outline += int(differs.sum())
    return close <= CLOSE_SHARE * outline
