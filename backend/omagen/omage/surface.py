"""What a mesh's materials say about points on it: the values that are baked, all in linear light and object space.

Materials are those of glTF 2.0: factors times textures times vertex colours, tangent-space normal maps. Occlusion is
not evaluated; it belongs to the scene's light, not to the surface.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from omagen.omage.surface_normals import corner_normals, corner_tangents
from omagen.omage.surface_points import bend, interpolate
from omagen.omage.texture_footprint import footprints
from omagen.omage.texture_pyramid import Pyramid
from omagen.omage.texture_sampling import sample_pyramid
from omagen.shapes import Material, Mesh, Texture


@dataclass(frozen=True)
class SurfaceSamples:
    """N points of a surface, all float32."""

    albedo: np.ndarray
    """(N, 3) in [0, 1], linear"""
    opacity: np.ndarray
    """(N,) in [0, 1]; 1 where the material is opaque, before any cut-off where it is masked"""
    metalness: np.ndarray
    """(N,) in [0, 1]"""
    roughness: np.ndarray
    """(N,) in [0, 1]"""
    emission: np.ndarray
    """(N, 3), linear, at least 0"""
    normal: np.ndarray
    """(N, 3), in the mesh's frame, unit length"""


def sample_surface(
    mesh: Mesh, face: np.ndarray, bary: np.ndarray, pixel_uv: np.ndarray | None = None
) -> SurfaceSamples:
    """The materials of `mesh` at points of it, textures averaged over what one pixel of a layout covers.

    `face`: (N,) int32 into `mesh.faces`; `bary`: (N, 2) float32, the weights of corners 1 and 2. `pixel_uv`: (F, 3, 2),
    where the layout puts the corners of each face of the mesh, in pixels; NaN for faces that it leaves out. None, or a
    face without area there, means that textures are looked up at points. Several points of one face in a row are
    cheapest. Where a mesh has no normals they are smooth up to a crease (see `corner_normals`).
    """
    face = np.ascontiguousarray(face, np.int32)
    bary = np.ascontiguousarray(bary, np.float32)
    if pixel_uv is None:
        pixel_uv = np.zeros((len(mesh.faces), 3, 2))
    surface = _Surface(mesh, corner_normals(mesh), np.ascontiguousarray(pixel_uv, np.float64))
    materials = mesh.materials or (Material(),)
    if mesh.material_index is None or len(materials) == 1:
        return surface.sample(materials[0], face, bary)
    samples = _empty(len(face))
    index = mesh.material_index[face]
    order = np.argsort(index, kind="stable")
    ends = np.searchsorted(index[order], np.arange(len(materials) + 1))
    for number, material in enumerate(materials):
        which = order[ends[number] : ends[number + 1]]
        if len(which):
            found = surface.sample(material, face[which], bary[which])
            for field in fields(SurfaceSamples):
                getattr(samples, field.name)[which] = getattr(found, field.name)
    return samples


def _empty(count: int) -> SurfaceSamples:
    def plane(*channels: int) -> np.ndarray:
        return np.empty((count, *channels), np.float32)

    return SurfaceSamples(plane(3), plane(), plane(), plane(), plane(3), plane(3))


