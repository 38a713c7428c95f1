"""Baked planes as the textures of a material."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

import numpy as np

from omagen.geometry.color import to_srgb
from omagen.shapes import Material, Texture

STEPS: Final = 65535
"""Linear light is looked up in a table of this many steps, which puts sRGB bytes at most 0.03 off before rounding."""
EVEN: Final = 0.5 / 255
"""Maps that vary less than this are one number"""
Wrap = Literal["repeat", "clamp"]


@dataclass
class Planes:
    """Values of all T texels of a texture, row 0 at v = 0, float32; None where a map is not wanted."""

    covered: np.ndarray
    """(T,) bool: on a chart"""
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    """What `opacity` means"""
    base_color: np.ndarray | None = None
    """(T, 3), linear"""
    opacity: np.ndarray | None = None
    """(T,); cut off at 0.5 where it is a mask"""
    metalness: np.ndarray | None = None
    """(T,)"""
    roughness: np.ndarray | None = None
    """(T,)"""
    normal: np.ndarray | None = None
    """(T, 3), tangent space"""
    emission: np.ndarray | None = None
    """(T, 3), linear"""
    occlusion: np.ndarray | None = None
    """(T,), 1 where nothing is hidden"""

    @classmethod
    def blank(cls, texels: int, maps: frozenset[str], alpha_mode: Literal["OPAQUE", "MASK", "BLEND"]) -> Planes:
        """Planes of 0 for `maps`."""

        def plane(name: str, *channels: int) -> np.ndarray | None:
            return np.zeros((texels, *channels), np.float32) if name in maps else None

        return cls(
            np.zeros(texels, bool),
            alpha_mode,
            plane("base_color", 3),
            None if alpha_mode == "OPAQUE" else plane("base_color"),
            plane("metallic_roughness"),
            plane("metallic_roughness"),
            plane("normal", 3),
            plane("emissive", 3),
        )

    def all(self) -> list[np.ndarray]:
        """Those that there are."""
        named = self.base_color, self.opacity, self.metalness, self.roughness, self.normal, self.emission
        return [plane for plane in (*named, self.occlusion) if plane is not None]


def material_of(planes: Planes, size: int, kept: Material, wrap: Wrap) -> Material:
    """`kept` with `planes` of `size` x `size` texels in place of its own maps."""
    material = kept

    def texture(*channels: np.ndarray) -> Texture:
        pixels = np.concatenate([channel.reshape(size, size, -1) for channel in channels], axis=2)
        return Texture(np.ascontiguousarray(pixels[::-1]), wrap, wrap)

    if planes.base_color is not None:
        color = [srgb_bytes(planes.base_color)]
        if planes.opacity is not None:
            color.append(_bytes(planes.opacity))
        material = replace(
            material,
            base_color=(1.0, 1.0, 1.0, 1.0),
            base_color_texture=texture(*color),
            alpha_mode=planes.alpha_mode,
            alpha_cutoff=0.5,
        )
    if planes.normal is not None:
        length = np.linalg.norm(planes.normal, axis=1, keepdims=True)
        unit = np.where(length > 1e-6, planes.normal / np.maximum(length, 1e-6), (0.0, 0.0, 1.0))
        material = replace(material, normal_texture=texture(_bytes(unit * 0.5 + 0.5)), normal_scale=1.0)
    material = _with_packed(material, planes, texture)
    if planes.emission is not None:
        peak = max(float(planes.emission.max(initial=0)), 0.0)
        strength = max(peak, 1.0) if peak > 0 else 0.0
        shines = texture(srgb_bytes(planes.emission / strength)) if peak > 0 else None
        material = replace(material, emissive=(strength,) * 3, emissive_texture=shines)
    return material


def _with_packed(material: Material, planes: Planes, texture) -> Material:
    """Occlusion, roughness and metalness in one texture as glTF packs them; even ones without a texture."""
    occlusion, roughness, metalness = planes.occlusion, planes.roughness, planes.metalness
    full = np.full(len(planes.covered), 255, np.uint8)
    packed = None
    if roughness is not None and metalness is not None:
        flat = [values[planes.covered] for values in (roughness, metalness)]
        if all(float(np.ptp(values)) < EVEN for values in flat):
            even = [float(values.mean()) for values in flat]
            material = replace(material, roughness=even[0], metallic=even[1], metallic_roughness_texture=None)
        else:
            red = full if occlusion is None else _bytes(occlusion)
            packed = texture(red, _bytes(roughness), _bytes(metalness))
            material = replace(material, roughness=1.0, metallic=1.0, metallic_roughness_texture=packed)
    if occlusion is not None:
        grey = _bytes(occlusion)
        material = replace(material, occlusion_texture=packed or texture(grey, grey, grey), occlusion_strength=1.0)
    return material


def srgb_bytes(linear: np.ndarray) -> np.ndarray:
    """uint8, sRGB, of `linear` light, clipped to 0 to 1."""
    return _table()[(linear * STEPS + 0.5).clip(0, STEPS).astype(np.uint16)]


def _bytes(values: np.ndarray) -> np.ndarray:
    return (values * 255 + 0.5).clip(0, 255).astype(np.uint8)


@cache
def _table() -> np.ndarray:
    return np.round(to_srgb(np.arange(STEPS + 1) / STEPS) * 255).astype(np.uint8)
