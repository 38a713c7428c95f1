"""Fewer faces, as many as asked for, with the least change of shape (Garland and Heckbert 1997)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from omagen.geometry.edge_collapse import collapse
from omagen.geometry.edge_queue import State, prepare
from omagen.geometry.topology import half_edges
from omagen.shapes import Mesh

STEPS_AT_ONCE: Final = 20_000
"""Collapses between two reports of progress: a fraction of a second"""


@dataclass(frozen=True)
class Decimated:
    mesh: Mesh
    """Without normals, patches and second UVs; colours and, where they were kept, UVs have moved along"""
    source_face: np.ndarray
    """(F,) int64: which face of the given mesh each one was"""
    has_stopped: bool
    """More faces than asked for are left, because removing more would change how the surface is connected"""


def decimate(
    mesh: Mesh, target: int, progress: Callable[[float], None] = lambda share: None, *, keep_uv: bool = False
) -> Decimated:
    """`mesh` with at most `target` faces, or as near as its connection allows; where it has fewer it stays the same.

    Closed pieces stay closed, no edge gets a third face, no piece vanishes. Open borders and lines where materials meet
    keep their place as far as the count allows; vertices on edges of three faces or more stay. `keep_uv`: UVs move
    along, and vertices where they differ between faces stay where they are; otherwise UVs are dropped. Vertices are
    taken as shared or not as they are: weld before. `progress` may raise. About 6 µs for each removed face.
    """
    if len(mesh.faces) <= target:
        return Decimated(mesh, np.arange(len(mesh.faces)), False)
    used, local = np.unique(mesh.faces, return_inverse=True)
    faces = np.ascontiguousarray(local.reshape(-1, 3), np.int32)
    place = mesh.vertices[used].astype(np.float64)
    centre = (place.max(axis=0) + place.min(axis=0)) / 2
    size = float(np.ptp(place, axis=0).max()) or 1.0
    uv = np.zeros((0, 2)) if mesh.uv is None or not keep_uv else mesh.uv.reshape(-1, 2).astype(np.float64)
    is_seam = _has_several(faces, uv, len(used))
    edges = _edges(faces, mesh.material_index)
    state = prepare((place - centre) / size, faces, is_seam, uv, *edges)
    before = len(faces)
    while not collapse(state, target, STEPS_AT_ONCE):
        progress((before - int(state.count[0])) / max(before - target, 1))
    kept = np.flatnonzero(state.is_alive)
    return Decimated(_taken(mesh, state, kept, used, (centre, size)), kept, int(state.count[0]) > target)


def _has_several(faces: np.ndarray, uv: np.ndarray, vertices: int) -> np.ndarray:
    """(V,) bool: vertices whose corners have different `uv` (3F, 2)."""
    is_seam = np.zeros(vertices, bool)
    if len(uv):
        corner = faces.reshape(-1)
        one = np.empty((vertices, 2))
        one[corner] = uv
        is_seam[corner[(one[corner] != uv).any(axis=1)]] = True
    return is_seam


def _edges(faces: np.ndarray, material: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Of half-edges, each (3F,): int32, how many faces lie at the edge, negative for all of an edge but the first one;
    bool, whether the material changes there."""
    edges, order = half_edges(faces)
    is_first = np.concatenate([[True], edges[1:] != edges[:-1]])
    counts = np.diff(np.append(np.flatnonzero(is_first), len(edges)))
    beside = np.empty(len(edges), np.int32)
    beside[order] = np.repeat(counts, counts) * np.where(is_first, 1, -1)
    changes = np.zeros(len(edges), bool)
    if material is not None:
        changes[1:] = ~is_first[1:] & (material[order[1:] // 3] != material[order[:-1] // 3])
        changes[:-1] |= changes[1:]
    crease = np.empty(len(edges), bool)
    crease[order] = changes
    return beside, crease


def _taken(mesh: Mesh, state: State, kept: np.ndarray, used: np.ndarray, frame: tuple[np.ndarray, float]) -> Mesh:
    left, corners = np.unique(state.faces[kept], return_inverse=True)
    corners = np.ascontiguousarray(corners.reshape(-1, 3), np.int32)
    centre, size = frame
    vertices = (state.place[left] * size + centre).astype(np.float32)
    uv = state.uv.astype(np.float32).reshape(-1, 3, 2)[kept] if len(state.uv) else None
    colors = None
    if mesh.colors is not None:
        colors = _nearest_colors(mesh, vertices)
    index = None if mesh.material_index is None else mesh.material_index[kept]
    return replace(
        mesh, vertices=vertices, faces=corners, uv=uv, colors=colors, material_index=index, normals=None,
        second_uv=None, patches=None, quads=None, region=None, numbered=False,
    )  # fmt: skip


def _nearest_colors(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """(N, 4) float32: the colour of the surface nearest to each of `points`."""
    from omagen.geometry.distance import SurfaceTree
    from omagen.geometry.sampling import barycentric

    assert mesh.colors is not None
    nearest = SurfaceTree(mesh.vertices, mesh.faces).nearest(points)
    bary = barycentric(mesh.vertices, mesh.faces, nearest.face, nearest.position)
    weights = np.column_stack([1 - bary.sum(axis=1), bary])
    return np.einsum("nk,nkc->nc", weights, mesh.colors[mesh.faces[nearest.face]]).astype(np.float32)
