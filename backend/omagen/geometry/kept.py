"""What of a mesh is still bit by bit the same, so that a result can be laid over the user's own mesh."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from omagen.shapes import Material, Mesh, Texture


def kept(before: Mesh, after: Mesh) -> dict[str, Any]:
    """`topology`: the same faces over as many vertices; `positions`, `uv`, `materials`: these too, true or false each.

    `maps`: the fields of `Material` in which any material differs, where faces wear the same materials as before.
    """
    topology = len(before.vertices) == len(after.vertices) and _same(before.faces, after.faces)
    worn = topology and len(before.materials) == len(after.materials) and _worn(before, after)
    maps = sorted({name for pair in zip(before.materials, after.materials, strict=False) for name in _changed(*pair)})
    return {
        "topology": topology,
        "positions": topology and _same(before.vertices, after.vertices),
        "uv": topology and _same(before.uv, after.uv) and _same(before.second_uv, after.second_uv),
        "materials": worn and not maps,
        "maps": maps if worn else [],
    }


def _worn(before: Mesh, after: Mesh) -> bool:
    def index(mesh: Mesh) -> np.ndarray:
        return np.zeros(len(mesh.faces), np.int32) if mesh.material_index is None else mesh.material_index

    return _same(index(before), index(after))


def _same(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or np.array_equal(first, second)


def _changed(before: Material, after: Material) -> list[str]:
    """Names of the fields that differ, but for the name."""
    pairs = ((field.name, getattr(before, field.name), getattr(after, field.name)) for field in fields(Material))
    return [name for name, old, new in pairs if name != "name" and not _equal(old, new)]


def _equal(old: Any, new: Any) -> bool:
    if not isinstance(old, Texture) or not isinstance(new, Texture):
        return old is new or (not isinstance(old, Texture) and not isinstance(new, Texture) and old == new)
    placed = ("wrap_u", "wrap_v", "uv_set", "transform")
    return all(getattr(old, name) == getattr(new, name) for name in placed) and _same(old.pixels, new.pixels)
