"""What a mesh's materials say about points on it: the values that are baked, all in linear light and object space.

Materials are those of glTF 2.0: factors times textures times vertex colours, tangent-space normal maps. Occlusion is
not evaluated; it belongs to the scene's light, not to the surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.omage.cores import in_parts
from omagen.omage.surface_normals import corner_normals, corner_tangents, distinct_points
from omagen.omage.surface_points import bend, interpolate
from omagen.omage.texture_footprint import footprints
from omagen.omage.texture_pyramid import Pyramid
from omagen.omage.texture_sampling import sample_pyramid
from omagen.shapes import Material, Mesh, Texture

PART: Final = 2**15
"""Points that are sampled at once; what they need stays in a processor's second cache."""


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
    mesh: Mesh,
    face: np.ndarray,
    bary: np.ndarray,
    pixel_uv: np.ndarray | None = None,
    into: tuple[SurfaceSamples, np.ndarray] | None = None,
) -> SurfaceSamples:
    """The materials of `mesh` at points of it, textures averaged over what one pixel of a layout covers.

    `face`: (N,) int32 into `mesh.faces`; `bary`: (N, 2) float32, the weights of corners 1 and 2. `pixel_uv`: (F, 3, 2),
    where the layout puts the corners of each face of the mesh, in pixels; NaN for faces that it leaves out. None, or a
    face without area there, means that textures are looked up at points. Several points of one face in a row are
    cheapest. Where a mesh has no normals they are smooth up to a crease (see `corner_normals`). `into`: samples that
    as from `blank_samples` that are filled and returned, and the row (N,) int32 of each point in them.
    """
    face = np.ascontiguousarray(face, np.int32)
    bary = np.ascontiguousarray(bary, np.float32)
    if pixel_uv is None:
        pixel_uv = np.zeros((len(mesh.faces), 3, 2))
    surface = _Surface(mesh, corner_normals(mesh), np.ascontiguousarray(pixel_uv, np.float64))
    materials = mesh.materials or (Material(),)
    samples, row = into or (blank_samples(len(face)), None)
    if mesh.material_index is None or len(materials) == 1:
        surface.sample(materials[0], row, face, bary, samples)
        return samples
    index = mesh.material_index[face]
    order = np.argsort(index, kind="stable").astype(np.int32)
    ends = np.searchsorted(index[order], np.arange(len(materials) + 1))
    for number, material in enumerate(materials):
        which = order[ends[number] : ends[number + 1]]
        if len(which):
            surface.keep(materials[number + 1 :])
            surface.sample(material, which if row is None else row[which], face[which], bary[which], samples)
    return samples


def blank_samples(count: int) -> SurfaceSamples:
    """`count` samples, all 0."""

    def plane(*channels: int) -> np.ndarray:
        return np.zeros((count, *channels), np.float32)

    return SurfaceSamples(plane(3), plane(), plane(), plane(), plane(3), plane(3))


