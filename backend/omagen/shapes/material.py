"""A metallic-roughness material with its textures, as glTF 2.0 and Blender's Principled BSDF understand it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Wrap = Literal["repeat", "clamp", "mirror"]
UNMOVED: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Texture:
    """An image on a surface. Row 0 is the top row; v = 0 is the bottom edge."""

    pixels: np.ndarray
    """(H, W, 3 or 4) uint8. Base colour and emission sRGB, everything else linear."""
    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"
    uv_set: Literal[0, 1] = 0
    """Which of a mesh's UVs the texture lies on: `uv` or `second_uv`"""
    transform: tuple[float, float, float, float, float, float] = UNMOVED
    """Row-major 2 x 3: where in the texture a point of those UVs is, both counted from the bottom"""


@dataclass(frozen=True)
class Material:
    name: str = "material"
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """Linear RGBA, multiplied with the texture (and with vertex colours where a mesh has them)."""
    metallic: float = 0.0
    roughness: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    base_color_texture: Texture | None = None
    metallic_roughness_texture: Texture | None = None
    """Roughness in green, metalness in blue, as glTF packs them."""
    normal_texture: Texture | None = None
    """Tangent space, +Y up (OpenGL convention)."""
    normal_scale: float = 1.0
    """How far the normal texture bends the surface; multiplies its x and y"""
    occlusion_texture: Texture | None = None
    """Occlusion in red."""
    occlusion_strength: float = 1.0
    """0 to 1: how much of the occlusion texture counts"""
    emissive_texture: Texture | None = None
