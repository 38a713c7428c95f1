"""glTF materials -> `Material`, and where on the UVs they put their textures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from omagen.io.gltf_document import Document, broken, integer, number, numbers, typed
from omagen.io.gltf_textures import Textures
from omagen.shapes import Material, Texture


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

    def upright(self) -> np.ndarray:
        """(3, 3) float64: the same for UVs that count from the bottom."""
        flip = np.array([[1, 0, 0], [0, -1, 1], [0, 0, 1]], np.float64)
        return flip @ np.vstack([np.reshape(self.matrix, (2, 3)), [0, 0, 1]]) @ flip


@dataclass(frozen=True)
class Surface:
    """A material, and what its mesh's first and second UVs are made from."""

    material: Material
    placements: tuple[Placement, ...] = (Placement(),)


DEFAULT: Final = Surface(Material(name="default"))
"""Of primitives that name none. glTF's own default is a rough metal, which no author of such a file has meant."""


class Surfaces:
    """The materials of one document."""

    def __init__(self, document: Document, warn: Callable[[str], None]) -> None:
        self._document, self._warn = document, warn
        self._textures = Textures(document, warn)

    def read(self, index: int) -> Surface:
        """The material `index`. The mesh's first UVs are those of its first texture, as placed there."""
        entry = self._document.entry("materials", index)
        name = str(entry.get("name") or f"material {index}")[:60]
        surface = typed(entry.get("pbrMetallicRoughness", {}), dict, "pbrMetallicRoughness")
        extensions = typed(entry.get("extensions", {}), dict, "extensions")
        if "KHR_materials_pbrSpecularGlossiness" in extensions and not surface:
            surface = _from_specular_glossiness(extensions["KHR_materials_pbrSpecularGlossiness"])
            self._warn(f'Only the colour and the gloss of the material "{name}" are kept, not its specular colour.')
        placements: list[Placement] = []

        def texture(owner: dict[str, Any], key: str, role: str) -> Texture | None:
            found = self._textures.read(owner[key], role) if key in owner else None
            return found and self._placed(found, _placement(owner[key]), placements, name)

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
            normal_scale=_weight(entry, "normalTexture", "scale"),
            occlusion_texture=texture(entry, "occlusionTexture", "occlusion"),
            occlusion_strength=min(max(_weight(entry, "occlusionTexture", "strength"), 0.0), 1.0),
            emissive_texture=texture(entry, "emissiveTexture", "emission"),
        )
        return Surface(material, tuple(placements) or (Placement(),))

    def _placed(self, texture: Texture, placement: Placement, placements: list[Placement], name: str) -> Texture:
        """`texture` on the UVs that are made from one of the `placements`, to which its own may be added."""
        if placement in placements[:1] or not placements:
            placements[:] = placements or [placement]
            return texture
        first = placements[0].upright()
        if placement.channel == placements[0].channel and abs(np.linalg.det(first)) > 1e-12:
            return _moved(texture, placement.upright() @ np.linalg.inv(first), 0)
        if len(placements) == 1:  # the second UVs are not placed themselves, so that more textures may lie on them
            placements.append(Placement(placement.channel))
        if placement.channel == placements[1].channel:
            return _moved(texture, placement.upright(), 1)
        self._warn(f'The textures of "{name}" use more than two UVs; some are put on those of the first.')
        return texture


def _moved(texture: Texture, matrix: np.ndarray, uv_set: Literal[0, 1]) -> Texture:
    a, b, c, d, e, f = (float(value) for value in matrix[:2].reshape(-1))
    return replace(texture, uv_set=uv_set, transform=(a, b, c, d, e, f))


def _weight(entry: dict[str, Any], key: str, field: str) -> float:
    return number(typed(entry.get(key, {}), dict, key).get(field, 1), f"the {field} of {key}")


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
