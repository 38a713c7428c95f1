"""Pieces of a file -> one `Mesh`: transformed, concatenated, bounded in number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh

MAX_TRIANGLES: Final = 5_000_000
"""With UVs and normals half a gigabyte, and more than any stage after reading is meant for."""

MAX_SPARSE, MAX_LOOSE = 8, 100_000
"""A file may leave out vertices that no face uses: so many times those that it shows, and so many besides"""
MAX_PARTS: Final = 50_000
"""A file of a few bytes can show one mesh in millions of places; so many are placed in seconds."""


@dataclass(frozen=True)
class Part:
    """Triangles of one material, in their own frame. Fields as in `Mesh`; faces int64."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None = None
    second_uv: np.ndarray | None = None
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    material: Material | None = None
    weld: np.ndarray | None = None
    """(V,) int64: which vertices were one before the file was written, counted over the whole object"""
    number: np.ndarray | None = None
    """(V,) int64: which vertex of the object each one is, by the numbers that its sender knows them by"""
    region: np.ndarray | None = None
    """(V,) float32, 0 to 1"""

    def transformed(self, matrix: np.ndarray) -> Part:
        """This part moved by `matrix` (4, 4) float64. Mirroring reverses the faces, so they still face outwards."""
        linear = matrix[:3, :3]
        with np.errstate(over="ignore", invalid="ignore"):
            vertices = (self.vertices @ linear.T + matrix[:3, 3]).astype(np.float32)
        mirrored = np.linalg.det(linear) < 0
        normals = self.normals
        if normals is not None:
            cofactors = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
            normals = unit_normals(normals @ (-cofactors if mirrored else cofactors).T)
        part = replace(self, vertices=vertices, normals=normals)
        return part.reversed() if mirrored else part

    def reversed(self) -> Part:
        corners = (self.uv, self.second_uv, self.normals)
        uv, second_uv, normals = (None if a is None else a[:, ::-1] for a in corners)
        return replace(self, faces=self.faces[:, ::-1], uv=uv, second_uv=second_uv, normals=normals)


def unit_normals(normals: np.ndarray) -> np.ndarray:
    """float32, unit length along the last axis; zero stays zero."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.divide(normals, length, out=np.zeros(normals.shape), where=length > 0).astype(np.float32)


def flat_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 3) float32: each face's own direction at its three corners."""
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return np.repeat(unit_normals(np.cross(b - a, c - a))[:, None], 3, axis=1)


def without_unused(vertex_count: int, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`used` (N,), the vertices that `faces` use, ascending, and `faces` (same shape, int64) counted in them."""
    is_used = np.zeros(vertex_count, bool)
    is_used[faces] = True
    return np.flatnonzero(is_used), (np.cumsum(is_used) - 1)[faces]


class MeshBuilder:
    """Collects parts. Raises `OmagenError` (input) beyond `MAX_TRIANGLES` or `MAX_PARTS`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._parts: list[Part] = []
        self._triangles = 0

    def add(self, part: Part) -> None:
        self._triangles += len(part.faces)
        check_triangles(self._triangles)
        if len(self._parts) >= MAX_PARTS:
            message = f"It has more than {MAX_PARTS:,} parts."
            raise OmagenError(ErrorCode.INPUT, message, "Join its parts, or bring them in one by one.")
        self._parts.append(part)

    def build(self) -> Mesh:
        """One mesh of all parts. Where only some have UVs, normals or colours, the rest get 0, flat ones and white."""
        parts = self._parts
        if not parts:
            return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), name=self.name)
        starts = np.cumsum([0] + [len(part.vertices) for part in parts])
        faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
        materials = {id(part.material): part.material for part in parts}
        places = {key: place for place, key in enumerate(materials)}
        index = [np.full(len(part.faces), places[id(part.material)], np.int32) for part in parts]
        normals = colors = region = None
        if any(part.region is not None for part in parts):
            ones = (np.ones(len(p.vertices)) if p.region is None else p.region for p in parts)
            region = np.concatenate(list(ones)).astype(np.float32)
        if any(part.normals is not None for part in parts):
            normals = _joined([flat_normals(p.vertices, p.faces) if p.normals is None else p.normals for p in parts])
        if any(part.colors is not None for part in parts):
            colors = _joined([np.ones((len(p.vertices), 4)) if p.colors is None else p.colors for p in parts])
        mesh = Mesh(
            vertices=_joined([part.vertices for part in parts]),
            faces=np.ascontiguousarray(np.concatenate(faces), np.int32),
            uv=_joined_uv([part.uv for part in parts], parts),
            second_uv=_joined_uv([part.second_uv for part in parts], parts),
            normals=normals,
            colors=colors,
            material_index=np.concatenate(index) if len(materials) > 1 else None,
            materials=tuple(material or Material() for material in materials.values()),
            name=self.name,
            region=region,
        )
        if any(part.number is not None for part in parts):
            return _renumbered(mesh, [part.number for part in parts])
        return _rejoined(mesh, [part.weld for part in parts])


