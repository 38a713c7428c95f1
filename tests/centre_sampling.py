"""The usual way to bake a geometry image, to compare ours with: a pixel counts if its centre lies inside a chart.

Same charts, same places. Positions are interpolated at the pixels' centres; nothing else is done, so half a pixel is
lost along every border and the two sides of a seam do not meet.
"""

from __future__ import annotations

import numpy as np
from omagen.omage.frame import normalise_vertices
from omagen.omage.layout import Layout
from omagen.omage.raster import raster_faces
from omagen.shapes import Mesh, Omage


def centre_sampled(mesh: Mesh, layout: Layout) -> Omage:
    """The geometry of `mesh` in `layout`, with its flat normals for the winding."""
    size = layout.resolution
    face, bary = raster_faces(picture_uv(layout), size, size)
    occupancy = face >= 0
    positions, centre, scale = normalise_vertices(layout.atlas.vertices)
    corners = positions[layout.atlas.faces[face[occupancy]]]
    weight = bary[occupancy].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    points = corners[:, 0] * (1 - weight.sum(1, keepdims=True))
    points += corners[:, 1] * weight[:, :1] + corners[:, 2] * weight[:, 1:]
    position, normal = np.zeros((size, size, 3), np.float32), np.zeros((size, size, 3), np.float32)
    position[occupancy], normal[occupancy] = points, normals
    chart = np.where(occupancy, layout.atlas.chart[face], np.int32(-1)).astype(np.int32)
    return Omage(position, occupancy, normal, chart=chart, centre=centre, scale=scale, name=mesh.name)


def picture_uv(layout: Layout) -> np.ndarray:
    """(F, 3, 2) float64: corners of the atlas's faces in the picture; pixel (i, j) has its centre at (j + .5, i + .5)."""
    chart = layout.atlas.chart
    step, origin = layout.step[chart].astype(np.float64), layout.origin[chart].astype(np.float64)
    cell = layout.grids.uv - 0.5
    place = origin[:, None] + step[:, None, 0] * cell[..., 1:] + step[:, None, 1] * cell[..., :1]
    return place[..., ::-1] + 0.5
