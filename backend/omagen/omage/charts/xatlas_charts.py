"""Charts from xatlas, for the meshes that it handles well: some ten thousand faces without noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.projection import box_projection
from omagen.omage.charts.topology import chart_vertices
from omagen.omage.charts.validity import signed_areas
from omagen.omage.charts.xatlas_process import generate, run_xatlas

SIZE: Final = 1000.0
"""Extent of the mesh that xatlas is given: it takes triangles of an area below 1e-7 for none, at any scale."""
MOST_FACES_HERE: Final = 3000
"""More than these may take long: they are given to another process."""
MAX_COST: Final = 8.0


def xatlas_charts(surface: Surface, patience_s: float, look: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """`label` (F,) int32, -1 for faces without a chart, and `uv` (F, 3, 2) float64 in the mesh's units.

    Charts are counter-clockwise. Where xatlas is not done in `patience_s`, the faces are labelled with the side
    of a box that they look at. `look` is called now and then and may raise.
    """
    # corners on the two sides of a wall are different vertices for xatlas
    corner_vertex, count = chart_vertices(surface.opposite)
    place = np.empty(count, np.int32)
    place[corner_vertex] = surface.faces.reshape(-1)
    low = surface.vertices.min(axis=0)
    unit = (float(np.ptp(surface.vertices, axis=0).max()) or 1.0) / SIZE
    places = ((surface.vertices - low) / unit)[place].astype(np.float32)
    faces = corner_vertex.reshape(-1, 3).astype(np.uint32)
    if len(faces) <= MOST_FACES_HERE:
        charts = generate(places, faces, MAX_COST)
    elif (charts := run_xatlas(places, faces, MAX_COST, time.monotonic() + patience_s, look)) is None:
        return box_projection(surface.corners())
    label, uv = charts
    uv = uv * unit
    area = np.bincount(label + 1, weights=signed_areas(uv))
    uv[area[label + 1] < 0, :, 0] *= -1
    return label, uv
