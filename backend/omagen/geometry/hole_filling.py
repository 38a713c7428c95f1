"""Closes holes of a surface with the triangles of least area that span their borders (Barequet and Sharir 1995)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from omagen.geometry.components import face_components
from omagen.geometry.sampling import face_areas
from omagen.geometry.topology import half_edges
from omagen.omage.borders import trace_loops
from omagen.omage.loop_triangulation import span_loop
from omagen.shapes import Mesh

MOST_EDGES: Final = 400
"""Borders of more edges stay open: the time grows with the third power, and at so many it is about 0.1 s"""
LEAST_PIECE: Final = 4.0
"""Pieces must be so many times as large as the filling: else the border is the rim of something flat, not a hole."""


@dataclass(frozen=True)
class Filled:
    mesh: Mesh
    """New faces last. Their UVs and colours are those beside them, their normals flat"""
    holes: int
    """How many borders there were"""
    filled: int
    faces: int
    """How many were added"""


def fill_holes(mesh: Mesh, largest: float, progress: Callable[[float], None] = lambda share: None) -> Filled:
    """`mesh` with those holes closed whose border is at most `largest` long, a share of the bounding box's diagonal.

    Faces must be wound consistently and no edge may have more than two (see `winding`, `manifold`). A filling adds no
    edge that is there already; where that cannot be, the hole stays. `progress` may raise.
    """
    edges, order = half_edges(mesh.faces)
    alone = np.ones(len(edges), bool)
    same = edges[1:] == edges[:-1]
    alone[1:] &= ~same
    alone[:-1] &= ~same
    rim = np.sort(order[alone])
    if len(rim) == 0:
        return Filled(mesh, 0, 0, 0)
    start, end = mesh.faces.reshape(-1)[rim], np.roll(mesh.faces, -1, axis=1).reshape(-1)[rim]
    loops = trace_loops(np.stack([end, start], axis=1).astype(np.int32))
    count = len(loops.start) - 1
    if largest <= 0 or count == 0:
        return Filled(mesh, count, 0, 0)
    face_of = dict(zip(zip(end.tolist(), start.tolist(), strict=True), (rim // 3).tolist(), strict=True))
    sizes = np.bincount(piece := face_components(mesh.faces), face_areas(mesh.vertices, mesh.faces))
    used = mesh.vertices[mesh.faces.reshape(-1)]
    limit = largest * float(np.linalg.norm(np.ptp(used, axis=0).astype(np.float64)))
    known = edges[np.concatenate([[True], ~same])]
    new_faces, beside, taken = [], [], set()
    for index, (low, high) in enumerate(zip(loops.start[:-1], loops.start[1:], strict=True)):
        progress(index / count)
        loop = loops.pixel[low:high]
        points = mesh.vertices[loop].astype(np.float64)
        length = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum()
        if not 3 <= len(loop) <= MOST_EDGES or length > limit:
            continue
        triangles, area = span_loop(points, _joined_already(loop, known))
        first = face_of[int(loop[0]), int(loop[1])]
        if len(triangles) == 0 or sizes[piece[first]] < LEAST_PIECE * area:
            continue
        faces = loop[triangles].astype(np.int32)
        inner = _without(_edge_keys(faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)), known).tolist()
        if not taken.isdisjoint(inner):  # another filling has these very edges
            continue
        taken.update(inner)
        new_faces.append(faces)
        beside.append(np.full(len(faces), first))
    if not new_faces:
        return Filled(mesh, count, 0, 0)
    faces, source = np.concatenate(new_faces), np.concatenate(beside)
    return Filled(_with_faces(mesh, faces, source), count, len(new_faces), len(faces))


def _edge_keys(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    start, end = start.astype(np.uint64), end.astype(np.uint64)
    return (np.minimum(start, end) << np.uint64(32)) | np.maximum(start, end)


def _without(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Those of `keys` that are not in `known`, which is sorted."""
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return keys[known[at] != keys]


def _joined_already(loop: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n, n) bool: which vertices of a loop an edge connects, other than the loop's own. `known`: sorted edges."""
    count = len(loop)
    i, j = np.triu_indices(count, 2)
    keys = _edge_keys(loop[i], loop[j])
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    joined = np.zeros((count, count), bool)
    joined[i, j] = known[at] == keys
    joined[0, count - 1] = False
    return joined


def _with_faces(mesh: Mesh, faces: np.ndarray, beside: np.ndarray) -> Mesh:
    """`mesh` and `faces` (N, 3), each with the material of a face `beside` (N,) it."""
    corner = np.empty(len(mesh.vertices), np.int64)
    corner[mesh.faces.reshape(-1)] = np.arange(mesh.faces.size)
    changes: dict[str, Any] = {"faces": np.concatenate([mesh.faces, faces]), "patches": None}
    for name in ("uv", "second_uv"):
        if (array := getattr(mesh, name)) is not None:
            changes[name] = np.concatenate([array, array.reshape(-1, 2)[corner[faces]]])
    if mesh.normals is not None:
        a, b, c = (mesh.vertices[faces[:, k]].astype(np.float64) for k in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        flat = np.repeat(normal[:, None], 3, axis=1).astype(np.float32)
        changes["normals"] = np.concatenate([mesh.normals, flat])
    if mesh.material_index is not None:
        changes["material_index"] = np.concatenate([mesh.material_index, mesh.material_index[beside]])
    return replace(mesh, **changes)
