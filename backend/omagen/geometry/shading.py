"""Light and surface for previews: glTF's metallic-roughness materials under a fixed, soft studio light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from omagen.geometry.color import to_linear
from omagen.shapes import Material, Texture


def unit(vector: np.ndarray) -> np.ndarray:
    """`vector` (..., 3) with length 1; zero stays zero."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)


# Directions towards the lights, in the camera's frame: x right, y up, z to the viewer.
KEY_DIRECTION: Final = unit(np.array([-0.5, 0.65, 0.6], np.float32))
RIM_DIRECTION: Final = unit(np.array([0.8, 0.3, -0.2], np.float32))
KEY: Final = 1.0
RIM: Final = 0.45
SKY: Final = np.array([0.50, 0.53, 0.57], np.float32)
GROUND: Final = np.array([0.21, 0.19, 0.18], np.float32)
SOFTBOX: Final = 2.2
"""Brightness of the lamp that smooth and metallic surfaces mirror."""


@dataclass(frozen=True)
class Points:
    """Where on the surface light is asked for: N points of one material."""

    normal: np.ndarray
    """(N, 3) float32, unit, in the camera's frame, facing the viewer"""
    uv: np.ndarray | None = None
    """(N, 2) float32"""
    color: np.ndarray | None = None
    """(N, 4) float32, linear vertex colour"""
    tangent: np.ndarray | None = None
    """(N, 2, 3) float32, unit, in the camera's frame: the directions in which u and v grow"""
    footprint: float = 0.0
    """UV units that one pixel covers; textures are smoothed to it before they are sampled."""


def shade(material: Material, points: Points, openness: np.ndarray) -> np.ndarray:
    """(N, 3) float32, linear: the light the points send to the viewer. `openness` (N,): 1 = nothing hides the sky."""
    base = base_color(material, points)[:, :3]
    metallic, roughness = np.full(len(base), material.metallic), np.full(len(base), material.roughness)
    if material.metallic_roughness_texture and points.uv is not None:
        packed = sample(material.metallic_roughness_texture, points.uv, points.footprint)
        metallic, roughness = metallic * packed[:, 2], roughness * packed[:, 1]
    if material.occlusion_texture and points.uv is not None:
        openness = openness * sample(material.occlusion_texture, points.uv, points.footprint)[:, 0]
    metallic, roughness = metallic[:, None].astype(np.float32), roughness[:, None].clip(0.08, 1).astype(np.float32)
    normal = _bent_normal(material, points)
    facing = normal[:, 2:3].clip(0, 1)
    specular = 0.04 * (1 - metallic) + base * metallic
    fresnel = specular + (np.maximum(1 - roughness, specular) - specular) * (1 - facing) ** 5
    sky = SKY * (0.5 + 0.5 * normal[:, 1:2]) + GROUND * (0.5 - 0.5 * normal[:, 1:2])
    key = (normal @ KEY_DIRECTION).clip(0)[:, None] * KEY + (normal @ RIM_DIRECTION).clip(0)[:, None] * RIM
    diffuse = base * (1 - metallic) * (sky * openness[:, None] + key)
    light = diffuse + fresnel * _mirrored(normal, roughness) * (0.4 + 0.6 * openness[:, None])
    return (light + _emitted(material, points)).astype(np.float32)


def base_color(material: Material, points: Points) -> np.ndarray:
    """(N, 4) float32, linear RGBA: factor times texture times vertex colour."""
    color = np.tile(np.array(material.base_color, np.float32), (len(points.normal), 1))
    if material.base_color_texture and points.uv is not None:
        texel = sample(material.base_color_texture, points.uv, points.footprint)
        color[:, :3] *= to_linear(texel[:, :3])
        color[:, 3] *= texel[:, 3]
    if points.color is not None:
        color *= points.color
    return color


def sample(texture: Texture, uv: np.ndarray, footprint: float) -> np.ndarray:
    """(N, 4) float32, 0 to 1: the texture at `uv`, bilinear, smoothed to `footprint`, wrapped as the texture says."""
    pixels = texture.pixels
    factor = footprint * max(pixels.shape[:2])
    if factor > 1.5:
        shape = [max(1, round(side / factor)) for side in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA)
    height, width = pixels.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = (x - left)[:, None], (y - top)[:, None]
    columns = [_wrapped(left + i, width, texture.wrap_u) for i in (0, 1)]
    rows = [_wrapped(top + i, height, texture.wrap_v) for i in (0, 1)]
    upper, lower = (pixels[r, columns[0]] * (1 - across) + pixels[r, columns[1]] * across for r in rows)
    result = np.ones((len(uv), 4), np.float32)
    result[:, : pixels.shape[2]] = (upper * (1 - down) + lower * down) / 255
    return result


def _wrapped(index: np.ndarray, size: int, wrap: str) -> np.ndarray:
    index = np.nan_to_num(index, posinf=0, neginf=0).astype(np.int64)
    if wrap == "clamp":
        return index.clip(0, size - 1)
    if wrap == "mirror":
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index)
    return index % size


def _bent_normal(material: Material, points: Points) -> np.ndarray:
    if material.normal_texture is None or points.uv is None or points.tangent is None:
        return points.normal
    bend = sample(material.normal_texture, points.uv, points.footprint)[:, :3] * 2 - 1
    along_u = unit(points.tangent[:, 0] - points.normal * (points.tangent[:, 0] * points.normal).sum(1, keepdims=True))
    handed = np.sign((np.cross(points.normal, along_u) * points.tangent[:, 1]).sum(1, keepdims=True))
    along_v = np.cross(points.normal, along_u) * handed
    return unit(along_u * bend[:, :1] + along_v * bend[:, 1:2] + points.normal * bend[:, 2:3])


def _mirrored(normal: np.ndarray, roughness: np.ndarray) -> np.ndarray:
    """What a surface mirrors: a grey room, brighter above, with one large lamp; blurred by roughness."""
    reflected = 2 * normal[:, 2:3] * normal - np.array([0, 0, 1], np.float32)
    room = GROUND + (SKY * 1.15 - GROUND) / (1 + np.exp(-reflected[:, 1:2] * (2 + 8 * (1 - roughness))))
    sharpness = 2 / roughness**3
    lamp = SOFTBOX * np.exp(sharpness * ((reflected @ KEY_DIRECTION)[:, None] - 1)) * np.sqrt(sharpness.clip(0, 30)) / 4
    return room + lamp


def _emitted(material: Material, points: Points) -> np.ndarray:
    light = np.array(material.emissive, np.float32)[None]
    if material.emissive_texture and points.uv is not None and light.any():
        light = light * to_linear(sample(material.emissive_texture, points.uv, points.footprint)[:, :3])
    return light
