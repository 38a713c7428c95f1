"""`Material` -> glTF's materials, textures, samplers and images, each written once however often it is used."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from omagen.io.images import encode_png
from omagen.shapes import Material, Texture
from omagen.shapes.material import UNMOVED, Wrap

WRAP_CODES: Final[dict[Wrap, int]] = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
LINEAR, LINEAR_MIPMAP_LINEAR = 9729, 9987


class MaterialTable:
    """Collects materials for one file. `add_view` stores bytes in the file's buffer and returns their view's index."""

    def __init__(self, add_view: Callable[[bytes], int]) -> None:
        self._add_view = add_view
        self._materials: list[dict[str, Any]] = []
        self._textures: list[dict[str, int]] = []
        self._samplers: list[dict[str, int]] = []
        self._images: list[dict[str, Any]] = []
        self._image_of: dict[int, int] = {}

    def add(self, material: Material) -> int:
        """The index of `material` in the file."""
        surface: dict[str, Any] = {
            "baseColorFactor": list(material.base_color),
            "metallicFactor": material.metallic,
            "roughnessFactor": material.roughness,
        }
        entry: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
        for target, key, texture, role in (
            (surface, "baseColorTexture", material.base_color_texture, "base color"),
            (surface, "metallicRoughnessTexture", material.metallic_roughness_texture, "metallic roughness"),
            (entry, "normalTexture", material.normal_texture, "normal"),
            (entry, "occlusionTexture", material.occlusion_texture, "occlusion"),
            (entry, "emissiveTexture", material.emissive_texture, "emission"),
        ):
            if texture is not None:
                target[key] = {"index": self._texture(texture, f"{material.name} {role}")} | _placement(texture)
        if material.normal_texture and material.normal_scale != 1:
            entry["normalTexture"]["scale"] = material.normal_scale
        if material.occlusion_texture and material.occlusion_strength != 1:
            entry["occlusionTexture"]["strength"] = material.occlusion_strength
        strength = max(1.0, *material.emissive)
        entry["emissiveFactor"] = [value / strength for value in material.emissive]
        if strength > 1:
            entry["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": strength}}
        if material.alpha_mode != "OPAQUE":
            entry["alphaMode"] = material.alpha_mode
        if material.alpha_mode == "MASK":
            entry["alphaCutoff"] = material.alpha_cutoff
        if material.double_sided:
            entry["doubleSided"] = True
        self._materials.append(entry)
        return len(self._materials) - 1

    def to_json(self) -> dict[str, Any]:
        """The top-level properties of the glTF document; empty ones are left out, as glTF demands."""
        tables: dict[str, Any] = {
            "materials": self._materials,
            "textures": self._textures,
            "samplers": self._samplers,
            "images": self._images,
        }
        tables["extensionsUsed"] = sorted(_extensions(self._materials))
        return {key: table for key, table in tables.items() if table}

    def _texture(self, texture: Texture, name: str) -> int:
        sampler = {
            "magFilter": LINEAR,
            "minFilter": LINEAR_MIPMAP_LINEAR,
            "wrapS": WRAP_CODES[texture.wrap_u],
            "wrapT": WRAP_CODES[texture.wrap_v],
        }
        entry = {"sampler": _index(self._samplers, sampler), "source": self._image(texture, name)}
        return _index(self._textures, entry)

    def _image(self, texture: Texture, name: str) -> int:
        key = id(texture.pixels)
        if key not in self._image_of:
            view = self._add_view(encode_png(texture.pixels))
            self._images.append({"name": name, "mimeType": "image/png", "bufferView": view})
            self._image_of[key] = len(self._images) - 1
        return self._image_of[key]


def _placement(texture: Texture) -> dict[str, Any]:
    """Which UVs a textureInfo object names, and how KHR_texture_transform moves them; a shear is left out."""
    info: dict[str, Any] = {"texCoord": texture.uv_set} if texture.uv_set else {}
    if texture.transform != UNMOVED:
        a, b, c, d, e, f = texture.transform
        b, c, d, f = -b, b + c, -d, 1 - e - f  # counted from the top
        angle = math.atan2(-d, a) if a or d else math.atan2(b, e)
        width, height = a * math.cos(angle) - d * math.sin(angle), b * math.sin(angle) + e * math.cos(angle)
        moved = {"offset": [c, f], "rotation": angle, "scale": [width, height]}
        info["extensions"] = {"KHR_texture_transform": moved}
    return info


def _extensions(tree: Any) -> set[str]:
    """The names of the extensions that occur in a tree of dicts and lists."""
    if isinstance(tree, list):
        return set().union(*(_extensions(item) for item in tree))
    if not isinstance(tree, dict):
        return set()
    return set(tree.get("extensions", ())).union(*(_extensions(item) for item in tree.values()))


def _index(table: list[dict[str, int]], entry: dict[str, int]) -> int:
    """The place of `entry` in `table`, where it is added unless it is there."""
    if entry not in table:
        table.append(entry)
    return table.index(entry)
