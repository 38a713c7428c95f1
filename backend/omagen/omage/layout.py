"""Where the charts of an atlas lie in the picture, pixel for pixel.

A layout that the mesh brought along is used where it is. All others are packed: the charts are drawn at a scale, their
very pixels are packed, and the scale is raised until no larger one fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numba
import numpy as np

from omagen.omage.adapting import split_charts, without_smallest
from omagen.omage.atlas import Atlas, uniform_density
from omagen.omage.boundary import Boundary, Edges, arc_bends, find_edges, trace_boundary
from omagen.omage.charts.stretch import double_areas
from omagen.omage.giving_way import give_way
from omagen.omage.grids import MARGIN, Grids, build_grids, chart_frames, fitted_uv
from omagen.omage.packing import ChartMasks, TooManyCharts, pack
from omagen.protocol import ErrorCode, OmagenError

BEND: Final = 0.35
"""Pixels: a seam that leaves a straight line by more gets a pixel exactly at its bend."""
BEND_SPACING: Final = 2.0
"""Pixels between bends that get one."""
EXPECTED_FILL: Final = 0.6
PACKABLE: Final = 0.8
"""Share of the picture that charts and gutters may take."""
GUESSES: Final = 4
"""Scales tried to find what fits about."""
ROOMY_AREA: Final = 100.0
ROOMY_WIDTH: Final = 3.0
"""Pixels, and pixels for each of the longest way across: charts with as much of both have never been seen torn."""
SPLITS: Final = 6
"""Rounds in which charts that cannot be drawn as what they are get halved."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Layout:
    atlas: Atlas
    boundary: Boundary
    grids: Grids
    origin: np.ndarray
    """(C, 2) int32: the picture's row and column of cell (0, 0) of each grid, once turned"""
    step: np.ndarray
    """(C, 2, 2) int32: the picture's row and column steps for a step up and a step right in the grid"""
    size: tuple[int, int]
    """Height and width of the picture"""
    placed: bool
    """The charts lie where the mesh's own UVs put them."""

    def pixel(self, chart: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns in the picture of cells of the charts' grids."""
        return _pixels(self.origin, self.step, chart, row, column)


@numba.njit(cache=True, nogil=True)
def _pixels(
    origin: np.ndarray, step: np.ndarray, chart: np.ndarray, row: np.ndarray, column: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    up, right = np.empty(len(chart), np.int32), np.empty(len(chart), np.int32)
    for n in range(len(chart)):
        c = chart[n]
        up[n] = origin[c, 0] + step[c, 0, 0] * row[n] + step[c, 1, 0] * column[n]
        right[n] = origin[c, 1] + step[c, 0, 1] * row[n] + step[c, 1, 1] * column[n]
    return up, right


def gutter_of(resolution: int) -> int:
    """Empty pixels between charts: one tells them apart; large pictures get more, for filtered texture look-ups."""
    return max(1, resolution // 512)


def lay_out(atlas: Atlas, resolution: int, *, keep: bool, progress: Progress) -> tuple[Layout, dict[str, int]]:
    """Draw and place the charts of `atlas`, with counts of what had to be given up.

    A placed atlas stays where it is if pixels between its charts can be left empty; `keep`: it must. Raises
    `OmagenError` (geometry) where it cannot, as some charts would have no pixels.
    """
    if atlas.placed:
        layout = _place(atlas, resolution)
        problem = _problem_of(layout)
        if problem in ("overlap", "touching"):
            layout = give_way(layout)
            problem = _problem_of(layout)
        if not problem or (keep and problem != "overlap" and _all_drawn(layout.grids)):
            return layout, {"open_charts": int((~layout.grids.sound).sum())}
        if keep:
            raise OmagenError(
                ErrorCode.GEOMETRY,
                f"The UVs cannot be kept at {resolution} pixels: some charts are so close that they have no pixels.",
                "Choose a larger resolution or automatic UVs.",
            )
        atlas = uniform_density(atlas)
    return _pack(atlas, resolution, progress)


def _boundary(atlas: Atlas, uv: np.ndarray, pixel: float, edges: Edges | None = None) -> Boundary:
    """The boundary with its bends; `pixel` is the size of a pixel on the surface."""

    def bends(plain: Boundary) -> np.ndarray:
        return arc_bends(atlas.vertices, plain, BEND * pixel, BEND_SPACING * pixel)

    return trace_boundary(atlas.faces, uv, atlas.chart, edges, bends)


def _place(atlas: Atlas, resolution: int) -> Layout:
    """The layout that `atlas` came with. Mirrored charts are drawn mirrored back, and placed mirrored."""
    uv = atlas.uv * resolution
    mirrored = atlas.mirrored
    uv[mirrored[atlas.chart], :, 0] *= -1
    low, _ = chart_frames(uv, atlas.chart, atlas.charts)
    shift = MARGIN - np.floor(low)
    uv += shift[atlas.chart][:, None]
    boundary = _boundary(atlas, uv, _unit_length(atlas, uv))
    grids = build_grids(uv, atlas.chart, atlas.charts, boundary)
    origin = np.round(-shift[:, ::-1]).astype(np.int32)
    step = np.tile(np.array([[1, 0], [0, 1]], np.int32), (atlas.charts, 1, 1))
    # A mirrored chart's column j lies at -(j - shift) - 1.
    origin[mirrored, 1] = np.round(shift[mirrored, 0]).astype(np.int32) - 1
    step[mirrored, 1, 1] = -1
    return Layout(atlas, boundary, grids, origin, step, (resolution, resolution), placed=True)


def _unit_length(atlas: Atlas, uv: np.ndarray) -> float:
    """How long one unit of `uv` is on the surface, on average."""
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    flat = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    return float(np.sqrt(double_areas(atlas.vertices[atlas.faces].astype(np.float64)).sum() / max(flat, 1e-300)))


def _all_drawn(grids: Grids) -> bool:
    """Whether every chart has pixels."""
    return bool((np.add.reduceat(grids.mask.astype(np.int64), grids.start[:-1]) > 0).all())


def _problem_of(layout: Layout) -> str:
    """`overlap` of charts or with the rim, `unsound` charts, `touching` charts, or nothing."""
    chart, row, column = mask_cells(layout.grids)
    row, column = layout.pixel(chart, row, column)
    size = layout.size[0]
    if min(row.min(), column.min()) < 0 or max(row.max(), column.max()) >= size:
        return "overlap"
    label = np.full((size + 2, size + 2), -1, np.int32)
    if len(np.unique(row.astype(np.int64) * size + column)) < len(row):
        return "overlap"
    label[row + 1, column + 1] = chart
    if not layout.grids.sound.all():
        return "unsound"
    return "touching" if _touch(label) else ""


@numba.njit(cache=True, nogil=True)
def _touch(label: np.ndarray) -> bool:
    for i in range(1, label.shape[0] - 1):
        for j in range(1, label.shape[1] - 1):
            if label[i, j] < 0:
                continue
            for other in (label[i, j + 1], label[i + 1, j - 1], label[i + 1, j], label[i + 1, j + 1]):
                if other >= 0 and other != label[i, j]:
                    return True
    return False


def _pack(atlas: Atlas, resolution: int, progress: Progress) -> tuple[Layout, dict[str, int]]:
    """Draw the charts, halve those whose topology pixels cannot hold, pack, give up components where not all fit.

    Counts split_charts, dropped_components, dropped_faces and open_charts (still drawn wrongly, so not closed).
    """
    given_up = {"split_charts": 0, "dropped_components": 0, "dropped_faces": 0}
    gutter = gutter_of(resolution)
    edges, area = find_edges(atlas.faces), _areas(atlas)
    scale, splits = _expected_scale(area, resolution), 0
    while True:
        drawing = _Drawing(atlas, _boundary(atlas, atlas.uv, 1 / scale, edges))
        grids = drawing.at(scale)
        if grids.sound.all() or splits == SPLITS:
            try:
                packing = pack(drawing.masks_at, resolution, gutter, scale, progress)
            except TooManyCharts as problem:
                atlas = without_smallest(atlas, area, problem.available / problem.needed, given_up)
                edges, area = find_edges(atlas.faces), _areas(atlas)
                scale = _expected_scale(area, resolution)
                continue
            scale = packing.scale
            grids = drawing.at(scale)
        if grids.sound.all() or splits == SPLITS:
            origin, step = _turned(packing, _cropped(grids)[1])
            given_up["open_charts"] = int((~grids.sound).sum())
            size = (resolution, resolution)
            return Layout(atlas, drawing.boundary, grids, origin, step, size, placed=False), given_up
        splits += 1
        given_up["split_charts"] += int((~grids.sound).sum())
        atlas = split_charts(atlas, drawing.boundary.twin, ~grids.sound)


def _areas(atlas: Atlas) -> np.ndarray:
    return double_areas(atlas.vertices[atlas.faces].astype(np.float64)) / 2


def _expected_scale(area: np.ndarray, resolution: int) -> float:
    """Pixels a unit at which charts of even density are likely to fit; `area` (F,) of the faces."""
    return float(np.sqrt(EXPECTED_FILL * resolution**2 / max(area.sum(), 1e-300)))


def draft_scale(atlas: Atlas, resolution: int) -> float | None:
    """Pixels a unit at which the charts of an atlas that is not placed will about fit.

    Many small charts take more room than their area, and leave less for the others. None where all charts are so large
    that a draft would find nothing wrong with them.
    """
    scale = _expected_scale(_areas(atlas), resolution)
    if _are_roomy(atlas, scale):
        return None
    drawing = _Drawing(atlas, _boundary(atlas, atlas.uv, 1 / scale))
    for _ in range(GUESSES):
        grids = drawing.at(scale)
        taken = int(np.count_nonzero(grids.mask)) + gutter_of(resolution) * int((grids.following >= 0).sum())
        step = float(np.sqrt(PACKABLE * resolution**2 / taken))
        if abs(step - 1) < 0.02:
            break
        scale *= min(max(step, 0.5), 2.0)
    return scale


def _are_roomy(atlas: Atlas, scale: float) -> bool:
    """Whether at `scale` pixels a unit every chart has many pixels, and is not thin."""
    a, b = atlas.uv[:, 1] - atlas.uv[:, 0], atlas.uv[:, 2] - atlas.uv[:, 0]
    area = np.bincount(atlas.chart, np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), atlas.charts) / 2 * scale**2
    low, high = chart_frames(atlas.uv, atlas.chart, atlas.charts)
    across = np.linalg.norm(high - low, axis=1) * scale
    return bool((area >= np.maximum(ROOMY_AREA, ROOMY_WIDTH * across)).all())


def lay_apart(atlas: Atlas, scale: float) -> tuple[Layout, dict[str, int]]:
    """Draw the charts at `scale` pixels a unit, side by side in a picture as large as it takes.

    Counts as `_pack` does; nothing is dropped.
    """
    atlas = counter_clockwise(atlas)
    edges, split = find_edges(atlas.faces), 0
    for attempt in range(SPLITS + 1):
        drawing = _Drawing(atlas, _boundary(atlas, atlas.uv, _unit_length(atlas, atlas.uv) / scale, edges))
        grids = drawing.at(scale)
        if grids.sound.all() or attempt == SPLITS:
            break
        split += int((~grids.sound).sum())
        atlas = split_charts(atlas, drawing.boundary.twin, ~grids.sound)
    widest = max(int(grids.width.max()), int(np.sqrt(float(grids.start[-1]))))
    origin = np.zeros((atlas.charts, 2), np.int32)
    row = column = tallest = 0
    for chart in np.argsort(-grids.height, kind="stable"):
        if column + grids.width[chart] > widest:
            row, column, tallest = row + tallest, 0, 0
        origin[chart] = row, column
        column += int(grids.width[chart])
        tallest = max(tallest, int(grids.height[chart]))
    step = np.tile(np.array([[1, 0], [0, 1]], np.int32), (atlas.charts, 1, 1))
    layout = Layout(atlas, drawing.boundary, grids, origin, step, (row + tallest, widest), placed=False)
    return layout, {"open_charts": int((~grids.sound).sum()), "split_charts": split}


def counter_clockwise(atlas: Atlas) -> Atlas:
    """`atlas` with its mirrored charts turned over, so that it is no longer placed."""
    if not atlas.placed:
        return atlas
    uv = atlas.uv.copy()
    uv[atlas.mirrored[atlas.chart], :, 0] *= -1
    return replace(atlas, uv=uv, placed=False, mirrored=np.zeros(atlas.charts, bool))


class _Drawing:
    """The charts of an atlas, to be drawn at any scale."""

    def __init__(self, atlas: Atlas, boundary: Boundary) -> None:
        self.atlas, self.boundary = atlas, boundary
        self._low, self._high = chart_frames(atlas.uv, atlas.chart, atlas.charts)

    def at(self, scale: float) -> Grids:
        atlas = self.atlas
        uv = fitted_uv(atlas.uv, atlas.chart, self._low, self._high, scale, atlas.least)
        return build_grids(uv, atlas.chart, atlas.charts, self.boundary)

    def masks_at(self, scale: float) -> ChartMasks:
        return _cropped(self.at(scale))[0]


def mask_cells(grids: Grids) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chart, row and column (each (P,) int32) of every pixel, in the order of the cells."""
    cell = np.flatnonzero(grids.mask)
    chart = (np.searchsorted(grids.start, cell, side="right") - 1).astype(np.int32)
    local = cell - grids.start[chart]
    return chart, (local // grids.width[chart]).astype(np.int32), (local % grids.width[chart]).astype(np.int32)


def _cropped(grids: Grids) -> tuple[ChartMasks, np.ndarray]:
    """The masks without empty rows and columns around them, and the cell (row, column) where each begins (C, 2)."""
    charts = len(grids.width)
    box = np.empty((charts, 4), np.int32)
    _boxes(grids.mask, grids.start, grids.width, grids.height, box)
    height, width = box[:, 1] - box[:, 0], box[:, 3] - box[:, 2]
    start = np.concatenate([[0], np.cumsum(height.astype(np.int64) * width)])
    bits = np.empty(start[-1], np.uint8)
    _crop(grids.mask, grids.start, grids.width, box, start, bits)
    return ChartMasks(bits, start, height, width), box[:, [0, 2]]


@numba.njit(cache=True, nogil=True)
def _boxes(mask: np.ndarray, start: np.ndarray, width: np.ndarray, height: np.ndarray, box: np.ndarray) -> None:
    for c in range(len(width)):
        top, bottom, right, left = -1, height[c], -1, width[c]
        for i in range(height[c]):
            for j in range(width[c]):
                if mask[start[c] + i * width[c] + j]:
                    bottom, top = min(bottom, i), i
                    left, right = min(left, j), max(right, j)
        if top < 0:  # a chart without a pixel keeps a place of one
            bottom = top = left = right = 0
        box[c, 0], box[c, 1], box[c, 2], box[c, 3] = bottom, top + 1, left, right + 1


@numba.njit(cache=True, nogil=True)
def _crop(
    mask: np.ndarray, start: np.ndarray, width: np.ndarray, box: np.ndarray, begin: np.ndarray, bits: np.ndarray
) -> None:
    for c in range(len(width)):
        n = begin[c]
        for i in range(box[c, 0], box[c, 1]):
            for j in range(box[c, 2], box[c, 3]):
                bits[n] = mask[start[c] + i * width[c] + j]
                n += 1


def _turned(packing, corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`origin` and `step` of `Layout` for packed bitmaps whose cell (0, 0) is cell `corner` of the grid."""
    charts = len(packing.turns)
    height, width = packing.masks.height.astype(np.int64), packing.masks.width.astype(np.int64)
    matrix = np.tile(np.array([[1, 0], [0, 1]]), (charts, 1, 1))  # rows: image of a step up, of a step right
    offset = np.zeros((charts, 2), np.int64)
    for turn in range(1, 4):
        which = packing.turns >= turn
        # A quarter turn takes (i, j) of a bitmap of h rows to (j, h - 1 - i).
        matrix[which] = np.stack([matrix[which][:, :, 1], -matrix[which][:, :, 0]], axis=2)
        offset[which] = np.stack([offset[which][:, 1], height[which] - 1 - offset[which][:, 0]], axis=1)
        height[which], width[which] = width[which], height[which].copy()
    origin = np.stack([packing.row, packing.column], axis=1) + offset
    origin -= matrix[:, 0] * corner[:, :1] + matrix[:, 1] * corner[:, 1:]
    return origin.astype(np.int32), matrix.astype(np.int32)
