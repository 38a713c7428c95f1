"""Changes an atlas that pixels cannot hold as it is: its charts are halved, enlarged, rolled out or given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.components import face_components
from omagen.omage.atlas import Atlas
from omagen.omage.charts.halving import second_halves
from omagen.omage.charts.improving import evened
from omagen.omage.charts.topology import connected_faces, opposite_half_edges, restricted
from omagen.omage.charts.uniting import Outline, in_one_chart
from omagen.omage.grids import Grids, chart_frames
from omagen.protocol import ErrorCode, OmagenError

PIXELS_OF_SHAPE: Final = 16
"""What three by three pixels take with the gutter."""
ROOM_FOR_SHAPE: Final = 0.25
"""Share of the picture that they may take together."""
THIN: Final = 6
"""Pixels: charts that measure less are enlarged in that direction first."""
LEAST_ROLLED: Final = 3.0
LEAST_CONVEX: Final = 5.0
"""Pixels that what has been rolled out measures: around a tube three points at least, around what is worse more."""
GROWTH: Final = 1.5
"""By how much other charts are enlarged."""


def with_room_for_shape(atlas: Atlas, resolution: int) -> Atlas:
    """`atlas` with three pixels each way at least for charts that are components by themselves, if there are not many.

    Less would show where they are, but not what they look like.
    """
    if atlas.placed:
        return atlas
    component = face_components(atlas.faces)[np.unique(atlas.chart, return_index=True)[1]]
    is_alone = np.bincount(component)[component] == 1
    if int(is_alone.sum()) * PIXELS_OF_SHAPE > ROOM_FOR_SHAPE * resolution**2:
        return atlas
    return replace(atlas, least=np.where(is_alone, 2.0, 1.0)[:, None] * np.ones(2))


def split_charts(atlas: Atlas, twin: np.ndarray, which: np.ndarray) -> Atlas:
    """`atlas` with the charts `which` (C,) bool divided in two, each half connected."""
    label = 2 * atlas.chart + second_halves(twin, atlas.uv.mean(axis=1), atlas.chart, which)
    inner = twin.copy()
    faces = np.arange(len(twin)) // 3
    inner[(twin >= 0) & (label[faces] != label[twin // 3])] = -1
    chart, charts = connected_faces(inner)
    least = atlas.least
    if least is not None:  # what has been halved may be small again
        parent = atlas.chart[np.unique(chart, return_index=True)[1]]
        least = np.where(which[parent][:, None], 1.0, least[parent])
    return replace(atlas, chart=chart, mirrored=np.zeros(charts, bool), least=least)


def enlarged(atlas: Atlas, grids: Grids, which: np.ndarray) -> Atlas:
    """`atlas`, drawn as `grids`, with larger charts `which` (C,) bool: where they are thin across, else all over."""
    low, high = chart_frames(grids.uv, atlas.chart, atlas.charts)
    extent = np.round(high - low)
    is_thin = extent < THIN
    wanted = np.where(is_thin, extent + 2, np.where(is_thin.any(axis=1, keepdims=True), extent, extent * GROWTH))
    least = np.ones((atlas.charts, 2)) if atlas.least is None else atlas.least
    return replace(atlas, least=np.where(which[:, None], np.maximum(np.ceil(wanted), least), least))


def rolled_out(atlas: Atlas, which: np.ndarray, outline: Outline) -> Atlas:
    """`atlas` with each component that has one of the charts `which` (C,) bool in a single chart, where possible.

    `outline` as in `in_one_chart`.
    """
    component = face_components(atlas.faces)
    opposite, chart, uv = opposite_half_edges(atlas.faces), atlas.chart.copy(), atlas.uv.copy()
    corners = atlas.vertices[atlas.faces].astype(np.float64)
    count = atlas.charts
    for number in np.unique(component[which[atlas.chart]]):
        part = np.flatnonzero(component == number)
        flat = in_one_chart(corners[part], restricted(opposite, part), outline)
        if flat is not None:
            uv[part], chart[part] = flat[0], count
            count += 1
    kept, chart = np.unique(chart, return_inverse=True)
    chart = chart.astype(np.int32)
    uv = np.where(
        (chart < np.searchsorted(kept, atlas.charts))[:, None, None], uv, evened(corners, uv, chart, len(kept))
    )
    least = np.ones((atlas.charts, 2)) if atlas.least is None else atlas.least
    new = np.full((count - atlas.charts, 2), LEAST_ROLLED if outline == "own" else LEAST_CONVEX)
    least = np.concatenate([least, new])[kept]
    return replace(atlas, uv=uv, chart=chart, mirrored=np.zeros(len(kept), bool), least=least)


def parted(atlas: Atlas, which: np.ndarray) -> tuple[Atlas, Atlas]:
    """`atlas` without the components that have some of the faces `which` (F,) bool, and these components alone."""
    component = face_components(atlas.faces)
    is_part = np.zeros(int(component.max()) + 1, bool)
    is_part[component[which]] = True
    return _only(atlas, ~is_part[component]), _only(atlas, is_part[component])


def together(one: Atlas, other: Atlas) -> Atlas:
    """Two parts of an atlas as one again."""
    least = [np.ones((part.charts, 2)) if part.least is None else part.least for part in (one, other)]
    return replace(
        one,
        faces=np.concatenate([one.faces, other.faces]),
        source_face=np.concatenate([one.source_face, other.source_face]),
        uv=np.concatenate([one.uv, other.uv]),
        chart=np.concatenate([one.chart, other.chart + np.int32(one.charts)]),
        mirrored=np.concatenate([one.mirrored, other.mirrored]),
        least=np.concatenate(least),
    )


def _only(atlas: Atlas, faces: np.ndarray) -> Atlas:
    """`atlas` with only the `faces` (F,) bool, which are whole charts."""
    kept, chart = np.unique(atlas.chart[faces], return_inverse=True)
    return replace(
        atlas,
        faces=np.ascontiguousarray(atlas.faces[faces]),
        source_face=atlas.source_face[faces],
        uv=np.ascontiguousarray(atlas.uv[faces]),
        chart=chart.astype(np.int32),
        mirrored=atlas.mirrored[kept],
        least=None if atlas.least is None else atlas.least[kept],
    )


def without_smallest(atlas: Atlas, area: np.ndarray, share: float, given_up: dict[str, int]) -> Atlas:
    """`atlas` without its smallest components, so many that about `share` of the charts stay."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = len(atlas.vertices)
    pairs = np.concatenate([atlas.faces[:, :2], atlas.faces[:, 1:]])
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    component = connected_components(graph, directed=False)[1][atlas.faces[:, 0]]
    used, component = np.unique(component, return_inverse=True)
    first = np.unique(atlas.chart, return_index=True)[1]
    charts = np.bincount(component[first], minlength=len(used))
    order = np.argsort(-np.bincount(component, area, len(used)), kind="stable")
    kept = max(int(np.searchsorted(np.cumsum(charts[order]), 0.9 * share * atlas.charts)), 1)
    if kept == len(used):
        raise OmagenError(
            ErrorCode.GEOMETRY, "The surface has too many charts for the resolution.", "Choose a larger resolution."
        )
    stays = np.isin(component, order[:kept])
    given_up["dropped_components"] = given_up.get("dropped_components", 0) + len(used) - kept
    given_up["dropped_faces"] = given_up.get("dropped_faces", 0) + int((~stays).sum())
    return _only(atlas, stays)
