"""Refines a mesh by a source of normals: subdivision, region, solve, and normals for what has moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from omagen.geometry.distinct import distinct_rows
from omagen.geometry.quality import is_degenerate
from omagen.geometry.sampling import face_normals
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.arrays import Arrays
from omagen.refine.regions import vertex_shares
from omagen.refine.settings import FREE_SIZE, HELD_SIZE, RefineSettings
from omagen.refine.solver import SolveSettings, solve
from omagen.refine.subdivision import subdivide
from omagen.refine.targets import FaceTargets, NormalSource, Offsets
from omagen.shapes import Mesh

ProgressCall = Callable[[str, float], None]


def refine(
    mesh: Mesh, source: NormalSource, settings: RefineSettings, progress: ProgressCall
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` with the directions that `source` wants, and what became of it: plain JSON for `result.json`.

    Vertices keep their order and, where `mesh.region` is 0, at open borders and where nothing pulls at them, their
    bits; those at one place stay together. UVs, colours and materials stay. Raises `OmagenError`: geometry for a mesh
    without a surface, cancelled from `progress`.
    """
    begin = time.perf_counter()
    flat = is_degenerate(mesh.vertices, mesh.faces)
    if flat.all() or not np.isfinite(mesh.vertices[mesh.faces]).all():
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no surface to refine.", "Choose one with faces.")
    if settings.strength == 0:
        return mesh, {"moved_vertices": 0, "seconds": 0.0}
    first = mesh
    if settings.remesh:
        from omagen.refine.remeshing import remesh

        mesh = remesh(mesh, source, settings, lambda stage, fraction: progress(stage, 0.5 * fraction))
    grown = mesh
    if settings.vertices > len(mesh.vertices):
        progress("Subdividing", 0.5 if settings.remesh else 0.0)
        grown = _subdivided(mesh, source, settings)
    start = 0.6 if settings.remesh else 0.2
    flat = flat if grown is first else is_degenerate(grown.vertices, grown.faces)
    result, facts = _solved(grown, flat, source, settings, lambda f: progress("Refining", start + (1 - start) * f))
    facts |= {
        "vertices_before": len(mesh.vertices),
        "vertices": len(result.vertices),
        "seconds": round(time.perf_counter() - begin, 3),
    }
    return result, facts


def _subdivided(mesh: Mesh, source: NormalSource, settings: RefineSettings) -> Mesh:
    """With corner normals throughout, which are what maps lie on, and without cracks where vertices lie together."""
    point, where = _welded(mesh)
    if len(where) < len(mesh.vertices):
        # vertices that lie together are split alike only if they are one
        mesh = replace(mesh, faces=where[point][mesh.faces].astype(np.int32))
    share = vertex_shares(mesh.faces, mesh.region, len(mesh.vertices), 0)
    open_border = vertex_shares(mesh.faces, None, len(mesh.vertices), 0) == 0
    share[open_border] = 1 if mesh.region is None else mesh.region[open_border]
    return subdivide(mesh, source, settings.vertices, share)


