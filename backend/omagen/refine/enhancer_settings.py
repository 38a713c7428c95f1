"""All that can change an enhancement of view normals, besides the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

PROMPT: Final = "normal map, highly detailed surface, fine sculpted detail, sharp"
NEGATIVE_PROMPT: Final = "blurry, flat, smooth, noise, text, watermark, seams"


@dataclass(frozen=True)
class EnhancerSettings:
    """Defaults for Stable Diffusion 1.5 with ControlNet Tile and views of 512 pixels."""

    prompt: str = PROMPT
    negative_prompt: str = NEGATIVE_PROMPT
    strength: float = 0.4
    """How much of the noise is put onto the pictures: 0.3 to 0.5 keeps the shape"""
    steps: int = 25
    """For a strength of 1; `strength` times as many are done"""
    guidance: float = 6.0
    control: bool = True
    """Whether ControlNet Tile holds the picture; else plain image to image"""
    control_scale: float = 1.0
    consistency: Literal["grid", "sequential"] = "grid"
    """Grid: up to four views are generated as one picture. Sequential: one after the other. Either way, what earlier
    pictures decided is kept where later ones see the same surface"""
    seed: int = 0
    max_angle: float = 60.0
    """Degrees off the mesh's own normal from which a generated one is not believed"""
    detail_size: float = 8 / 512
    """Of a picture's height: the standard deviation of the Gaussian below which shapes are the mesh's own"""
    reference: np.ndarray | None = None
    """(H, W, 3) uint8 sRGB: what the object looks like, for IP-Adapter"""