def check_triangles(count: int) -> None:
    if count > MAX_TRIANGLES:
        raise OmagenError(
            ErrorCode.INPUT,
            f"It has more than {MAX_TRIANGLES:,} triangles.",
            "Simplify it first, or bring in its parts one by one.",
        )


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(np.concatenate(arrays), np.float32)


def _joined_uv(uvs: list[np.ndarray | None], parts: list[Part]) -> np.ndarray | None:
    if all(uv is None for uv in uvs):
        return None
    return _joined([np.zeros((len(p.faces), 3, 2)) if uv is None else uv for uv, p in zip(uvs, parts, strict=True)])


def _rejoined(mesh: Mesh, welds: list[np.ndarray | None]) -> Mesh:
    """`mesh` with the vertices that the file says were one; unchanged where that is not said or not true."""
    known = [weld for weld in welds if weld is not None]
    if len(known) < len(welds):
        return mesh
    weld = np.concatenate(known)
    if len(weld) != len(mesh.vertices) or weld.max(initial=0) >= len(weld):
        return mesh
    vertices = np.zeros((int(weld.max(initial=-1)) + 1, 3), np.float32)
    vertices[weld] = mesh.vertices
    if not np.array_equal(vertices[weld], mesh.vertices):
        return mesh
    return _gathered(mesh, weld, vertices)


def _renumbered(mesh: Mesh, numbers: list[np.ndarray | None]) -> Mesh:
    """`mesh` with the vertices in their sender's order and number. Raises `OmagenError` (input) for impossible ones."""
    known = [number for number in numbers if number is not None]
    number = np.concatenate(known)
    if len(known) < len(numbers):
        raise _misnumbered("some of its parts have no _VERTEX")
    count = int(number.max(initial=-1)) + 1
    if count > MAX_SPARSE * len(number) + MAX_LOOSE:
        raise _misnumbered(f"it counts {count:,} vertices and shows {len(number):,}")
    vertices = np.zeros((count, 3), np.float32)
    vertices[number] = mesh.vertices
    if not np.array_equal(vertices[number], mesh.vertices, equal_nan=True):
        raise _misnumbered("one vertex is in two places")
    return replace(_gathered(mesh, number, vertices), numbered=True)


def _misnumbered(what: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT,
        f"The numbers of its vertices are impossible: {what}.",
        "Save it without the attribute _VERTEX.",
    )


def _gathered(mesh: Mesh, place: np.ndarray, vertices: np.ndarray) -> Mesh:
    """`mesh` over the `vertices` (N, 3) that its own ones are, by `place` (V,)."""
    colors = region = None
    if mesh.colors is not None:
        colors = np.ones((len(vertices), 4), np.float32)
        colors[place] = mesh.colors
    if mesh.region is not None:
        region = np.ones(len(vertices), np.float32)
        region[place] = mesh.region
    faces = place.astype(np.int32)[mesh.faces]
    return replace(mesh, vertices=vertices, faces=faces, colors=colors, region=region)
