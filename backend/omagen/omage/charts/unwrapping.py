"""Cuts a surface into charts anew and flattens them."""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.omage.charts.charting import Progress
from omagen.omage.charts.labels import cleaned
from omagen.omage.charts.preparation import Surface, as_surface
from omagen.omage.charts.proxy import carried_uv, decimated, nearest_proxy_face
from omagen.omage.charts.relaxation import relaxed
from omagen.omage.charts.topology import chart_vertices, connected_faces, inner_half_edges
from omagen.omage.charts.unfolding import unfold
from omagen.omage.charts.xatlas_charts import xatlas_charts

MOST_FACES_DIRECT: Final = 8000
PROXY_FACES: Final = 8000
SWEEPS: Final = 8


def unwrap(surface: Surface, patience_s: float, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """`label` (F,) int32 and `uv` (F, 3, 2) float64 in the surface's units; not yet checked.

    Cutting takes about `patience_s` at most, whatever that does to the charts.
    """
    if len(surface.faces) <= MOST_FACES_DIRECT:
        return xatlas_charts(surface, patience_s, lambda: progress("Cutting charts", 0.3))
    return _by_proxy(surface, patience_s, progress)


def _by_proxy(surface: Surface, patience_s: float, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    corners = surface.corners()
    progress("Decimating", 0.2)
    proxy = decimated(surface, PROXY_FACES)
    progress("Cutting charts", 0.4)
    coarse = as_surface(proxy.vertices, proxy.faces, np.zeros(len(proxy.faces), np.int32), {})
    coarse_label, coarse_uv = xatlas_charts(coarse, patience_s, lambda: progress("Cutting charts", 0.4))
    progress("Cutting charts", 0.6)
    nearest = nearest_proxy_face(corners, surface.faces, proxy, coarse_label >= 0)
    carried = np.where(nearest >= 0, np.take(coarse_label, nearest), -1)
    label = cleaned(carried, surface.opposite, surface.double_area)
    inner = inner_half_edges(surface.opposite, label)
    vertex, vertices = chart_vertices(inner)
    face_vertex = vertex.reshape(-1, 3)
    triangles = proxy.vertices[proxy.faces].astype(np.float64)
    nearest = np.where(carried == label, nearest, -1)
    uv, is_known = carried_uv(corners, face_vertex, vertices, nearest, triangles, coarse_uv)
    unfold(uv, is_known, face_vertex, corners)
    progress("Flattening", 0.7)
    uv = relaxed(uv, face_vertex, corners, SWEEPS, piece=connected_faces(inner)[0])
    return label, np.take(uv, face_vertex, axis=0)
