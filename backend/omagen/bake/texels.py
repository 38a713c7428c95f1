"""The texels of a mesh's UV layout, and where on the mesh they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from omagen.omage.raster import count_overlap, raster_faces
from omagen.omage.surface_points import interpolate, interpolate_exactly
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh

LARGEST: Final = 8192
MOST_TILES: Final = 64
"""Copies of the unit square that one face may reach across; beyond that its UVs are mistakes."""
OFFSETS: Final = {
    1: ((0.5, 0.5),),
    4: ((0.125, 0.375), (0.375, 0.875), (0.625, 0.125), (0.875, 0.625)),
}
"""Where in a texel samples lie: no two in one row or column"""


@dataclass(frozen=True)
class Samples:
    """One sample in each of N texels of a square texture; row 0 of its pixels is at v = 0."""

    pixel: np.ndarray
    """(N,) int64, row * size + column, ascending"""
    face: np.ndarray
    """(N,) int32 into the mesh's faces"""
    bary: np.ndarray
    """(N, 2) float32: the weights of corners 1 and 2"""


class TexelLayout:
    """Where the faces of a mesh lie in a square texture."""

    def __init__(self, mesh: Mesh, size: int) -> None:
        """`mesh` with UVs. What reaches beyond the unit square comes in again on the other side, as textures repeat.

        Raises `OmagenError`: input for a size outside 1 to 8192, geometry for a mesh without usable UVs.
        """
        if not 1 <= size <= LARGEST:
            raise OmagenError(
                ErrorCode.INPUT, f"A texture cannot have {size} pixels a side.", f"Choose 1 to {LARGEST}."
            )
        if mesh.uv is None or not len(mesh.faces):
            raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no UVs to put a texture on.", "Unwrap it first.")
        self.mesh, self.size = mesh, size
        self._uv, self._face = _in_tiles(mesh.uv.astype(np.float64))
        self.pixel_uv = mesh.uv.astype(np.float64) * size
        """(F, 3, 2) float64: corners in pixels"""
        reach = self._uv[np.isfinite(self._uv).all((1, 2))]
        self.repeats = len(self._uv) > len(mesh.faces) or bool(len(reach) and (reach.min() < 0 or reach.max() > 1))
        """Whether the texture must repeat"""
        if not (_twice_area(self._uv) > 0).any():
            raise OmagenError(ErrorCode.GEOMETRY, "The mesh's UVs have no area.", "Unwrap the mesh anew.")

    @property
    def wrap(self) -> Literal["repeat", "clamp"]:
        return "repeat" if self.repeats else "clamp"

    def samples(self, each: Literal[1, 4]) -> Iterator[Samples]:
        """`each` samples a texel, one set after the other; the texels of a set are those that a face covers there.

        In a last set are texels that lie on no sample, but hold the middle of a face: what is smaller than a texel.
        """
        size, missed = self.size, np.ones(self.size**2, bool)
        for offset in OFFSETS[each]:
            face, bary = raster_faces(self._uv * size, size, size, offset)
            pixel = np.flatnonzero(face.reshape(-1) >= 0)
            missed[pixel] = False
            yield Samples(pixel, self._face[face.reshape(-1)[pixel]], bary.reshape(-1, 2)[pixel])
        middle = np.floor(self._uv.mean(1) * size).astype(np.int64)
        held = np.flatnonzero((_twice_area(self._uv) > 0) & (middle >= 0).all(1) & (middle < size).all(1))
        pixel, first = np.unique(middle[held, 1] * size + middle[held, 0], return_index=True)
        first, pixel = first[missed[pixel]], pixel[missed[pixel]]
        yield Samples(pixel, self._face[held[first]], np.full((len(pixel), 2), 1 / 3, np.float32))

    def cover_count(self) -> np.ndarray:
        """(size, size) int32: how many faces lie over each texel's middle; row 0 at v = 0."""
        return count_overlap(self._uv * self.size, self.size, self.size)

    def positions(self, samples: Samples) -> np.ndarray:
        """(N, 3) float64"""
        vertices = self.mesh.vertices.astype(np.float64)
        return interpolate_exactly(vertices, self.mesh.faces, samples.face, samples.bary)


def interpolated_normals(normals: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """(N, 3) float32, unit: corner normals (F, 3, 3) at points on `face` (N,) with weights `bary` (N, 2)."""
    corner = np.arange(len(normals) * 3, dtype=np.int32).reshape(-1, 3)
    normal = interpolate(np.ascontiguousarray(normals.reshape(-1, 3)), corner, face, bary)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def density(uv: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) float64: lengths in the plane of `uv` (F, 3, 2) for one metre on each face; 0 for faces without area."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    flat = _twice_area(uv)
    good = (area > 0) & np.isfinite(flat)
    return np.sqrt(np.where(good, flat, 0) / np.where(good, area, 1))


def _twice_area(uv: np.ndarray) -> np.ndarray:
    """(F,) float64"""
    p, q = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return np.abs(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])


def _in_tiles(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the faces `uv` (F, 3, 2) for each unit square that they reach into, moved to the first one.

    Returns (G, 3, 2) and the face (G,) int32 of each copy, in the faces' order.
    """
    finite = np.isfinite(uv).all((1, 2)) & (np.abs(uv).max((1, 2)) < 2**20)
    safe = np.where(finite[:, None, None], uv, 0)
    low = np.floor(safe.min(1)).astype(np.int64)
    span = np.maximum(np.ceil(safe.max(1)).astype(np.int64) - low, 1)
    tiles = np.where(finite & (span.prod(1) <= MOST_TILES), span.prod(1), 0)
    face = np.repeat(np.arange(len(uv), dtype=np.int32), tiles)
    number = np.arange(len(face)) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    tile = low[face] + np.stack([number % span[face, 0], number // span[face, 0]], axis=1)
    return uv[face] - tile[:, None], face
