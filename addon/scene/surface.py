"""A material as read from a GLB file: factors, modes and textures as the PNG bytes they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
WRAPS: Final = {10497: "REPEAT", 33071: "EXTEND", 33648: "MIRROR"}
"""glTF's codes -> the names of Blender's image extensions."""
ALPHA_MODES: Final = ("OPAQUE", "MASK", "BLEND")


@dataclass(frozen=True)
class Texture:
    image: int
    """Number of the image in the file: textures with the same number share it."""
    name: str
    png: bytes
    wrap_u: str = "REPEAT"
    wrap_v: str = "REPEAT"


@dataclass(frozen=True)
class Surface:
    """Metallic-roughness material of glTF 2.0; colours are linear."""

    name: str = "material"
    base_color: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    metallic: float = 1.0
    roughness: float = 1.0
    emissive: tuple[float, ...] = (0.0, 0.0, 0.0)
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    base_color_texture: Texture | None = None
    metallic_roughness_texture: Texture | None = None
    """Roughness in green, metalness in blue."""
    normal_texture: Texture | None = None
    occlusion_texture: Texture | None = None
    """Occlusion in red."""
    emissive_texture: Texture | None = None


def read_surfaces(document: dict[str, Any], bytes_of: Callable[[int], memoryview]) -> tuple[Surface, ...]:
    """All materials of a glTF document. `bytes_of` gives the bytes of a buffer view.

    Raises ValueError, KeyError, IndexError, TypeError or AttributeError where the document is damaged.
    """
    png: dict[int, bytes] = {}

    def texture(owner: dict[str, Any], key: str) -> Texture | None:
        if key not in owner:
            return None
        entry = document["textures"][owner[key]["index"]]
        number = entry["source"]
        image = document["images"][number]
        if number not in png:
            png[number] = bytes(bytes_of(image["bufferView"]))
            if not png[number].startswith(PNG_SIGNATURE):
                raise ValueError("a texture is no PNG image")
        sampler = document["samplers"][entry["sampler"]]
        wraps = (WRAPS[sampler.get(axis, 10497)] for axis in ("wrapS", "wrapT"))
        return Texture(number, str(image.get("name", key)), png[number], *wraps)

    return tuple(_surface(entry, texture) for entry in document.get("materials", ()))


def _surface(entry: dict[str, Any], texture: Callable[[dict[str, Any], str], Texture | None]) -> Surface:
    pbr = entry.get("pbrMetallicRoughness", {})
    extension = entry.get("extensions", {}).get("KHR_materials_emissive_strength", {})
    strength = _number(extension.get("emissiveStrength", 1.0))
    mode = entry.get("alphaMode", "OPAQUE")
    if mode not in ALPHA_MODES:
        raise ValueError(f"the alpha mode {mode!r} is unknown")
    return Surface(
        name=str(entry.get("name", "material")),
        base_color=_vector(pbr.get("baseColorFactor", (1, 1, 1, 1)), 4),
        metallic=_number(pbr.get("metallicFactor", 1.0)),
        roughness=_number(pbr.get("roughnessFactor", 1.0)),
        emissive=tuple(strength * value for value in _vector(entry.get("emissiveFactor", (0, 0, 0)), 3)),
        alpha_mode=mode,
        alpha_cutoff=_number(entry.get("alphaCutoff", 0.5)),
        double_sided=bool(entry.get("doubleSided", False)),
        base_color_texture=texture(pbr, "baseColorTexture"),
        metallic_roughness_texture=texture(pbr, "metallicRoughnessTexture"),
        normal_texture=texture(entry, "normalTexture"),
        occlusion_texture=texture(entry, "occlusionTexture"),
        emissive_texture=texture(entry, "emissiveTexture"),
    )


def _vector(values: Any, length: int) -> tuple[float, ...]:
    vector = tuple(_number(value) for value in values)
    if len(vector) != length:
        raise ValueError(f"{values!r} does not have {length} numbers")
    return vector


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
