"""The maps of one surface as textures of another one with UVs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from omagen.bake.correspondence import Correspondence, same_faces
from omagen.bake.occlusion import occlusion_of
from omagen.bake.surface_texels import SurfaceTexels
from omagen.bake.texels import Samples, TexelLayout, density, interpolated_normals
from omagen.bake.textures import Planes, material_of
from omagen.geometry.rays import RayCaster
from omagen.geometry.sampling import face_areas
from omagen.omage.normal_map import to_tangent_space
from omagen.omage.opacity import opacity_in_mode
from omagen.omage.raster_dilation import dilate_all
from omagen.omage.surface import sample_surface
from omagen.omage.surface_normals import corner_normals, corner_tangents, distinct_points, face_normals
from omagen.omage.surface_points import interpolate_exactly
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh

MAPS: Final = frozenset({"base_color", "metallic_roughness", "normal", "occlusion", "emissive"})
SUPERSAMPLED: Final = 1024
"""Largest texture of which each texel is sampled four times; in larger ones a texel is finer than what it shows"""
Progress = Callable[[str, float], None]


def bake(
    low: Mesh,
    high: Mesh,
    size: int,
    maps: frozenset[str],
    progress: Progress = lambda stage, fraction: None,
    *,
    margin: int | None = None,
    cage: float | None = None,
) -> Mesh:
    """`low` with one material, whose textures of `size` x `size` texels show what `high` is like.

    `low` has UVs without overlap; `high` any materials, textures, vertex colours and normals. `maps` are some of
    `MAPS`; others stay as they are in the material of `low`, where that has one only. Normals are in the tangent space
    of MikkTSpace, +Y up. Points correspond along the normals of `low`, within `cage` metres (default: measured); where
    the two have the same faces in the same order they correspond exactly. `margin`: texels by which charts grow into
    what is empty around them; by default all of it is filled, so that no level of a mip chain takes in anything else.

    Raises `OmagenError`: input for a size or maps that do not exist, geometry for meshes without UVs or faces,
    cancelled from `progress`.
    """
    unknown = maps - MAPS
    if unknown:
        raise OmagenError(ErrorCode.INPUT, f"There is no map {sorted(unknown)[0]}.", f"Choose among {sorted(MAPS)}.")
    if not face_areas(high.vertices, high.faces).sum() > 0:
        raise OmagenError(ErrorCode.GEOMETRY, "What is to be baked has no surface.", "Choose another mesh.")
    layout = TexelLayout(low, size)
    if not face_areas(low.vertices, low.faces).sum() > 0:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh to bake to has no surface.", "Choose another mesh.")
    low = replace(low, normals=corner_normals(low))
    high = replace(high, normals=corner_normals(high), materials=_needed(high.materials or (Material(),), maps))
    planes = _Baking(low, high, layout, maps, cage, progress).planes()
    covered = planes.covered.reshape(size, size)
    progress("Filling around the charts", 0.92)
    dilate_all([plane.reshape(size, size, -1) for plane in planes.all()], covered, margin)
    progress("Writing the textures", 0.95)
    kept = low.materials[0] if len(low.materials) == 1 else Material(low.name)
    material = material_of(planes, size, kept, layout.wrap)
    material = replace(material, double_sided=any(material.double_sided for material in high.materials))
    shows_color = "base_color" in maps
    return replace(low, materials=(material,), material_index=None, colors=None if shows_color else low.colors)


@dataclass
class _Partners:
    """Points of `high` that belong to samples of `low`."""

    face: np.ndarray
    bary: np.ndarray


class _Baking:
    """One bake while it runs."""

    def __init__(
        self, low: Mesh, high: Mesh, layout: TexelLayout, maps: frozenset[str], cage: float | None, progress: Progress
    ) -> None:
        self._low, self._high, self._layout, self._maps, self._progress = low, high, layout, maps, progress
        self._is_same = same_faces(low, high)
        self._each: Literal[1, 4] = 1 if self._is_same or layout.size > SUPERSAMPLED else 4
        progress("Comparing the surfaces", 0.0)
        self._correspondence = None if self._is_same else Correspondence(low, high, cage)
        self._pixel_uv: np.ndarray | None = layout.pixel_uv if self._is_same else None
        self._density = density(layout.pixel_uv, low.vertices, low.faces)
        assert low.normals is not None and low.uv is not None
        self._normals, self._tangents = low.normals, None
        if "normal" in maps:
            point, _ = distinct_points(low.vertices)
            every = np.arange(len(low.faces))
            self._tangents = corner_tangents(low, every, low.normals, low.uv, point)

    def planes(self) -> Planes:
        """The means of all samples in each texel; texels without any are 0."""
        texels = self._layout.size**2
        mode = _alpha_mode(self._high)
        planes = Planes.blank(texels, self._maps, mode)
        count = np.zeros(texels, np.uint8)
        places = np.full(texels, -1, np.int32), np.zeros((texels, 2), np.float32), np.zeros(texels, np.float32)
        pitch = 1 / np.maximum(self._density, 1e-12)
        for turn, samples in enumerate(self._layout.samples(self._each)):
            done = min(turn / self._each, 1.0)
            partners = self._partners(samples, done)
            self._progress("Sampling the surface", 0.05 + 0.6 * (done + 0.7 / self._each))
            self._add(planes, samples, partners)
            for plane, values in zip(places, (partners.face, partners.bary, pitch[samples.face]), strict=True):
                plane[samples.pixel] = values
            count[samples.pixel] += 1
        planes.covered = count > 0
        share = 1 / np.maximum(count, 1).astype(np.float32)
        for plane in planes.all():
            plane *= share[:, None] if plane.ndim == 2 else share
        if planes.opacity is not None and (planes.opacity[planes.covered] >= 1).all():
            planes.opacity, planes.alpha_mode = None, "OPAQUE"
        if "occlusion" in self._maps:
            at = np.flatnonzero(planes.covered)
            planes.occlusion = np.zeros(texels, np.float32)
            planes.occlusion[at] = self._occlusion(at, *(plane[at] for plane in places))
        return planes

    def _occlusion(self, pixel: np.ndarray, face: np.ndarray, bary: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """(N,) float32 of texels `pixel`, which show points of `high`: real ones, as means would lie beneath it."""
        high = self._high
        assert high.normals is not None
        position = interpolate_exactly(high.vertices.astype(np.float64), high.faces, face, bary)
        normal = interpolated_normals(high.normals, face, bary)
        texels = SurfaceTexels(pixel, position, normal, face_normals(high)[face], pitch)
        caster = RayCaster(high.vertices, high.faces)
        return occlusion_of(
            texels, self._layout.size, caster, lambda part: self._progress("Occlusion", 0.65 + 0.25 * part)
        )

    def _partners(self, samples: Samples, done: float) -> _Partners:
        if self._correspondence is None:
            return _Partners(samples.face, samples.bary)
        face, bary = self._correspondence.find(
            self._layout.positions(samples),
            interpolated_normals(self._normals, samples.face, samples.bary),
            lambda part: self._progress("Matching the surfaces", 0.05 + 0.6 * (done + 0.7 * part / self._each)),
        )
        if self._pixel_uv is None:
            self._pixel_uv = _flattened(self._high, face, self._density[samples.face] * np.sqrt(self._each))
        return _Partners(face, bary)

    def _add(self, planes: Planes, samples: Samples, partners: _Partners) -> None:
        """Add what the surface is like at `partners` to the sums in `planes`."""
        surface = sample_surface(self._high, partners.face, partners.bary, self._pixel_uv)
        at = samples.pixel
        if planes.base_color is not None:
            planes.base_color[at] += surface.albedo
        if planes.opacity is not None:
            planes.opacity[at] += opacity_in_mode(self._high, partners.face, surface.opacity, planes.alpha_mode)
        if planes.metalness is not None and planes.roughness is not None:
            planes.metalness[at] += surface.metalness
            planes.roughness[at] += surface.roughness
        if planes.emission is not None:
            planes.emission[at] += surface.emission
        if planes.normal is not None and self._tangents is not None:
            local, _ = to_tangent_space(
                samples.face[None],
                samples.bary[None],
                self._normals,
                np.ascontiguousarray(self._tangents[..., :3]),
                np.ascontiguousarray(self._tangents[:, 0, 3]),
                surface.normal[None],
            )
            planes.normal[at] += local[0]


def _alpha_mode(mesh: Mesh) -> Literal["OPAQUE", "MASK", "BLEND"]:
    used = range(1) if mesh.material_index is None else np.unique(mesh.material_index)
    modes = {mesh.materials[number].alpha_mode for number in used}
    return "BLEND" if "BLEND" in modes else "MASK" if "MASK" in modes else "OPAQUE"


def _needed(materials: tuple[Material, ...], maps: frozenset[str]) -> tuple[Material, ...]:
    """`materials` without what none of `maps` is made from, so that nothing is sampled in vain."""
    dropped: dict[str, tuple[float, float, float] | None] = {"occlusion_texture": None}
    if "base_color" not in maps:
        dropped["base_color_texture"] = None
    if "metallic_roughness" not in maps:
        dropped["metallic_roughness_texture"] = None
    if "normal" not in maps:
        dropped["normal_texture"] = None
    if "emissive" not in maps:
        dropped |= {"emissive_texture": None, "emissive": (0.0, 0.0, 0.0)}
    return tuple(replace(material, **dropped) for material in materials)  # type: ignore[arg-type]


def _flattened(mesh: Mesh, face: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(F, 3, 2) float64: each face of `mesh` in a plane, as large as samples on `face` (N,) of `scale` (N,) see it.

    With these as a layout textures are averaged over what one sample covers.
    """
    total, count = np.bincount(face, scale, len(mesh.faces)), np.bincount(face, minlength=len(mesh.faces))
    scales = np.where(count > 0, total / np.maximum(count, 1), np.median(scale))
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    ab, ac = b - a, c - a
    length = np.linalg.norm(ab, axis=1)
    along = np.einsum("fc,fc->f", ab, ac) / np.where(length > 0, length, 1)
    height = np.sqrt(np.maximum(np.einsum("fc,fc->f", ac, ac) - along**2, 0))
    flat = np.zeros((len(mesh.faces), 3, 2))
    flat[:, 1, 0], flat[:, 2, 0], flat[:, 2, 1] = length, along, height
    return flat * scales[:, None, None]