@dataclass(frozen=True)
class _Lookup:
    """A texture as a material's points see it."""

    pyramid: Pyramid
    texture: Texture
    uv: np.ndarray
    matrix: np.ndarray
    look: np.ndarray

    def at(self, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
        """(N, 4) float32, linear."""
        wrap = (self.texture.wrap_u, self.texture.wrap_v)
        return sample_pyramid(self.pyramid, wrap, self.uv, self.matrix, face, bary, self.look)


Fill = Callable[[slice | np.ndarray, np.ndarray, np.ndarray, _Lookup | None], None]
"""Writes what a texture makes of some points: their rows, faces, weights, the texture if there is one"""


class _Surface:
    """A mesh prepared for sampling. Only one texture's pyramid is kept at a time, and those that are needed again."""

    def __init__(self, mesh: Mesh, normals: np.ndarray, pixel_uv: np.ndarray) -> None:
        self._mesh, self._normals, self._pixel_uv = mesh, normals, pixel_uv
        self._corner = np.arange(len(mesh.faces) * 3, dtype=np.int32).reshape(-1, 3)
        self._pyramids: dict[tuple[int, bool], Pyramid] = {}
        self._kept: set[int] = set()
        self._point: np.ndarray | None = None

    def keep(self, materials: tuple[Material, ...]) -> None:
        """Expect `materials` later on."""
        self._kept = {id(texture.pixels) for material in materials for texture in _textures(material)}

    def sample(
        self, material: Material, row: np.ndarray | None, face: np.ndarray, bary: np.ndarray, samples: SurfaceSamples
    ) -> None:
        """Fill in `samples`, or the rows `row` (n,) of them: points on `face` (n,), all of `material`."""
        used = np.zeros(len(self._mesh.faces), np.bool_)
        used[face] = True
        looks: dict[tuple[object, ...], np.ndarray] = {}

        def each(texture: Texture | None, is_color: bool, fill: Fill) -> None:
            lookup = self._lookup(texture, is_color, used, looks)

            def work(part: slice) -> None:
                fill(part if row is None else row[part], face[part], bary[part], lookup)

            in_parts(len(face), PART, work)
            self._pyramids = {key: pyramid for key, pyramid in self._pyramids.items() if key[0] in self._kept}

        def fill_color(into: slice | np.ndarray, f: np.ndarray, b: np.ndarray, lookup: _Lookup | None) -> None:
            values = _times(material.base_color, lookup, f, b)
            if self._mesh.colors is not None:
                values *= interpolate(self._mesh.colors, self._mesh.faces, f, b)
            np.clip(values, 0, 1, out=values)
            samples.albedo[into] = values[:, :3]
            samples.opacity[into] = 1 if material.alpha_mode == "OPAQUE" else values[:, 3]

        def fill_packed(into: slice | np.ndarray, f: np.ndarray, b: np.ndarray, lookup: _Lookup | None) -> None:
            values = _times((1, material.roughness, material.metallic, 1), lookup, f, b).clip(0, 1)
            samples.roughness[into], samples.metalness[into] = values[:, 1], values[:, 2]

        def fill_light(into: slice | np.ndarray, f: np.ndarray, b: np.ndarray, lookup: _Lookup | None) -> None:
            samples.emission[into] = _times((*material.emissive, 1), lookup, f, b)[:, :3].clip(0)

        corner, tangents = self._tangents(material.normal_texture, used)

        def fill_normal(into: slice | np.ndarray, f: np.ndarray, b: np.ndarray, lookup: _Lookup | None) -> None:
            normal = interpolate(self._normals.reshape(-1, 3), self._corner, f, b)
            texels = np.empty((0, 4), np.float32) if lookup is None else lookup.at(f, b)
            bend(normal, texels, tangents, corner, f, b, np.float32(material.normal_scale))
            samples.normal[into] = normal

        each(material.base_color_texture, True, fill_color)
        each(material.metallic_roughness_texture, False, fill_packed)
        each(material.normal_texture, False, fill_normal)
        if any(material.emissive):
            each(material.emissive_texture, True, fill_light)

    def _uv(self, texture: Texture | None) -> np.ndarray | None:
        if texture is None or 0 in texture.pixels.shape:
            return None
        return self._mesh.second_uv if texture.uv_set else self._mesh.uv

    def _lookup(
        self, texture: Texture | None, is_color: bool, used: np.ndarray, looks: dict[tuple[object, ...], np.ndarray]
    ) -> _Lookup | None:
        """`texture` as the faces `used` (F,) bool see it; None where it or its UVs are missing. `looks` remembers."""
        uv = self._uv(texture)
        if texture is None or uv is None:
            return None
        height, width = texture.pixels.shape[:2]
        matrix = np.array(texture.transform).reshape(2, 3)
        place = (texture.uv_set, texture.transform, height, width)
        if place not in looks:
            looks[place] = footprints(uv, matrix, self._pixel_uv, used, width, height)
        look, key = looks[place], (id(texture.pixels), is_color)
        pyramid = self._pyramids.setdefault(key, Pyramid(texture, is_color=is_color))
        pyramid.reach(int(np.ceil(float(look[:, 2].max(where=used, initial=0)))))
        return _Lookup(pyramid, texture, uv, matrix, look)

    def _tangents(self, texture: Texture | None, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a normal map on the faces `used`: the row (F, 3) int32 of each corner's tangent, and those (M, 4)."""
        uv = self._uv(texture)
        if texture is None or uv is None:
            return self._corner[:0], np.empty((0, 4), np.float32)
        if self._point is None:
            self._point = distinct_points(self._mesh.vertices)[0]
        faces = np.flatnonzero(used)
        matrix = np.array(texture.transform, np.float32).reshape(2, 3)
        moved = uv[faces] @ matrix[:, :2].T + matrix[:, 2]
        tangents = corner_tangents(self._mesh, faces, self._normals, moved, self._point)
        corner = np.zeros((len(uv), 3), np.int32)
        corner[faces] = np.arange(len(faces) * 3, dtype=np.int32).reshape(-1, 3)
        return corner, tangents.reshape(-1, 4)


def _textures(material: Material) -> list[Texture]:
    """What is looked up for `material`."""
    maps = material.base_color_texture, material.metallic_roughness_texture, material.normal_texture
    return [texture for texture in (*maps, material.emissive_texture) if texture is not None]


def _times(factor: tuple[float, ...], lookup: _Lookup | None, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """(N, 4) float32: a `factor` of four numbers times a texture; times nothing where that is missing."""
    if lookup is None:
        return np.broadcast_to(np.array(factor, np.float32), (len(face), 4)).copy()
    values = lookup.at(face, bary)
    values *= np.array(factor, np.float32)
    return values