def _welded(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """(V,) the place of each vertex, the same for those at one, and (P,) the first vertex at each place."""
    first, inverse = distinct_rows(mesh.vertices + np.float32(0))
    return inverse, first


def _solved(
    mesh: Mesh,
    flat: np.ndarray,
    source: NormalSource,
    settings: RefineSettings,
    progress: Callable[[float], None],
) -> tuple[Mesh, dict[str, Any]]:
    finite = np.all(np.isfinite(mesh.vertices), axis=1)
    place, first = _welded(replace(mesh, vertices=np.where(finite[:, None], mesh.vertices, np.float32(0))))
    faces = place[mesh.faces]
    region = None
    if mesh.region is not None:
        region = np.ones(len(first))
        used = np.unique(mesh.faces)
        np.minimum.at(region, place[used], mesh.region[used])
    proper = np.flatnonzero(~flat)
    share = vertex_shares(faces[proper], region, len(first), settings.falloff)
    in_use = np.zeros(len(first), bool)
    in_use[faces[proper]] = True
    share[~in_use] = 0
    active = proper[(share[faces[proper]] > 0).any(1)]
    if len(active) == 0:
        return mesh, {"moved_vertices": 0}
    local, small = np.unique(faces[active], return_inverse=True)
    problem = _Problem(mesh, source, place, first, local, active)
    size = settings.keep_larger or (HELD_SIZE if source.knows_places else FREE_SIZE)
    moved = solve(
        problem.start,
        small.reshape(-1, 3),
        share[local] > 0,
        problem.targets,
        problem.places if settings.keep_larger == 0 else lambda x: None,
        settings.strength * share[faces[active]].mean(1),
        SolveSettings(settings.rotations, settings.offsets, settings.keep_larger > 0, size),
        progress,
        Arrays(settings.device),
    )
    return _with_moved(mesh, problem, moved)


class _Problem:
    """A part of a mesh brought to unit size, and its targets, which are asked for of the whole mesh."""

    def __init__(
        self,
        mesh: Mesh,
        source: NormalSource,
        place: np.ndarray,
        first: np.ndarray,
        local: np.ndarray,
        active: np.ndarray,
    ) -> None:
        self.mesh, self._source, self._active = mesh, source, active
        self._rows = np.full(len(first), -1)
        self._rows[local] = np.arange(len(local))
        self.row = self._rows[place]
        """(V,) of each vertex of the mesh among those that are solved for, -1 for the others"""
        used = mesh.vertices[mesh.faces.reshape(-1)].astype(np.float64)
        self._centre = (used.min(0) + used.max(0)) / 2
        self._size = float(np.linalg.norm(np.ptp(used, axis=0)))
        self._vertex = first[local]
        self._asked: tuple[np.ndarray | None, Mesh] = None, mesh
        self.start = (mesh.vertices[self._vertex].astype(np.float64) - self._centre) / self._size

    def vertices(self, x: np.ndarray) -> np.ndarray:
        """(V, 3) float32 of the whole mesh; bit by bit the old ones where `x` (N, 3) has not moved"""
        result = self.mesh.vertices.copy()
        moved = (x != self.start).any(1)
        mine = np.flatnonzero((self.row >= 0) & moved[self.row])
        result[mine] = self.mesh.vertices[mine] + (self._size * (x - self.start))[self.row[mine]]
        return result

    def _at(self, x: np.ndarray) -> Mesh:
        if self._asked[0] is not x:
            self._asked = x, replace(self.mesh, vertices=self.vertices(x))
        return self._asked[1]

    def targets(self, x: np.ndarray) -> FaceTargets:
        found = self._source.targets(self._at(x))
        return FaceTargets(found.normal[self._active], found.weight[self._active])

    def places(self, x: np.ndarray) -> Offsets | None:
        found = self._source.offsets(self._at(x))
        if found is None:
            return None
        return Offsets(found.along[self._vertex] / self._size, found.weight[self._vertex])


def _with_moved(mesh: Mesh, problem: _Problem, moved: np.ndarray) -> tuple[Mesh, dict[str, Any]]:
    vertices = problem.vertices(moved)
    shift = np.linalg.norm(vertices.astype(np.float64) - mesh.vertices, axis=1)
    is_moved = shift > 0
    facts = {"moved_vertices": int(is_moved.sum()), "largest_move_m": float(shift.max())}
    return replace(mesh, vertices=vertices, normals=_turned_normals(mesh, vertices, is_moved)), facts


def _turned_normals(mesh: Mesh, vertices: np.ndarray, is_moved: np.ndarray) -> np.ndarray | None:
    """The mesh's corner normals, made anew around what has moved: corners that had the same one share one again."""
    if mesh.normals is None:
        return None
    changed = is_moved[mesh.faces].any(1)
    near = np.zeros(len(vertices), bool)
    near[mesh.faces[changed]] = True
    touched = near[mesh.faces]
    place, _ = _welded(mesh)
    table = np.hstack([place[mesh.faces].reshape(-1, 1).astype(np.uint32), mesh.normals.reshape(-1, 3).view(np.uint32)])
    _, group = distinct_rows(table)
    doubled = np.repeat(face_normals(vertices, mesh.faces), 3, axis=0)
    sums = np.stack([np.bincount(group, doubled[:, k]) for k in range(3)], axis=1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    fresh = (sums / np.maximum(length, 1e-300))[group].reshape(-1, 3, 3).astype(np.float32)
    usable = touched & (length[group, 0] > 0).reshape(-1, 3)
    return np.where(usable[..., None], fresh, mesh.normals)
