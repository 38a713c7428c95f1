"""Charts to samples: lay out, put the borders onto the seams, find every pixel's point of the surface."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from omagen.omage.adapting import enlarged, parted, rolled_out, split_charts, together
from omagen.omage.approximation import approximated
from omagen.omage.atlas import Atlas, uniform_density
from omagen.omage.charts.stretch import double_areas
from omagen.omage.charts.uniting import Outline
from omagen.omage.layout import Layout, lay_apart
from omagen.omage.locate import Samples, locate_samples
from omagen.omage.seams import sample_seams, strained_charts
from omagen.omage.surface_points import interpolate_exactly
from omagen.omage.survival import torn_charts
from omagen.protocol import ErrorCode, OmagenError

ROUNDS: Final = 4
"""How often the layout may be made anew because charts are strained, and have to be halved."""
DRAFTS: Final = 8
REPEATS: Final = 6
"""How often a draft, and the whole, may be made anew because charts are torn."""
ROLL_OUT: Final[dict[int, Outline]] = {1: "own", 3: "rectangle", 5: "lens"}
"""At these steps what is still torn is put into single charts of such an outline instead."""
PATIENCE_S: Final = 120.0
"""After this time nothing is begun anew, so that what takes long by itself does not take several times as long."""
ENLARGED_SHARE: Final = 0.05
"""Of the pixels: charts with more are not enlarged."""
MOST_GROWTH: Final = 6.0
FEW: Final = 60
"""Nor charts with more than `FEW` pixels and `MOST_GROWTH` times as many as they are due."""


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


Lay = Callable[[Atlas], tuple[Layout, dict[str, int]]]


def fit(
    atlas: Atlas,
    lay: Lay,
    positions_of: Callable[[np.ndarray], np.ndarray],
    *,
    scale_of: Callable[[Atlas], float | None] | None = None,
    may_change: bool = True,
) -> Fitted:
    """Draw `atlas` with `lay`. Charts whose borders do not fit their pixels are halved, those that would decode torn
    are enlarged, and all is laid out again; not so where it may not change.

    `scale_of` says, for an atlas that is not placed, at how many pixels a unit `lay` is likely to arrive: most of that
    is settled on drafts of this scale, if it names one. `positions_of` turns the vertices (V, 3) float32 of an atlas
    that was laid out into positions (V, 3) float64.
    """
    split = 0
    if scale_of and may_change and not atlas.placed and (scale := scale_of(atlas)):
        atlas, split = _settled(atlas, scale, positions_of)
    best: Fitted | None = None
    begin = time.monotonic()
    rounds = ROUNDS if may_change else 0
    for step in range(REPEATS + 1):
        try:
            drawn = _drawn(atlas, lay, positions_of, rounds)
        except OmagenError as problem:
            if best is None or problem.code is not ErrorCode.GEOMETRY:
                raise
            return best  # what was enlarged has no room
        rounds = drawn.rounds
        points = approximated(
            drawn.points, drawn.positions, drawn.layout.atlas.faces, drawn.layout.boundary.twin, drawn.layout.grids,
            drawn.samples,
        ).astype(np.float32)  # fmt: skip
        torn = torn_charts(drawn.layout, drawn.samples, points, drawn.positions)
        counts = drawn.counts | {"torn_charts": int(torn.sum())}
        counts["split_charts"] += split
        if best is None or _losses(counts) < _losses(best.given_up):
            best = Fitted(drawn.layout, drawn.samples, points, counts)
        if counts["dropped_components"] and atlas.least is not None:
            if best.given_up["dropped_components"] < counts["dropped_components"]:
                break
            atlas = replace(atlas, least=None)
            continue
        is_late = step == REPEATS or time.monotonic() > begin + PATIENCE_S
        if not torn.any() or not may_change or is_late:
            break
        atlas = _mended(drawn.layout, torn, _small(torn, drawn, _room(drawn)), step)
    assert best is not None
    return best


def _settled(atlas: Atlas, scale: float, positions_of: Callable[[np.ndarray], np.ndarray]) -> tuple[Atlas, int]:
    """`atlas` with charts halved and enlarged until a draft of it shows no more need, and how many were halved.

    Components do not matter to each other, so what has come out whole is not drawn again.
    """
    whole: Atlas | None = None
    room: _Room | None = None
    split, begin = 0, time.monotonic()
    for step in range(DRAFTS):
        drawn = _drawn(atlas, lambda atlas: lay_apart(atlas, scale), positions_of, ROUNDS if step == 0 else 0)
        atlas, split = drawn.layout.atlas, split + drawn.counts["split_charts"]
        torn = torn_charts(drawn.layout, drawn.samples, drawn.points.astype(np.float32), drawn.positions)
        room = room or _room(drawn)
        if not torn.any() or time.monotonic() > begin + PATIENCE_S:
            break
        mended = _mended(drawn.layout, torn, _small(torn, drawn, room), step)
        rest, atlas = parted(mended, torn[atlas.chart])
        if len(rest.faces):
            whole = rest if whole is None else together(whole, rest)
    return (atlas if whole is None else together(whole, atlas)), split


def _mended(layout: Layout, torn: np.ndarray, small: np.ndarray, step: int) -> Atlas:
    """The atlas of `layout` changed so that its charts `torn` (C,) bool may come out whole when laid out again.

    Those of them that are `small` become larger or are rolled out, the others are halved.
    """
    atlas = uniform_density(layout.atlas)
    if small.any():
        if step in ROLL_OUT:  # more pixels do not help all of them
            return rolled_out(atlas, small, ROLL_OUT[step])
        atlas = enlarged(atlas, layout.grids, small)
    return split_charts(atlas, layout.boundary.twin, torn & ~small)


class _Drawn(NamedTuple):
    """An atlas laid out so that no chart is strained, if possible."""

    layout: Layout
    samples: Samples
    points: np.ndarray
    """(P, 3) float64"""
    positions: np.ndarray
    """(V, 3) float64 of the vertices of the layout's atlas"""
    counts: dict[str, int]
    """What was given up on the way"""
    rounds: int
    """How often it may still be made anew"""


