"""A mesh made ready for charting: one vertex per position, each face once, and what was left out said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from omagen.geometry.distinct import distinct_rows
from omagen.omage.charts.stretch import double_areas
from omagen.omage.charts.topology import connected_faces, opposite_half_edges
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh

FLAT: Final = 1e-9
"""Twice the area over the longest edge squared, below which a face has no area."""
LIFT: Final = 2e-6
MOST_LIFT: Final = 1e-3
"""How far off its opposite edge a corner of such a face is moved at least and at most, over the edge's length."""


@dataclass(frozen=True)
class Surface:
    """Welded triangles and how they join."""

    vertices: np.ndarray
    """(V, 3) float32, no two equal"""
    faces: np.ndarray
    """(F, 3) int32, three different vertices each"""
    source_face: np.ndarray
    """(F,) int32"""
    opposite: np.ndarray
    """(3F,) int32, see `topology`"""
    component: np.ndarray
    """(F,) int32: the piece that each face belongs to, joined over edges"""
    components: int
    dropped: dict[str, int]
    """Why faces were left out, and how many."""

    def corners(self, face: np.ndarray | None = None) -> np.ndarray:
        """(N, 3, 3) float64 positions of the corners of `face` (N,), or of all faces: an array not to be changed."""
        return self._corners if face is None else np.take(self._corners, face, axis=0)

    @cached_property
    def _corners(self) -> np.ndarray:
        return np.take(self.vertices.astype(np.float64), self.faces, axis=0)

    @cached_property
    def double_area(self) -> np.ndarray:
        """(F,) float64 twice the area of each face: an array not to be changed."""
        return double_areas(self._corners)


def prepare(mesh: Mesh) -> Surface:
    """Weld `mesh` without faces that name a point twice and exact repetitions. Raises `OmagenError` (geometry)."""
    is_sound = np.all(np.isfinite(mesh.vertices), axis=1)
    is_finite = np.ones(len(mesh.faces), bool) if is_sound.all() else is_sound[mesh.faces].all(axis=1)
    places = np.where(is_sound[:, None], mesh.vertices, 0).astype(np.float32)
    first, inverse = distinct_rows(places)
    faces = inverse.astype(np.int32)[mesh.faces]
    a, b, c = faces.T
    is_proper = (a != b) & (b != c) & (c != a)
    kept = np.flatnonzero(is_finite & is_proper)
    unique = kept[distinct_rows(_turned(faces[kept]))[0]]
    dropped = {
        "not a number": int((~is_finite).sum()),
        "a point twice": int((is_finite & ~is_proper).sum()),
        "repeated": len(kept) - len(unique),
    }
    if len(unique) == 0:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no faces with an area.", "Check the mesh and try again.")
    vertices = lifted(places[first], faces[unique])
    return as_surface(vertices, faces[unique], unique.astype(np.int32), {k: n for k, n in dropped.items() if n})


def lifted(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`vertices` (V, 3) float32, of which those that lie on the opposite edge of a face have moved off it a little.

    A face without any area cannot be drawn, yet without it there would be a slit. `faces` (F, 3) int32.
    """
    corners = vertices[faces].astype(np.float64)
    edges = np.roll(corners, -1, axis=1) - corners
    lengths = np.linalg.norm(edges, axis=2)
    longest = lengths.max(axis=1)
    flat = np.flatnonzero(double_areas(corners) < FLAT * longest**2)
    if len(flat) == 0:
        return vertices
    sums = np.zeros((len(vertices), 3))
    np.add.at(sums, faces, np.cross(edges[:, 0], edges[:, 1])[:, None])
    opposite = faces[flat, (lengths[flat].argmax(axis=1) + 2) % 3]
    along = edges[flat, lengths[flat].argmax(axis=1)] / np.maximum(longest[flat, None], 1e-300)
    off = sums[opposite] - (sums[opposite] * along).sum(axis=1, keepdims=True) * along
    size = np.linalg.norm(off, axis=1, keepdims=True)
    any_off = np.cross(along, np.eye(3)[np.abs(along).argmin(axis=1)])
    off = np.where(size > 1e-12 * longest[flat, None] ** 2, off / np.maximum(size, 1e-300), any_off)
    step = np.maximum(LIFT * longest[flat], 8 * np.finfo(np.float32).eps * np.abs(vertices[opposite]).max(axis=1))
    step[step > MOST_LIFT * longest[flat]] = 0  # so far from the origin that the coordinates cannot tell
    moved = vertices.astype(np.float64)
    moved[opposite] += step[:, None] * off
    return moved.astype(np.float32)


def _turned(faces: np.ndarray) -> np.ndarray:
    """`faces` (N, 3), the same ones but with the smallest index first."""
    a, b, c = faces.T
    is_second, is_third = (b < a) & (b < c), (c < a) & (c < b)
    turned = faces.copy()
    turned[is_second] = faces[is_second][:, [1, 2, 0]]
    turned[is_third] = faces[is_third][:, [2, 0, 1]]
    return turned


def as_surface(vertices: np.ndarray, faces: np.ndarray, source_face: np.ndarray, dropped: dict[str, int]) -> Surface:
    """A `Surface` of proper faces, without vertices that none of them uses."""
    is_used = np.zeros(len(vertices), bool)
    is_used[faces] = True
    faces = np.ascontiguousarray((np.cumsum(is_used, dtype=np.int32) - np.int32(1))[faces])
    opposite = opposite_half_edges(faces)
    component, components = connected_faces(opposite)
    vertices = np.ascontiguousarray(vertices[is_used])
    return Surface(vertices, faces, source_face, opposite, component, components, dropped)
