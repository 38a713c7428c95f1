"""Maps of a flattened mesh exactly as the published encoder bakes them (arXiv 2408.03178; Blender's Cycles inside).

Pixel (i, j) is sampled at uv = ((j + 0.501) / R, (i + 0.502) / R); a margin extends what is baked: one pixel for the
normals and the occupancy that follows from them, 32 for all else. Textures are interpolated in sRGB, then linearised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.geometry.color import to_linear
from omagen.omage.raster import raster_faces
from omagen.shapes.material import Wrap

SAMPLE: Final = (0.501, 0.502)
"""Where in a pixel the sample lies, u and v."""
NORMAL_BIAS: Final = 1e-5
MARGIN: Final = 32
_NEIGHBOURS: Final = ((-1, 0, 2), (1, 0, 2), (0, -1, 2), (0, 1, 2), (-1, -1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, 1))
"""Row step, column step and weight of the eight neighbours; the first four decide whether a pixel is extended to."""


@dataclass(frozen=True)
class ImageSampler:
    """A texture as float values that is looked up bilinearly, its texel centres at (k + 0.5) / size."""

    values: np.ndarray
    """(H, W, C) float, row 0 at v = 0"""
    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"

    def __call__(self, uv: np.ndarray) -> np.ndarray:
        """(N, C) values at `uv` (N, 2)."""
        height, width = self.values.shape[:2]
        left, right, across = _texels(uv[:, 0], width, self.wrap_u)
        low, high, along = _texels(uv[:, 1], height, self.wrap_v)
        lower = self.values[low, left] * (1 - across) + self.values[low, right] * across
        upper = self.values[high, left] * (1 - across) + self.values[high, right] * across
        return lower * (1 - along) + upper * along


@dataclass(frozen=True)
class ReferenceMaterial:
    """What the published encoder bakes of a Principled material; a texture replaces the constant."""

    color: np.ndarray
    """(3,) linear; times the texture where there is one"""
    metalness: float
    roughness: float
    color_texture: ImageSampler | None = None
    """sRGB"""
    metalness_texture: ImageSampler | None = None
    """One channel, times `metalness`"""
    roughness_texture: ImageSampler | None = None


@dataclass(frozen=True)
class FlatMesh:
    """A mesh laid out in the unit square, normalised, in the omage frame."""

    corners: np.ndarray
    """(F, 3, 3) positions"""
    normals: np.ndarray
    """(F, 3, 3) unit"""
    layout_uv: np.ndarray
    """(F, 3, 2) in the unit square, v up"""
    texture_uv: np.ndarray
    """(F, 3, 2) of the original mesh"""
    material: np.ndarray
    """(F,) int into the materials"""


def bake(mesh: FlatMesh, materials: list[ReferenceMaterial], resolution: int) -> np.ndarray:
    """(R, R, 12) float64: position, occupancy, normal, colour, metalness, roughness, before any clipping to 0..1."""
    face, weights = _covered(mesh.layout_uv, resolution)
    hit = face >= 0
    chosen, bary = face[hit], weights[hit]
    shade = np.zeros((resolution, resolution, 8))  # position and material
    shade[hit, :3] = (_interpolated(mesh.corners, chosen, bary) + 1) / 2
    shade[hit, 3:] = _material_values(materials, mesh.material[chosen], _interpolated(mesh.texture_uv, chosen, bary))
    normal = _interpolated(mesh.normals, chosen, bary)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    directions = np.zeros((resolution, resolution, 3))
    directions[hit] = normal / 2 + 0.5 + NORMAL_BIAS
    directions = extend(directions, hit, 1)
    occupancy = (np.abs(directions) > 0).any(axis=-1, keepdims=True)
    shade = extend(shade, hit, MARGIN)
    return np.concatenate([shade[..., :3], occupancy, directions, shade[..., 3:]], axis=-1)


def extend(maps: np.ndarray, covered: np.ndarray, steps: int) -> np.ndarray:
    """Grow `maps` (H, W, C) beyond `covered` (H, W) by the weighted mean of covered neighbours, `steps` pixels far."""
    height, width, channels = maps.shape
    stride = width + 2
    values = np.pad(maps, ((1, 1), (1, 1), (0, 0))).reshape(-1, channels)
    known = np.pad(covered, 1).ravel()
    inside = np.pad(np.ones((height, width), bool), 1).ravel()
    offsets = [row * stride + column for row, column, _ in _NEIGHBOURS]
    fresh = np.flatnonzero(known)
    for _ in range(steps):
        around = np.concatenate([fresh + offset for offset in offsets[:4]])
        ring = np.unique(around[inside[around] & ~known[around]])
        total, weight = np.zeros((len(ring), channels)), np.zeros((len(ring), 1))
        for offset, (_, _, share) in zip(offsets, _NEIGHBOURS, strict=True):
            part = share * known[ring + offset][:, None]
            total += part * values[ring + offset]
            weight += part
        values[ring] = total / weight
        known[ring] = True
        fresh = ring
    return values.reshape(height + 2, stride, channels)[1:-1, 1:-1]


def _covered(layout_uv: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Face (R, R) and float64 weights of all three corners (R, R, 3) at the samples."""
    face, two = raster_faces(layout_uv.astype(np.float64) * resolution, resolution, resolution, SAMPLE)
    two = two.astype(np.float64)
    return face, np.concatenate([1 - two.sum(axis=-1, keepdims=True), two], axis=-1)


def _interpolated(corners: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("nk,nkc->nc", weights, corners[face].astype(np.float64))


def _material_values(materials: list[ReferenceMaterial], index: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, 5): colour in linear light, metalness, roughness."""
    values = np.empty((len(index), 5))
    for number, material in enumerate(materials):
        mine = index == number
        values[mine, :3] = material.color
        values[mine, 3], values[mine, 4] = material.metalness, material.roughness
        if material.color_texture is not None:
            values[mine, :3] *= to_linear(material.color_texture(uv[mine])[:, :3])
        if material.metalness_texture is not None:
            values[mine, 3] *= material.metalness_texture(uv[mine])[:, 0]
        if material.roughness_texture is not None:
            values[mine, 4] *= material.roughness_texture(uv[mine])[:, 0]
    return values


def _texels(coordinate: np.ndarray, size: int, wrap: Wrap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two texels around each coordinate and the second one's share (N, 1)."""
    place = coordinate * size - 0.5
    first = np.floor(place)
    return _wrapped(first, size, wrap), _wrapped(first + 1, size, wrap), (place - first)[:, None]


def _wrapped(texel: np.ndarray, size: int, wrap: Wrap) -> np.ndarray:
    texel = texel.astype(np.int64)
    if wrap == "clamp":
        return np.clip(texel, 0, size - 1)
    if wrap == "mirror":
        folded = texel % (2 * size)
        return np.minimum(folded, 2 * size - 1 - folded)
    return texel % size
