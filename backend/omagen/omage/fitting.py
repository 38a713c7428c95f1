"""Charts to samples: lay out, put the borders onto the seams, find every pixel's point of the surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from omagen.omage.approximation import approximated
from omagen.omage.atlas import Atlas, uniform_density
from omagen.omage.layout import Layout, enlarged, split_charts
from omagen.omage.locate import Samples, locate_samples
from omagen.omage.seams import sample_seams, strained_charts
from omagen.omage.surface_points import interpolate_exactly
from omagen.omage.survival import torn_charts
from omagen.protocol import ErrorCode, OmagenError

ROUNDS: Final = 4
"""How often the layout may be made anew because charts are strained, and have to be halved."""
ENLARGEMENTS: Final = 6
"""How often it may be made anew because charts are torn, and have to be enlarged."""
ENLARGED_SHARE: Final = 0.05
"""Of the pixels: charts with more are not enlarged."""


@dataclass(frozen=True)
class Fitted:
    """An atlas drawn into a picture."""

    layout: Layout
    samples: Samples
    position: np.ndarray
    """(P, 3) float32: the point of each sample; all pixels of one seam point have the very same numbers"""
    given_up: dict[str, int]
    """Counts of what could not be done"""

    @property
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns in the picture, (P,) each."""
        return self.layout.pixel(self.samples.chart, self.samples.row, self.samples.column)


def fit(
    atlas: Atlas,
    lay: Callable[[Atlas], tuple[Layout, dict[str, int]]],
    positions_of: Callable[[np.ndarray], np.ndarray],
    *,
    rounds: int = ROUNDS,
) -> Fitted:
    """Draw `atlas` with `lay`; charts whose borders do not fit their pixels are halved, and all is laid out again.

    `positions_of` turns the vertices (V, 3) float32 of the atlas that was laid out into positions (V, 3) float64.
    """
    best: Fitted | None = None
    split = enlargements = 0
    may_change = rounds > 1
    while True:
        try:
            layout, given_up = lay(atlas)
        except OmagenError as problem:
            if best is None or problem.code is not ErrorCode.GEOMETRY:
                raise
            return best  # what was enlarged has no room
        positions = positions_of(layout.atlas.vertices)
        seams = sample_seams(positions, layout.boundary, layout.grids)
        strained = strained_charts(layout.grids, seams)
        if strained.any() and rounds > 1:
            rounds -= 1
            split += int(strained.sum())
            atlas = split_charts(uniform_density(layout.atlas), layout.boundary.twin, strained)
            continue
        samples = locate_samples(layout.grids, seams, layout.boundary.twin, layout.atlas, positions)
        points = _points(layout.atlas, positions, samples, seams.points)
        points = approximated(points, positions, layout.atlas.faces, layout.boundary.twin, layout.grids, samples)
        points = points.astype(np.float32)
        torn = torn_charts(layout, samples, points)
        counts = given_up | {"strained_charts": int(strained.sum()), "shrunk_seams": seams.merged}
        counts |= {"torn_charts": int(torn.sum()), "split_charts": given_up.get("split_charts", 0) + split}
        if best is None or _losses(counts) < _losses(best.given_up):
            best = Fitted(layout, samples, points, counts)
        is_crowded = counts.get("dropped_components", 0) > best.given_up.get("dropped_components", 0)
        small = torn & (np.bincount(samples.chart, minlength=len(torn)) < ENLARGED_SHARE * len(points))
        if not small.any() or not may_change or is_crowded or enlargements == ENLARGEMENTS:
            return best
        enlargements += 1
        atlas = enlarged(replace(layout, atlas=uniform_density(layout.atlas)), small)


def _losses(counts: dict[str, int]) -> tuple[int, int]:
    """What matters most first: components that found no room, then charts that are torn."""
    return counts.get("dropped_components", 0), counts["torn_charts"]


def _points(atlas: Atlas, positions: np.ndarray, samples: Samples, seam_points: np.ndarray) -> np.ndarray:
    points = interpolate_exactly(positions, atlas.faces, samples.face, samples.bary)
    on_seam = np.flatnonzero(samples.seam >= 0)
    points[on_seam] = seam_points[samples.seam[on_seam]]
    return points
