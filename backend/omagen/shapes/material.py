"""A metallic-roughness material with its textures, as glTF 2.0 and Blender's Principled BSDF understand it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Wrap = Literal["repeat", "clamp", "mirror"]


@dataclass(frozen=True)
class Texture:
    """An image on a surface. Row 0 is the top row; v = 0 is the bottom edge."""

    pixels: np.ndarray
    """(H, W, 3 or 4) uint8. Base colour and emission sRGB, everything else linear."""
    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"


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
    occlusion_texture: Texture | None = None
    """Occlusion in red."""
    emissive_texture: Texture | None = None
