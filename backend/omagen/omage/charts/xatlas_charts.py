"""Charts from xatlas, for the meshes that it handles well: some ten thousand faces without noise."""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.omage.charts.topology import chart_vertices

SIZE: Final = 1000.0
"""Extent of the mesh that xatlas is given: it takes triangles of an area below 1e-7 for none, at any scale."""


def xatlas_charts(
    vertices: np.ndarray, faces: np.ndarray, opposite: np.ndarray, max_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """`label` (F,) int32, -1 for faces that xatlas ignores, and `uv` (F, 3, 2) float64 in the mesh's units.

    `vertices` (V, 3) float32, `faces` (F, 3) int32, `opposite` (3F,) int32. `max_cost` is where charts stop to grow:
    larger means fewer and more distorted ones. Cannot be interrupted.
    """
    import xatlas

    # corners on the two sides of a wall are different vertices for xatlas
    corner_vertex, count = chart_vertices(opposite)
    place = np.empty(count, np.int32)
    place[corner_vertex] = faces.reshape(-1)
    low = vertices.min(axis=0)
    extent = (float(np.ptp(vertices, axis=0).max()) or 1.0) / SIZE
    atlas = xatlas.Atlas()
    atlas.add_mesh(
        ((vertices - low) / extent)[place].astype(np.float32), corner_vertex.reshape(-1, 3).astype(np.uint32)
    )
    chart_options = xatlas.ChartOptions()
    chart_options.max_cost = max_cost
    pack_options = xatlas.PackOptions()
    pack_options.resolution = 256  # the layout is not used, so let its packing be coarse and quick
    pack_options.bilinear = False
    pack_options.rotate_charts = False
    pack_options.rotate_charts_to_axis = False
    atlas.generate(chart_options, pack_options)
    if atlas.chart_count == 0:  # no face had an area for it
        return np.full(len(faces), -1, np.int32), np.zeros((len(faces), 3, 2))
    _, indices, uv = atlas[0]
    _, chart = atlas.get_mesh_vertex_assignment(0)
    size = np.array([atlas.width, atlas.height], np.float64)
    density = extent / float(atlas.texels_per_unit)
    label = chart.astype(np.int64)[indices[:, 0]]
    label[label >= atlas.chart_count] = -1
    return label.astype(np.int32), uv.astype(np.float64)[indices] * size * density
