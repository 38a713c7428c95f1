"""What texturing from pictures is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unseen = Literal["fill", "mirror", "keep"]


@dataclass(frozen=True)
class TextureSettings:
    texture: int = 2048
    """Pixels a side"""
    unseen: Unseen = "fill"
    """What becomes of what no picture shows; see `project_pictures`"""
    sharpness: float = 4.0
    """How sharply pictures are kept apart where several show the same"""
    uv: Literal["auto", "keep", "unwrap"] = "auto"
    """`auto`: the mesh's UVs where they are a sound layout; `keep`: as they are; `unwrap`: new ones, with all of the
    material's maps baked to them"""
