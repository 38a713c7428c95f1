"""What a user should know about a mesh before using it: size, holes, bad edges, charts, textures."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.geometry.topology import half_edges
from omagen.shapes import Mesh

DEGENERATE_RATIO: Final = 1e-10
"""A face is degenerate when its area is below this fraction of its longest edge squared, whatever its scale."""
MAX_FACES_COMPARED: Final = 16
"""How many faces around one non-manifold edge are compared with each other when charts are counted."""


def quality_report(mesh: Mesh) -> dict[str, Any]:
    """Counts and sizes of `mesh`, as plain JSON for `result.json` and the panel.

    triangles, vertices (those in use), components (connected through vertices), watertight (every edge has two faces),
    consistent_winding (two faces run along their common edge in opposite directions), open_edges (one face),
    non_manifold_edges (three faces or more), degenerate_faces (see `is_degenerate`), size_m [x, y, z], materials,
    uv_charts (0 without UVs; faces belong to one chart when they share an edge with the same UVs on both sides),
    uv_coverage (area of all UV triangles; 1 = as much as the unit square), texture_size ([width, height] of the largest
    base colour texture, or None), quads (four-sided faces among them), self_intersections (pairs of faces that cross,
    see `self_intersection`; None: not counted, the mesh being too large), and what `uv_quality.uv_report` tells. Faces
    that name a vertex twice do not count as faces of an edge.
    """
    from omagen.geometry.self_intersection import self_intersections
    from omagen.geometry.uv_quality import uv_report

    faces = mesh.faces
    is_proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    edges, order = half_edges(faces[is_proper])
    counts = _run_lengths(edges)
    is_used = np.zeros(len(mesh.vertices), bool)
    is_used[faces] = True
    extent = np.ptp(mesh.vertices[is_used], axis=0) if is_used.any() else np.zeros(3)
    return {
        "triangles": len(faces),
        "vertices": int(is_used.sum()),
        "components": _count_components(faces, is_used),
        "watertight": bool(len(counts) and (counts == 2).all()),
        "consistent_winding": _is_winding_consistent(faces[is_proper], edges, order),
        "open_edges": int((counts == 1).sum()),
        "non_manifold_edges": int((counts > 2).sum()),
        "degenerate_faces": int(is_degenerate(mesh.vertices, faces).sum()),
        "size_m": [float(side) for side in extent],
        "materials": len(mesh.materials),
        "uv_charts": 0 if mesh.uv is None else _count_charts(faces[is_proper], mesh.uv[is_proper], edges, order),
        "uv_coverage": 0.0 if mesh.uv is None else _uv_area(mesh.uv),
        "texture_size": _texture_size(mesh),
        "quads": 0 if mesh.quads is None else len(mesh.quads),
        "self_intersections": self_intersections(mesh.vertices, faces),
    } | uv_report(mesh)


def is_degenerate(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool: faces without area, among them all that name a vertex twice. `vertices` (V, 3), `faces` (F, 3)."""
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    longest = np.max([((b - a) ** 2).sum(1), ((c - b) ** 2).sum(1), ((a - c) ** 2).sum(1)], axis=0)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return area <= DEGENERATE_RATIO * longest


def _run_lengths(values: np.ndarray) -> np.ndarray:
    """How often each distinct value of a sorted array occurs."""
    if len(values) == 0:
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return np.diff(np.append(starts, len(values)))


def _count_components(faces: np.ndarray, is_used: np.ndarray) -> int:
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(len(is_used),) * 2)
    return int(connected_components(graph, directed=False)[0] - (~is_used).sum())


def _is_winding_consistent(faces: np.ndarray, edges: np.ndarray, order: np.ndarray) -> bool:
    runs_up = (faces < np.roll(faces, -1, axis=1)).reshape(-1)[order]
    return not bool(((edges[1:] == edges[:-1]) & (runs_up[1:] == runs_up[:-1])).any())


def _count_charts(faces: np.ndarray, uv: np.ndarray, edges: np.ndarray, order: np.ndarray) -> int:
    if len(faces) == 0:
        return 0
    runs_up = (faces < np.roll(faces, -1, axis=1)).reshape(-1)[order, None]
    here, there = uv.reshape(-1, 2)[order], np.roll(uv, -1, axis=1).reshape(-1, 2)[order]
    ends = np.hstack([np.where(runs_up, here, there), np.where(runs_up, there, here)])
    first = np.arange(len(edges))
    links = []
    for step in range(1, MAX_FACES_COMPARED):
        first = first[first + step < len(edges)]
        first = first[edges[first] == edges[first + step]]
        same = first[(ends[first] == ends[first + step]).all(1)]
        links.append(np.stack([order[same] // 3, order[same + step] // 3]))
    rows, columns = np.hstack(links)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(faces),) * 2)
    return int(connected_components(graph, directed=False)[0])


def _uv_area(uv: np.ndarray) -> float:
    (ab, ac) = (uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0])
    return float(0.5 * np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum(dtype=np.float64))


def _texture_size(mesh: Mesh) -> list[int] | None:
    textures = [material.base_color_texture for material in mesh.materials]
    sizes = [texture.pixels.shape[1::-1] for texture in textures if texture is not None]
    return [int(side) for side in max(sizes, key=lambda size: size[0] * size[1])] if sizes else None
