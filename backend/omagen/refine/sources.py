"""Where target normals come from: maps on a mesh's UVs, a finer mesh, an omage. Views are in `views`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from omagen.geometry.distance import SurfaceTree, diagonal
from omagen.geometry.sampling import barycentric, face_normals
from omagen.geometry.shading import sample
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.targets import FaceTargets, Offsets
from omagen.shapes import Material, Mesh, Omage, Texture

FEW, MANY = 1, 16
MAX_POINTS: Final = 1_500_000
REACH: Final = 0.05
"""Share of a mesh's diagonal beyond which a finer mesh says nothing about it"""

Space = Literal["tangent", "object"]


class MapNormals:
    """A normal map on the UVs of `mesh`: `texture`, or with None the normal textures of the mesh's own materials.

    `tangent` maps have +Y up and lie on the corner normals of the mesh, as glTF has it; `object` maps are in its frame.
    Raises `OmagenError` (input) where there are no UVs or no map.
    """

    any_mesh = False
    knows_places = False

    def __init__(self, mesh: Mesh, texture: Texture | None, space: Space) -> None:
        if mesh.uv is None:
            raise OmagenError(
                ErrorCode.INPUT, "A normal map needs UVs, and the mesh has none.", "Unwrap it, or give a finer mesh."
            )
        materials = mesh.materials or (Material(),)
        if texture is None and all(material.normal_texture is None for material in materials):
            raise OmagenError(ErrorCode.INPUT, "The mesh has no normal map.", "Give one, or a finer mesh or an omage.")
        self._texture, self._space = texture, space
        self.is_own = texture is None
        """Whether the map is on the mesh already"""
        self._last: tuple[np.ndarray, FaceTargets] | None = None

    def targets(self, mesh: Mesh) -> FaceTargets:
        """What the map says of the mesh as it was at the first call with the same faces."""
        if self._last is None or self._last[0] is not mesh.faces:
            self._last = mesh.faces, self._read(mesh)
        return self._last[1]

    def offsets(self, mesh: Mesh) -> Offsets | None:
        return None

    def _read(self, mesh: Mesh) -> FaceTargets:
        from omagen.omage.surface import sample_surface

        if self._texture is not None:
            material = Material(normal_texture=self._texture)
            mesh = replace(mesh, materials=(material,), material_index=None)
        face, bary = _points(len(mesh.faces), _detail(mesh))
        if self._space == "tangent":
            normal = sample_surface(mesh, face, bary.astype(np.float32)).normal
        else:
            normal = _object_normals(mesh, face, bary)
        known = np.array([material.normal_texture is not None for material in mesh.materials])
        index = np.zeros(len(mesh.faces), np.int32) if mesh.material_index is None else mesh.material_index
        return _averaged(normal, len(mesh.faces), known[index])


