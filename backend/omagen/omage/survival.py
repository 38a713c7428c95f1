"""Which charts, drawn into pixels, do not decode to the surface that they were cut from."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.geometry.components import face_components
from omagen.geometry.topology import half_edges
from omagen.omage.charts.stretch import double_areas
from omagen.omage.corners import smooth_normals
from omagen.omage.frame import to_omage_frame
from omagen.omage.layout import Layout
from omagen.omage.locate import Samples
from omagen.omage.surface_points import interpolate
from omagen.omage.triangulate import Surface, build_surface

RISKY: Final = 400
"""Pixels: a component is looked at when one of its charts has fewer."""
SWOLLEN: Final = 1.5
"""Times its own area that a chart may decode to: beyond it triangles run across it."""


def torn_charts(layout: Layout, samples: Samples, position: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(C,) bool: charts where the decoded surface has other borders than theirs, is in more pieces, or much larger.

    `position` (P, 3) float32 of the samples, `positions` (V, 3) of the atlas's vertices in the same frame. Of
    components that are lost, or whose border is in another number of loops, all charts; of torn ones those of all
    pieces but the largest; and the charts at edges that are open or have more than two triangles, where their
    component has none such.
    """
    atlas = layout.atlas
    pixels = np.bincount(samples.chart, minlength=atlas.charts)
    component = face_components(atlas.faces)
    components = int(component.max()) + 1
    of_chart = component[np.unique(atlas.chart, return_index=True)[1]]
    is_risky = np.zeros(components, bool)
    is_risky[of_chart[pixels < RISKY]] = True
    if not is_risky.any():
        return np.zeros(atlas.charts, bool)
    decoded, chart = _decoded(layout, samples, position, is_risky[of_chart[samples.chart]])
    faces = decoded.faces
    before, after = _edges(atlas.faces, component), _edges(faces, of_chart[chart])
    is_torn = np.zeros(atlas.charts, bool)
    for is_wrong_before, is_wrong in ((before.uses == 1, after.uses == 1), (before.uses > 2, after.uses > 2)):
        is_allowed = np.bincount(before.component[is_wrong_before], minlength=components) > 0
        is_torn[chart[after.face[is_wrong & ~is_allowed[after.component]]]] = True
    piece = face_components(faces)
    size = np.bincount(piece)[piece]
    largest = np.full(components, -1, np.int64)
    by_size = np.argsort(size, kind="stable")
    largest[of_chart[chart[by_size]]] = piece[by_size]
    is_torn[chart[piece != largest[of_chart[chart]]]] = True
    area = np.bincount(atlas.chart, double_areas(positions[atlas.faces]), atlas.charts)
    decoded_area = np.bincount(chart, double_areas(decoded.vertices[faces].astype(np.float64)), atlas.charts)
    is_torn |= decoded_area > SWOLLEN * area
    is_wrong = is_risky & ((largest < 0) | (_loops(before, components) != _loops(after, components)))
    return is_torn | is_wrong[of_chart]


def _decoded(layout: Layout, samples: Samples, position: np.ndarray, seen: np.ndarray) -> tuple[Surface, np.ndarray]:
    """What decoding makes of the samples `seen` (P,) bool, and the chart (F,) of each face.

    The normals of the surface stand for those that the materials will say, which are not known yet.
    """
    chart = samples.chart[seen]
    row, column = layout.pixel(chart, samples.row[seen], samples.column[seen])
    labels, seam = np.full(layout.size, -1, np.int32), np.full(layout.size, -1, np.int32)
    place = np.zeros((*layout.size, 3), np.float32)
    labels[row, column], seam[row, column], place[row, column] = chart, samples.seam[seen], position[seen]
    normals = smooth_normals(layout.atlas.vertices, layout.atlas.faces)
    corner = np.arange(normals.shape[0] * 3, dtype=np.int32).reshape(-1, 3)
    shading = interpolate(normals.reshape(-1, 3), corner, samples.face[seen], samples.bary[seen])
    normal = np.zeros((*layout.size, 3), np.float32)
    normal[row, column] = to_omage_frame(shading / np.maximum(np.linalg.norm(shading, axis=1, keepdims=True), 1e-12))
    surface = build_surface(labels, place, seam, normal)
    return surface, surface.face_labels(labels)


class _Edges(NamedTuple):
    """The half-edges of some faces, in any order."""

    ends: np.ndarray
    """(3F,) uint64: the same number for the same two vertices"""
    uses: np.ndarray
    """(3F,) int64: how many faces have the edge"""
    face: np.ndarray
    """(3F,) int64"""
    component: np.ndarray
    """(3F,): of the face"""


def _edges(faces: np.ndarray, component: np.ndarray) -> _Edges:
    ends, order = half_edges(faces)
    first = np.flatnonzero(np.append(True, ends[1:] != ends[:-1])[: len(ends)])
    uses = np.diff(np.append(first, len(ends)))
    return _Edges(ends, np.repeat(uses, uses), order // 3, component[order // 3])


def _loops(edges: _Edges, components: int) -> np.ndarray:
    """(components,): in how many connected pieces the border of each is."""
    is_open = edges.uses == 1
    ends = np.stack([edges.ends[is_open] >> np.uint64(32), edges.ends[is_open] & np.uint64(0xFFFFFFFF)])
    vertices, ends = np.unique(ends.astype(np.int64), return_inverse=True)
    start, end = ends.reshape(2, -1)
    graph = coo_array((np.ones(len(start), bool), (start, end)), shape=(len(vertices), len(vertices)))
    loop = connected_components(graph, directed=False)[1][start]
    return np.bincount(np.unique(np.stack([edges.component[is_open], loop]), axis=1)[0], minlength=components)
