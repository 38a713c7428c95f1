"""Continuous remeshing towards target normals: triangles are made anew on the way, small where detail asks for it.

Palfinger 2022, driven by the directions of faces alone: their gradients are analytic, targets are looked up again every
few steps (Unique3D's refinement), and places, as far as they are known, pull along the normals.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.distance import SurfaceTree
from omagen.geometry.distinct import distinct_rows
from omagen.geometry.sampling import face_normals
from omagen.geometry.topology import borders
from omagen.refine import edge_length_optimizer as optimizer
from omagen.refine.edge_operations import (
    Edges,
    collapse,
    edge_lengths,
    edges_of,
    flip,
    packed,
    split,
    vertex_normals,
    without_folded,
)
from omagen.refine.settings import RefineSettings
from omagen.refine.targets import FaceTargets, NormalSource, Offsets
from omagen.shapes import Material, Mesh

REFRESH: Final = 10
"""Steps between two look-ups of targets"""
TIME_LIMIT_S: Final = 120.0
FREE: Final = 1e-6
"""Of a region: vertices with no more are left where they are, with all their edges"""
EDGE_RANGE: Final = (0.8, 2.5)
"""Shortest and longest edge, in lengths of those of an even mesh with as many vertices as are wanted"""


def remesh(mesh: Mesh, source: NormalSource, settings: RefineSettings, progress: Callable[[str, float], None]) -> Mesh:
    """`mesh` with triangles made anew while it moves towards what `source` wants. UVs and numbers of vertices are lost.

    About `settings.vertices` vertices, or as many as there were. Closed manifold meshes stay closed and manifold; open
    borders and what `mesh.region` leaves out keep their places and edges. Ends early after `TIME_LIMIT_S`.
    """
    until = time.monotonic() + TIME_LIMIT_S
    values, faces, scale, centre = _at_unit_size(mesh)
    steps = optimizer.OptimizerSettings(
        edge_len_lims=_edge_range(values, faces, settings), laplacian_weight=0.02, ramp=5
    )
    state = np.hstack([optimizer.begin(values[:, :3], steps), values[:, 3:]])
    state[:, optimizer.LENGTH] = min(steps.edge_len_lims[1], float(edge_lengths(values, edges_of(faces).ends).mean()))
    asked = _Asked(mesh, source if source.any_mesh else _OnSurface(mesh, source), scale, centre)
    wanted: FaceTargets | None = None
    places: Offsets | None = None
    for number in range(1, settings.remesh_steps + 1):
        progress("Remeshing", (number - 1) / settings.remesh_steps)
        if wanted is None or number % REFRESH == 0 or len(wanted.normal) != len(faces):
            found = asked.about(state, faces)
            wanted = found[0]
            places = found[1] if settings.keep_larger == 0 else None
        fixed = _fixed(state, faces)
        gradient = _gradient(state, faces, wanted, places, settings.strength)
        gradient[fixed] = 0
        before = state[fixed, :3]
        state = optimizer.step(state, faces, gradient, number, steps)
        state[fixed, :3] = before
        if number % REFRESH == 0 and number < settings.remesh_steps:
            state, faces = _remeshed(state, faces)
            wanted = None
        if time.monotonic() > until:
            break
    return _as_mesh(mesh, state, faces, scale, centre)


def _at_unit_size(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """(V, 3 + extras) of vertices at distinct places within -1 to 1, then region and colours; faces; the way back."""
    first, place = distinct_rows(mesh.vertices + np.float32(0))
    faces = without_folded(place[mesh.faces].astype(np.int64))
    used = mesh.vertices[mesh.faces.reshape(-1)].astype(np.float64)
    centre = (used.min(0) + used.max(0)) / 2
    scale = float(np.ptp(used, axis=0).max()) / 2 or 1.0
    region = np.ones(len(mesh.vertices)) if mesh.region is None else mesh.region.astype(np.float64)
    colors = np.zeros((len(mesh.vertices), 0)) if mesh.colors is None else mesh.colors.astype(np.float64)
    vertices = (mesh.vertices.astype(np.float64) - centre) / scale
    values, faces = packed(np.hstack([vertices, region[:, None], colors])[first], faces)
    return values, faces, scale, centre


def _edge_range(values: np.ndarray, faces: np.ndarray, settings: RefineSettings) -> tuple[float, float]:
    area = 0.5 * np.linalg.norm(face_normals(values[:, :3], faces), axis=1).sum()
    count = settings.vertices or len(values)
    even = float(np.sqrt(2 * area / (np.sqrt(3) * count)))
    return EDGE_RANGE[0] * even, EDGE_RANGE[1] * even


def _fixed(state: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) bool: vertices at open or non-manifold edges, and outside the region"""
    found = borders(faces)
    fixed = state[:, optimizer.STATE] <= FREE
    fixed[found.open_edges.reshape(-1)] = True
    fixed[found.non_manifold_edges.reshape(-1)] = True
    return fixed


class _Asked:
    """Asks a source, in the mesh's own frame, about what the mesh has become."""

    def __init__(self, mesh: Mesh, source: NormalSource, scale: float, centre: np.ndarray) -> None:
        self._mesh, self._source, self._scale, self._centre = mesh, source, scale, centre

    def about(self, state: np.ndarray, faces: np.ndarray) -> tuple[FaceTargets, Offsets | None]:
        mesh = _bare(self._mesh, state[:, :3] * self._scale + self._centre, faces)
        found = self._source.offsets(mesh)
        if found is not None:
            found = Offsets(found.along / self._scale, found.weight)
        return self._source.targets(mesh), found


