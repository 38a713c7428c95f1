"""What is sent of a material: glTF's factors, and textures that are put together and encoded off the main thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from . import png
from .pixels import Pixels

Matrix = tuple[float, float, float, float, float, float]
"""Row-major 2 x 3: how a UV is moved before a texture is looked up."""
UNMOVED: Final[Matrix] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a picture."""

    pixels: Pixels
    index: int
    to_linear: bool = False
    """The stored values are sRGB, and what they say is a number, as when a colour picture is used as roughness."""

    def plane(self, height: int, width: int) -> np.ndarray:
        """(height, width) uint8, the top row first; a picture of another size is sampled at the nearest pixels."""
        values = self.pixels.values
        rows = np.arange(height)[::-1] * values.shape[0] // height
        columns = np.arange(width) * values.shape[1] // width
        plane = values[rows[:, None], columns, min(self.index, values.shape[2] - 1)].clip(0.0, 1.0)
        if self.to_linear:
            plane = np.where(plane <= 0.04045, plane / 12.92, ((plane + 0.055) / 1.055) ** 2.4)
        return (plane * np.float32(255) + np.float32(0.5)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Composite:
    """A texture whose channels come from several pictures; None is white."""

    channels: Sequence[Channel | None]

    def png(self) -> bytes:
        given = [channel.pixels.values.shape for channel in self.channels if channel is not None]
        height, width = max(shape[0] for shape in given), max(shape[1] for shape in given)
        planes = [
            np.full((height, width), 255, np.uint8) if channel is None else channel.plane(height, width)
            for channel in self.channels
        ]
        return png.encode([np.stack(planes, axis=-1)], height, width)


@dataclass(frozen=True, eq=False)
class TextureSource:
    image: Path | bytes | Pixels | Composite
    """A PNG or JPEG file, or what becomes one."""
    wrap_u: str = "REPEAT"
    """As Blender names its extensions: REPEAT, EXTEND, MIRROR."""
    wrap_v: str = "REPEAT"
    uv_layer: str = ""
    """Empty: the one that renders."""
    matrix: Matrix = UNMOVED

    def encoded(self) -> bytes:
        """The texture's file. Raises OSError where it cannot be read."""
        if isinstance(self.image, Path):
            return self.image.read_bytes()
        return self.image if isinstance(self.image, bytes) else self.image.png()


@dataclass(frozen=True)
class MaterialSource:
    """Metallic-roughness material of glTF 2.0; colours are linear."""

    name: str = "material"
    base_color: tuple[float, ...] = (0.8, 0.8, 0.8, 1.0)
    metallic: float = 0.0
    roughness: float = 0.5
    emissive: tuple[float, ...] = (0.0, 0.0, 0.0)
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = True
    base_color_texture: TextureSource | None = None
    metallic_roughness_texture: TextureSource | None = None
    """Roughness in green, metalness in blue."""
    normal_texture: TextureSource | None = None
    normal_scale: float = 1.0
    emissive_texture: TextureSource | None = None
    color_layer: str = ""
    """The colour attribute that the base colour is multiplied with; empty: none."""

    @property
    def textures(self) -> tuple[TextureSource, ...]:
        given = (self.base_color_texture, self.metallic_roughness_texture, self.normal_texture, self.emissive_texture)
        return tuple(texture for texture in given if texture is not None)

    @property
    def second_uv(self) -> str:
        """The one UV layer besides that which renders that textures can lie on; empty: none is needed."""
        return next((texture.uv_layer for texture in self.textures if texture.uv_layer), "")
