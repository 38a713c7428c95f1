"""The usual way to bake a geometry image, to compare ours with: a pixel counts if its centre lies inside a chart.

Same charts, same places. Positions are interpolated at the pixels' centres; nothing else is done, so half a pixel is
lost along every border and the two sides of a seam do not meet.
"""

from __future__ import annotations

import numpy as np
from omagen.omage.frame import normalise_vertices
from omagen.omage.grids import chart_frames
from omagen.omage.layout import Layout
from omagen.omage.raster import raster_faces
from omagen.shapes import Mesh, Omage


def centre_sampled(mesh: Mesh, layout: Layout) -> Omage:
    """The geometry of `mesh` in `layout`, with its flat normals for the winding."""
    size = layout.size
    face, bary = raster_faces(picture_uv(layout), *size)
    occupancy = face >= 0
    positions, centre, scale = normalise_vertices(layout.atlas.vertices)
    corners = positions[layout.atlas.faces[face[occupancy]]]
    weight = bary[occupancy].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    points = corners[:, 0] * (1 - weight.sum(1, keepdims=True))
    points += corners[:, 1] * weight[:, :1] + corners[:, 2] * weight[:, 1:]
    position, normal = np.zeros((*size, 3), np.float32), np.zeros((*size, 3), np.float32)
    position[occupancy], normal[occupancy] = points, normals
    chart = np.where(occupancy, layout.atlas.chart[face], np.int32(-1)).astype(np.int32)
    return Omage(position, occupancy, normal, chart=chart, centre=centre, scale=scale, name=mesh.name)


def picture_uv(layout: Layout) -> np.ndarray:
    """(F, 3, 2) float64: corners of the atlas's faces in the picture; the centre of pixel (i, j) is (j + .5, i + .5).

    Charts that Omagen packs it also fits, so that their straight sides run through pixel centres. That is undone: each
    keeps its place but gets the scale of all, its box beginning at a pixel's corner, as with other packers.
    """
    chart, cell = layout.atlas.chart, layout.grids.uv
    if not layout.placed:
        low, high = chart_frames(layout.atlas.uv, chart, layout.atlas.charts)
        fitted_low, fitted_high = chart_frames(cell, chart, layout.atlas.charts)
        scale = (fitted_high - fitted_low).sum() / (high - low).sum()
        cell = (layout.atlas.uv - low[chart][:, None]) * scale + np.floor(fitted_low[chart])[:, None]
    step, origin = layout.step[chart].astype(np.float64), layout.origin[chart].astype(np.float64)
    place = origin[:, None] + step[:, None, 0] * (cell[..., 1:] - 0.5) + step[:, None, 1] * (cell[..., :1] - 0.5)
    return place[..., ::-1] + 0.5
