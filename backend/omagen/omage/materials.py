"""The maps of an omage as the material of a mesh."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np

from omagen.geometry.color import to_srgb
from omagen.shapes import Material, Omage, Texture

STEPS = 65535
"""Linear light is looked up in a table of this many steps, which puts sRGB bytes at most 0.03 off before rounding."""


def material_of(omage: Omage, normal_map: np.ndarray | None = None) -> Material:
    """One material with textures of the omage's resolution; what the omage has no map of is a factor.

    `normal_map` (R, R, 3) uint8, upright, tangent space.
    """
    color, factor = _base_color(omage)
    packed, metallic, roughness = _metallic_roughness(omage)
    emission, strength = _emission(omage)
    return Material(
        name=omage.name,
        base_color=factor,
        metallic=metallic,
        roughness=roughness,
        emissive=(strength, strength, strength),
        alpha_mode=omage.alpha_mode,
        alpha_cutoff=omage.alpha_cutoff,
        double_sided=omage.double_sided,
        base_color_texture=color,
        metallic_roughness_texture=packed,
        normal_texture=None if normal_map is None else _texture(normal_map),
        emissive_texture=emission,
    )


def _base_color(omage: Omage) -> tuple[Texture | None, tuple[float, float, float, float]]:
    if omage.albedo is None and omage.opacity is None:
        return None, (0.8, 0.8, 0.8, 1.0)
    resolution = omage.resolution
    pixels = np.full((resolution, resolution, 3 if omage.opacity is None else 4), 255, np.uint8)
    if omage.albedo is not None:
        _write_srgb(np.ascontiguousarray(omage.albedo), 1.0, _srgb_bytes(), pixels)
    if omage.opacity is not None:
        _write_linear(omage.opacity, pixels, 3)
    return _texture(pixels), (1.0, 1.0, 1.0, 1.0)


def _metallic_roughness(omage: Omage) -> tuple[Texture | None, float, float]:
    """The texture, roughness in green and metalness in blue, with its factors."""
    if omage.metalness is None and omage.roughness is None:
        return None, 0.0, 1.0
    pixels = np.full((omage.resolution, omage.resolution, 3), 255, np.uint8)
    if omage.roughness is not None:
        _write_linear(omage.roughness, pixels, 1)
    if omage.metalness is not None:
        _write_linear(omage.metalness, pixels, 2)
    return _texture(pixels), 0.0 if omage.metalness is None else 1.0, 1.0


def _emission(omage: Omage) -> tuple[Texture | None, float]:
    """The texture of what shines, relative to its brightest value where that is above 1, and that value."""
    peak = 0.0 if omage.emission is None else float(np.nan_to_num(omage.emission, posinf=0.0).max(initial=0.0))
    if omage.emission is None or peak <= 0:
        return None, 0.0
    pixels = np.empty((omage.resolution, omage.resolution, 3), np.uint8)
    strength = max(peak, 1.0)
    _write_srgb(np.ascontiguousarray(omage.emission), 1 / strength, _srgb_bytes(), pixels)
    return _texture(pixels), strength


def _texture(pixels: np.ndarray) -> Texture:
    """Charts do not reach across the picture's border, so nothing wraps around it either."""
    return Texture(pixels, wrap_u="clamp", wrap_v="clamp")


@cache
def _srgb_bytes() -> np.ndarray:
    return np.round(to_srgb(np.arange(STEPS + 1) / STEPS) * 255).astype(np.uint8)


@numba.njit(cache=True, nogil=True)
def _write_srgb(linear: np.ndarray, factor: float, table: np.ndarray, pixels: np.ndarray) -> None:
    """Write `linear` (R, R, 3) times `factor` as sRGB into `pixels` (R, R, 3 or 4) uint8, last row first."""
    height, width = pixels.shape[:2]
    scale = np.float32(STEPS * factor)
    for i in range(height):
        row = height - 1 - i
        for j in range(width):
            for k in range(3):
                step = linear[i, j, k] * scale + np.float32(0.5)
                step = min(step, np.float32(STEPS)) if step > 0 else np.float32(0)
                pixels[row, j, k] = table[np.int32(step)]


@numba.njit(cache=True, nogil=True)
def _write_linear(plane: np.ndarray, pixels: np.ndarray, channel: int) -> None:
    """Write `plane` (R, R) in [0, 1] into one channel of `pixels`, last row first."""
    height, width = plane.shape
    for i in range(height):
        row = height - 1 - i
        for j in range(width):
            value = plane[i, j] * np.float32(255) + np.float32(0.5)
            value = min(value, np.float32(255)) if value > 0 else np.float32(0)
            pixels[row, j, channel] = np.uint8(value)
