"""glTF materials -> `Material`, and where on the UVs they put their textures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from omagen.io.gltf_document import Document, broken, integer, number, numbers, typed
from omagen.io.gltf_textures import Textures
from omagen.shapes import Material, Texture

DEFAULT: Final = Material(name="default")
"""Of primitives that name none. glTF's own default is a rough metal, which no author of such a file has meant."""


@dataclass(frozen=True)
class Placement:
    """Which UV set a material uses and how it moves it (KHR_texture_transform)."""

    channel: int = 0
    matrix: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    """Row-major 2 x 3, for glTF's top-down UVs."""

    def apply(self, uv: np.ndarray) -> np.ndarray:
        """`uv`: (N, 2) float32, top-down as in the file."""
        if self.matrix == Placement.matrix:
            return uv
        matrix = np.array(self.matrix, np.float32).reshape(2, 3)
        return uv @ matrix[:, :2].T + matrix[:, 2]


class Surfaces:
    """The materials of one document."""

    def __init__(self, document: Document, warn: Callable[[str], None]) -> None:
        self._document, self._warn = document, warn
        self._textures = Textures(document, warn)

    def read(self, index: int) -> tuple[Material, Placement]:
        """The material `index`; where its textures are placed differently, the base colour's placement counts."""
        entry = self._document.entry("materials", index)
        name = str(entry.get("name") or f"material {index}")[:60]
        surface = typed(entry.get("pbrMetallicRoughness", {}), dict, "pbrMetallicRoughness")
        extensions = typed(entry.get("extensions", {}), dict, "extensions")
        if "KHR_materials_pbrSpecularGlossiness" in extensions and not surface:
            surface = _from_specular_glossiness(extensions["KHR_materials_pbrSpecularGlossiness"])
            self._warn(f'Only the colour and the gloss of the material "{name}" are kept, not its specular colour.')
        placements: list[Placement] = []

        def texture(owner: dict[str, Any], key: str, role: str) -> Texture | None:
            if key not in owner:
                return None
            found = self._textures.read(owner[key], role)
            if found is not None:
                placements.append(_placement(owner[key]))
                if number(owner[key].get("scale", owner[key].get("strength", 1)), "the strength of a texture") != 1:
                    self._warn(f'The strength of the {role} texture of "{name}" is not kept.')
            return found

        base = numbers(surface.get("baseColorFactor", [1, 1, 1, 1]), 4, "baseColorFactor")
        material = Material(
            name=name,
            base_color=(base[0], base[1], base[2], base[3]),
            metallic=number(surface.get("metallicFactor", 1), "metallicFactor"),
            roughness=number(surface.get("roughnessFactor", 1), "roughnessFactor"),
            emissive=_emission(entry, extensions),
            alpha_mode=_alpha_mode(entry),
            alpha_cutoff=number(entry.get("alphaCutoff", 0.5), "alphaCutoff"),
            double_sided=entry.get("doubleSided") is True,
            base_color_texture=texture(surface, "baseColorTexture", "base colour"),
            metallic_roughness_texture=texture(surface, "metallicRoughnessTexture", "metallic-roughness"),
            normal_texture=texture(entry, "normalTexture", "normal"),
            occlusion_texture=texture(entry, "occlusionTexture", "occlusion"),
            emissive_texture=texture(entry, "emissiveTexture", "emission"),
        )
        if len(set(placements)) > 1:
            self._warn(f'The textures of "{name}" use different UVs; all are put on those of the first.')
        return material, placements[0] if placements else Placement()


def _alpha_mode(entry: dict[str, Any]) -> Literal["OPAQUE", "MASK", "BLEND"]:
    mode = entry.get("alphaMode", "OPAQUE")
    if mode not in ("OPAQUE", "MASK", "BLEND"):
        raise broken(f"alphaMode is {str(mode)[:20]!r}")
    return mode


def _emission(entry: dict[str, Any], extensions: dict[str, Any]) -> tuple[float, float, float]:
    strength = typed(extensions.get("KHR_materials_emissive_strength", {}), dict, "KHR_materials_emissive_strength")
    glow = number(strength.get("emissiveStrength", 1), "emissiveStrength")
    red, green, blue = numbers(entry.get("emissiveFactor", [0, 0, 0]), 3, "emissiveFactor")
    return red * glow, green * glow, blue * glow


def _placement(info: dict[str, Any]) -> Placement:
    extensions = typed(info.get("extensions", {}), dict, "extensions")
    moved = typed(extensions.get("KHR_texture_transform", {}), dict, "KHR_texture_transform")
    channel = integer(moved.get("texCoord", info.get("texCoord", 0)), "texCoord")
    x, y = numbers(moved.get("offset", [0, 0]), 2, "offset")
    width, height = numbers(moved.get("scale", [1, 1]), 2, "scale")
    angle = number(moved.get("rotation", 0), "rotation")
    sine, cosine = math.sin(angle), math.cos(angle)
    return Placement(channel, (cosine * width, sine * height, x, -sine * width, cosine * height, y))


def _from_specular_glossiness(extension: Any) -> dict[str, Any]:
    extension = typed(extension, dict, "KHR_materials_pbrSpecularGlossiness")
    glossiness = number(extension.get("glossinessFactor", 1), "glossinessFactor")
    surface = {"metallicFactor": 0, "roughnessFactor": min(max(1 - glossiness, 0), 1)}
    surface["baseColorFactor"] = extension.get("diffuseFactor", [1, 1, 1, 1])
    if "diffuseTexture" in extension:
        surface["baseColorTexture"] = extension["diffuseTexture"]
    return surface