class _OnSurface:
    """Targets of a mesh, carried to any surface near it by the nearest points of the two."""

    any_mesh = True
    knows_places = False

    def __init__(self, mesh: Mesh, source: NormalSource) -> None:
        self._tree = SurfaceTree(mesh.vertices, mesh.faces)
        self._found = source.targets(mesh)

    def targets(self, mesh: Mesh) -> FaceTargets:
        face = self._tree.nearest(mesh.vertices[mesh.faces].mean(1)).face
        return FaceTargets(self._found.normal[face], self._found.weight[face])

    def offsets(self, mesh: Mesh) -> Offsets | None:
        return None


def _bare(mesh: Mesh, vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    return Mesh(vertices.astype(np.float32), np.ascontiguousarray(faces, np.int32), name=mesh.name)


def _gradient(
    state: np.ndarray, faces: np.ndarray, wanted: FaceTargets, places: Offsets | None, strength: float
) -> np.ndarray:
    """(V, 3) of the sum of 1 - n · t over the faces, by their sureness; and of squared offsets, in edge lengths."""
    corners = state[faces, :3]
    doubled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.maximum(np.linalg.norm(doubled, axis=1, keepdims=True), 1e-12)
    normal = doubled / length
    cosine = (normal * wanted.normal).sum(1, keepdims=True)
    g = -(wanted.normal - normal * cosine) / length * (wanted.weight * min(strength, 1.0))[:, None]
    result = np.zeros((len(state), 3))
    flat = faces.reshape(-1)
    across = np.roll(corners, 1, axis=1) - np.roll(corners, -1, axis=1)  # from the next corner to the one before
    pull = np.cross(g[:, None], across).reshape(-1, 3)
    for k in range(3):
        result[:, k] = np.bincount(flat, pull[:, k], len(state))
    if places is not None and len(places.along) == len(state):
        force = places.along * places.weight / state[:, optimizer.LENGTH] ** 2
        result -= force[:, None] * vertex_normals(state, faces)
    return result * state[:, optimizer.STATE, None]


def _remeshed(state: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges brought nearer to the lengths that their ends want: collapse, split, then flip, around what is fixed."""
    tolerance = optimizer.OptimizerSettings.edge_len_tol
    edges = edges_of(faces)
    lengths = edge_lengths(state, edges.ends)
    short = (1 - tolerance) * state[edges.ends, optimizer.LENGTH].mean(1)
    priority = np.maximum(0, 1 - lengths / short) + _broken_faces(state, faces, edges, lengths, float(short.mean()))
    priority[_fixed(state, faces)[edges.ends].any(1)] = 0
    state, faces = collapse(state, faces, edges, priority, guarded=True)
    edges = edges_of(faces)
    long = (1 + tolerance) * state[edges.ends, optimizer.LENGTH].mean(1)
    free = ~_fixed(state, faces)[edges.ends].all(1)
    state, faces = split(state, faces, edges, (edge_lengths(state, edges.ends) > long) & free)
    edges = edges_of(faces)
    movable = ~np.any(_fixed(state, faces)[edges.ends], axis=1)
    return state, flip(state, faces, edges, np.asarray(movable))


def _broken_faces(state: np.ndarray, faces: np.ndarray, edges: Edges, lengths: np.ndarray, short: float) -> np.ndarray:
    """(E,): 1 for the shortest edge of each face that looks against its vertices or has hardly any area"""
    doubled = face_normals(state[:, :3], faces)
    against = (doubled * vertex_normals(state, faces)[faces].sum(1)).sum(1) < 0
    small = np.linalg.norm(doubled, axis=1) < short**2  # half of it is twice the area
    bad = np.flatnonzero(against | small)
    shortest = edges.of_side[bad, lengths[edges.of_side[bad]].argmin(1)] if len(bad) else np.zeros(0, np.int64)
    result = np.zeros(len(edges.ends))
    result[shortest] = 1
    return result


def _as_mesh(mesh: Mesh, state: np.ndarray, faces: np.ndarray, scale: float, centre: np.ndarray) -> Mesh:
    bare = _bare(mesh, state[:, :3] * scale + centre, faces)
    extra = state[:, optimizer.STATE :].astype(np.float32)
    index = None
    if mesh.material_index is not None:
        middle = bare.vertices[bare.faces].mean(1)
        index = mesh.material_index[SurfaceTree(mesh.vertices, mesh.faces).nearest(middle).face]
    return replace(
        bare,
        region=None if mesh.region is None else np.ascontiguousarray(extra[:, 0]),
        colors=None if mesh.colors is None else np.ascontiguousarray(extra[:, 1:5]).clip(0, 1),
        material_index=index,
        materials=tuple(_plain(material) for material in mesh.materials),
    )


def _plain(material: Material) -> Material:
    """Without textures: there are no UVs for them any more."""
    return replace(
        material,
        base_color_texture=None,
        metallic_roughness_texture=None,
        normal_texture=None,
        occlusion_texture=None,
        emissive_texture=None,
    )