def _drawn(atlas: Atlas, lay: Lay, positions_of: Callable[[np.ndarray], np.ndarray], rounds: int) -> _Drawn:
    given_up = Counter[str]()
    split = 0
    while True:
        layout, counts = lay(atlas)
        given_up.update({name: counts.get(name, 0) for name in ("dropped_components", "dropped_faces", "split_charts")})
        positions = positions_of(layout.atlas.vertices)
        seams = sample_seams(positions, layout.boundary, layout.grids)
        strained = strained_charts(layout.grids, seams)
        if not strained.any() or rounds == 0:
            break
        rounds -= 1
        split += int(strained.sum())
        atlas = split_charts(uniform_density(layout.atlas), layout.boundary.twin, strained)
    samples = locate_samples(layout.grids, seams, layout.boundary.twin, layout.atlas, positions)
    points = _points(layout.atlas, positions, samples, seams.points)
    given_up["split_charts"] += split
    counts = counts | given_up | {"strained_charts": int(strained.sum()), "shrunk_seams": seams.merged}
    return _Drawn(layout, samples, points, positions, counts, rounds)


class _Room(NamedTuple):
    pixels: int
    """Of all charts together"""
    density: float
    """Pixels a unit of area, in the frame of the positions"""


def _room(drawn: _Drawn) -> _Room:
    pixels = len(drawn.samples.chart)
    return _Room(pixels, pixels / max(float(double_areas(drawn.positions[drawn.layout.atlas.faces]).sum()) / 2, 1e-300))


def _small(torn: np.ndarray, drawn: _Drawn, room: _Room) -> np.ndarray:
    """(C,) bool: of the charts that are `torn` those that may become larger at the cost of all others."""
    atlas = drawn.layout.atlas
    area = np.bincount(atlas.chart, double_areas(drawn.positions[atlas.faces]), atlas.charts) / 2
    pixels = np.bincount(drawn.samples.chart, minlength=atlas.charts)
    return torn & (pixels < np.minimum(ENLARGED_SHARE * room.pixels, MOST_GROWTH * room.density * area + FEW))


def _losses(counts: dict[str, int]) -> tuple[int, int]:
    """What matters most first: components that found no room, then charts that are torn."""
    return counts["dropped_components"], counts["torn_charts"]


def _points(atlas: Atlas, positions: np.ndarray, samples: Samples, seam_points: np.ndarray) -> np.ndarray:
    points = interpolate_exactly(positions, atlas.faces, samples.face, samples.bary)
    on_seam = np.flatnonzero(samples.seam >= 0)
    points[on_seam] = seam_points[samples.seam[on_seam]]
    return points