def _object_normals(mesh: Mesh, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    index = np.zeros(len(mesh.faces), np.int32) if mesh.material_index is None else mesh.material_index
    normal = np.zeros((len(face), 3), np.float32)
    for number, material in enumerate(mesh.materials):
        texture = material.normal_texture
        if texture is None:
            continue
        which = np.flatnonzero(index[face] == number)
        corners = mesh.second_uv if texture.uv_set and mesh.second_uv is not None else mesh.uv
        assert corners is not None
        b = bary[which]
        weights = np.stack([1 - b.sum(1), b[:, 0], b[:, 1]], axis=1)
        uv = np.einsum("ni,nij->nj", weights, corners[face[which]])
        matrix = np.array(texture.transform).reshape(2, 3)
        normal[which] = sample(texture, uv @ matrix[:, :2].T + matrix[:, 2], 0.0)[:, :3] * 2 - 1
    return normal


def _detail(mesh: Mesh) -> int:
    """How many points of each face see all texels of the normal maps, roughly."""
    sizes = [m.normal_texture.pixels.shape[:2] for m in mesh.materials if m.normal_texture is not None]
    texels = max(height * width for height, width in sizes)
    assert mesh.uv is not None
    ab, ac = (mesh.uv[:, 1] - mesh.uv[:, 0]).astype(float), (mesh.uv[:, 2] - mesh.uv[:, 0]).astype(float)
    area = 0.5 * np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).mean()
    return int(np.clip(np.ceil(area * texels), FEW, min(MANY, max(FEW, MAX_POINTS // max(1, len(mesh.faces))))))


class DetailNormals:
    """A finer mesh near the mesh: its normals, normal maps included, at the nearest points; and its places."""

    any_mesh = True
    knows_places = True

    def __init__(self, detail: Mesh) -> None:
        self._detail = detail
        self._tree = SurfaceTree(detail.vertices, detail.faces)
        self._reach = REACH * diagonal(detail.vertices, detail.faces)

    def targets(self, mesh: Mesh) -> FaceTargets:
        from omagen.omage.surface import sample_surface

        ratio = int(np.ceil(len(self._detail.faces) / max(1, len(mesh.faces))))
        if any(material.normal_texture is not None for material in self._detail.materials):
            ratio = MANY
        count = int(np.clip(ratio, FEW, max(FEW, min(MANY, MAX_POINTS // max(1, len(mesh.faces))))))
        face, bary = _points(len(mesh.faces), count)
        weights = np.stack([1 - bary.sum(1), bary[:, 0], bary[:, 1]], axis=1)
        points = np.einsum("ni,nij->nj", weights, mesh.vertices[mesh.faces[face]].astype(np.float64))
        near = self._tree.nearest(points)
        there = barycentric(self._detail.vertices, self._detail.faces, near.face, near.position)
        normal = sample_surface(self._detail, near.face.astype(np.int32), there.astype(np.float32)).normal
        own = face_normals(mesh.vertices, mesh.faces)[face]
        good = (near.distance < self._reach) & ((normal * own).sum(1) > 0)  # else it is the other side of a thin wall
        return _averaged(normal * good[:, None], len(mesh.faces), np.ones(len(mesh.faces), bool))

    def offsets(self, mesh: Mesh) -> Offsets | None:
        from omagen.geometry.sampling import vertex_normals

        near = self._tree.nearest(mesh.vertices)
        normals = vertex_normals(mesh.vertices, mesh.faces)
        along = ((near.position - mesh.vertices) * normals).sum(1)
        there = face_normals(self._detail.vertices, self._detail.faces)[near.face]
        good = (near.distance < self._reach) & ((normals * there).sum(1) > 0)
        return Offsets(along * good, good.astype(np.float64))


def omage_normals(omage: Omage) -> DetailNormals:
    """The normal image of an omage, wherever the mesh is near its surface. Raises `OmagenError` (input) without one."""
    from omagen.omage.decode import decode

    if omage.normal is None:
        raise OmagenError(ErrorCode.INPUT, "The omage has no picture of its normals.", "Give one that has.")
    return DetailNormals(decode(omage)[0])


def _points(faces: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` even points of each face: their faces (N,) int32 and weights (N, 2) float64 of corners 1 and 2."""
    place = (np.arange(count) + 0.5)[:, None] / count * np.array([1.0, 0.0])
    place[:, 1] = (np.arange(count) * 0.6180339887 + 0.5) % 1 if count > 1 else 0.5
    root = np.sqrt(place[:, 0])
    bary = np.stack([root * (1 - place[:, 1]), root * place[:, 1]], axis=1)
    if count == 1:
        bary[:] = 1 / 3
    return np.repeat(np.arange(faces, dtype=np.int32), count), np.tile(bary, (faces, 1))


def _averaged(normal: np.ndarray, faces: int, known: np.ndarray) -> FaceTargets:
    """The mean (F, 3) of the normals (N, 3) of each face's points, in their order; shorter means are less sure."""
    normal = np.nan_to_num(normal.astype(np.float64))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    mean = normal.reshape(faces, -1, 3).mean(1)
    length = np.linalg.norm(mean, axis=1)
    good = known & (length > 0.2)
    return FaceTargets(mean / np.where(good, length, 1)[:, None], np.where(good, length.clip(0, 1), 0.0))