class _Surface:
    """A mesh prepared for sampling; textures, and what pixels cover of them, are prepared once for all materials."""

    def __init__(self, mesh: Mesh, normals: np.ndarray, pixel_uv: np.ndarray) -> None:
        self._mesh, self._normals, self._pixel_uv = mesh, normals, pixel_uv
        self._corner = np.arange(len(mesh.faces) * 3, dtype=np.int32).reshape(-1, 3)
        self._pyramids: dict[tuple[int, bool], Pyramid] = {}

    def sample(self, material: Material, face: np.ndarray, bary: np.ndarray) -> SurfaceSamples:
        """All points are of `material`."""
        points = _Points(face, bary, np.zeros(len(self._mesh.faces), np.bool_))
        points.used[face] = True
        base = np.empty((len(face), 4), np.float32)
        base[:] = material.base_color
        self._multiply(base, material.base_color_texture, points, is_color=True)
        if self._mesh.colors is not None:
            base *= interpolate(self._mesh.colors, self._mesh.faces, face, bary)
        emission = np.empty((len(face), 3), np.float32)
        emission[:] = material.emissive
        if any(material.emissive):
            self._multiply(emission, material.emissive_texture, points, is_color=True)
        packed = np.empty((len(face), 4), np.float32)
        packed[:] = (1, material.roughness, material.metallic, 1)
        self._multiply(packed, material.metallic_roughness_texture, points, is_color=False)
        np.clip(base, 0, 1, out=base)
        np.clip(packed, 0, 1, out=packed)
        return SurfaceSamples(
            albedo=base[:, :3],
            opacity=np.ones(len(face), np.float32) if material.alpha_mode == "OPAQUE" else base[:, 3],
            metalness=packed[:, 2],
            roughness=packed[:, 1],
            emission=np.maximum(emission, 0, out=emission),
            normal=self._normal(material, points),
        )

    def _multiply(self, values: np.ndarray, texture: Texture | None, points: _Points, *, is_color: bool) -> None:
        """Multiply `values` (N, 3 or 4) by what `texture` says; by nothing where it or its UVs are missing."""
        texels = self._texels(texture, points, is_color=is_color)
        if texels is not None:
            values *= texels[:, : values.shape[1]]

    def _texels(self, texture: Texture | None, points: _Points, *, is_color: bool) -> np.ndarray | None:
        uv = self._uv(texture)
        if texture is None or uv is None or 0 in texture.pixels.shape:
            return None
        key = (id(texture.pixels), is_color)
        if key not in self._pyramids:
            self._pyramids[key] = Pyramid(texture, is_color=is_color)
        height, width = texture.pixels.shape[:2]
        matrix = np.array(texture.transform).reshape(2, 3)
        place = (texture.uv_set, texture.transform, height, width)
        if place not in points.looks:
            points.looks[place] = footprints(uv, matrix, self._pixel_uv, points.used, width, height)
        look = points.looks[place]
        pyramid = self._pyramids[key]
        level = float(look[:, 2].max(where=points.used, initial=0))
        pyramid.reach(int(np.ceil(level)))
        wrap = (texture.wrap_u, texture.wrap_v)
        return sample_pyramid(pyramid, wrap, uv, matrix, points.face, points.bary, look)

    def _uv(self, texture: Texture | None) -> np.ndarray | None:
        if texture is None:
            return None
        return self._mesh.second_uv if texture.uv_set else self._mesh.uv

    def _normal(self, material: Material, points: _Points) -> np.ndarray:
        face, bary = points.face, points.bary
        normal = interpolate(self._normals.reshape(-1, 3), self._corner, face, bary)
        texels = self._texels(material.normal_texture, points, is_color=False)
        uv = self._uv(material.normal_texture)
        if texels is None or uv is None or material.normal_texture is None:
            texels, corner, tangents = np.empty((0, 4), np.float32), self._corner[:0], np.empty((0, 4), np.float32)
        else:
            faces = np.flatnonzero(points.used)
            matrix = np.array(material.normal_texture.transform, np.float32).reshape(2, 3)
            moved = uv[faces] @ matrix[:, :2].T + matrix[:, 2]
            tangents = corner_tangents(self._mesh, faces, self._normals, moved).reshape(-1, 4)
            corner = np.zeros((len(uv), 3), np.int32)
            corner[faces] = np.arange(len(faces) * 3, dtype=np.int32).reshape(-1, 3)
        bend(normal, texels, tangents, corner, face, bary, np.float32(material.normal_scale))
        return normal


class _Points:
    """The points of one material, and by place and size of texture what their pixels cover."""

    def __init__(self, face: np.ndarray, bary: np.ndarray, used: np.ndarray) -> None:
        self.face, self.bary, self.used = face, bary, used
        self.looks: dict[tuple[object, ...], np.ndarray] = {}
