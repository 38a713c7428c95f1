"""Reads the materials of an OBJ file from the MTL files and images beside it, as far as they fit metallic-roughness."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from omagen.io.companions import find_companion
from omagen.io.decoding import decode_image
from omagen.protocol import OmagenError
from omagen.shapes import Material, Texture

MAX_BYTES: Final = 8 * 2**20
MAX_MATERIALS: Final = 1000
MAPS: Final = {
    "map_kd": ("base_color_texture", "base colour"),
    "map_ke": ("emissive_texture", "emission"),
    "norm": ("normal_texture", "normal"),
}
"""MTL keyword -> field of `Material`, name in messages. Bump maps hold heights, not normals, and are not read."""


def read_mtl(owner: Path, names: Sequence[str], warn: Callable[[str], None]) -> dict[str, Material]:
    """Name -> material, from the MTL files `names` beside `owner`. Whatever cannot be read becomes a warning."""
    materials: dict[str, Material] = {}
    images: dict[str, Texture | None] = {}
    for name in dict.fromkeys(names):
        try:
            path = find_companion(owner, name)
        except OmagenError as error:
            warn(f"Its materials are left out: {error}")
            continue
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
        current = ""
        for line in text.splitlines():
            keyword, *words = line.partition("#")[0].split() or [""]
            if keyword == "newmtl" and len(materials) < MAX_MATERIALS:
                current = " ".join(words)
                materials[current] = Material(name=current or "default", roughness=0.5)
            elif current in materials:
                materials[current] = _changed(materials[current], keyword.lower(), words, path, images, warn)
    return materials


def _changed(
    material: Material,
    keyword: str,
    words: list[str],
    path: Path,
    images: dict[str, Texture | None],
    warn: Callable[[str], None],
) -> Material:
    """`material` after one line of its description. Unknown and unreadable lines change nothing."""
    if keyword in MAPS and words:
        target, role = MAPS[keyword]
        name, options = words[-1], _options(words[:-1])
        if name not in images:
            images[name] = _texture(path, name, role, warn)
        if keyword == "map_ke" and not any(material.emissive):
            material = replace(material, emissive=(1.0, 1.0, 1.0))
        if keyword == "norm":
            material = replace(material, normal_scale=options.get("-bm", [1.0])[0])
        texture = images[name]
        return replace(material, **{target: texture and _placed(texture, options)})
    try:
        values = [float(word) for word in words]
    except ValueError:
        return material
    if not values or not np.isfinite(values).all():
        return material
    return replace(material, **_factors(material, keyword, values))


def _options(words: list[str]) -> dict[str, list[float]]:
    """The options of a map statement that hold numbers, such as `-s 2 2 1`; `-clamp on` is 1. Others are left out."""
    options: dict[str, list[float]] = {}
    name = ""
    for word in words:
        if re.match(r"-[a-z]", word):
            name = word
            continue
        try:
            value = {"on": 1.0, "off": 0.0}[word] if word in ("on", "off") else float(word)
        except ValueError:
            continue
        if math.isfinite(value):
            options.setdefault(name, []).append(value)
    return options


def _placed(texture: Texture, options: dict[str, list[float]]) -> Texture:
    """`texture` stretched by `-s` and moved by `-o`, both counted from the bottom, and clamped where `-clamp` says."""
    stretch, offset = options.get("-s", []), options.get("-o", [])
    width, height = (stretch + [1.0, 1.0][len(stretch) :])[:2]
    x, y = (offset + [0.0, 0.0][len(offset) :])[:2]
    wrap = "clamp" if options.get("-clamp", [0.0])[0] else "repeat"
    return replace(texture, wrap_u=wrap, wrap_v=wrap, transform=(width, 0.0, x, 0.0, height, y))


def _factors(material: Material, keyword: str, values: list[float]) -> dict[str, Any]:
    color = tuple(max(value, 0.0) for value in (values * 3 if len(values) < 3 else values)[:3])
    unit = min(max(values[0], 0.0), 1.0)
    opacity = {"d": unit, "tr": 1 - unit}.get(keyword)
    if keyword == "kd":
        return {"base_color": (*(min(value, 1.0) for value in color), material.base_color[3])}
    if opacity is not None:
        mode = "OPAQUE" if opacity == 1 else "BLEND"
        return {"base_color": (*material.base_color[:3], opacity), "alpha_mode": mode}
    if keyword == "ke":
        return {"emissive": color}
    if keyword == "ns":  # Blinn's exponent, as Blender maps it
        return {"roughness": 1 - min(max(values[0], 0.0), 1000.0) ** 0.5 / 1000**0.5}
    return {"pr": {"roughness": unit}, "pm": {"metallic": unit}}.get(keyword, {})


def _texture(path: Path, name: str, role: str, warn: Callable[[str], None]) -> Texture | None:
    try:
        decoded = decode_image(find_companion(path, name), f'the {role} texture "{name[:60]}"', photo=False)
    except OmagenError as error:
        warn(f"A {role} texture is left out: {error}")
        return None
    for note in decoded.warnings:
        warn(note)
    rgba = decoded.rgba
    return Texture(rgba if (rgba[..., 3] < 255).any() else np.ascontiguousarray(rgba[..., :3]))
