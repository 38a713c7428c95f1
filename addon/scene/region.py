"""Which part of a mesh may change: from the selection, a vertex group, the sculpting mask or what is hidden."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from ...backend.omagen.protocol import ErrorCode, OmagenError

WHOLE, SELECTED, GROUP, MASK, VISIBLE = "WHOLE", "SELECTED", "GROUP", "MASK", "VISIBLE"
ITEMS: Final = [
    (WHOLE, "Everything", "The whole mesh"),
    (SELECTED, "Selection", "What is selected in Edit Mode"),
    (GROUP, "Vertex Group", "The active vertex group, by its weights"),
    (MASK, "Not Masked", "What the sculpting mask leaves free"),
    (VISIBLE, "Visible", "What is not hidden, e.g. one face set"),
]


def weights(obj: bpy.types.Object, region: str) -> np.ndarray | None:
    """(V,) float32, 0 to 1: how much each vertex of a mesh object takes part; None = everything does.

    Raises `OmagenError` (input) where the region is empty.
    """
    if region == WHOLE:
        return None
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    found = {SELECTED: _selected, GROUP: _group, MASK: _mask, VISIBLE: _visible}[region](obj)
    if not (found > 0).any():
        title = next(title for id, title, _ in ITEMS if id == region)
        raise OmagenError(
            ErrorCode.INPUT,
            f"No vertex of {obj.name!r} belongs to the region ({title}).",
            "Select or paint something, or choose another region.",
        )
    return found


def _selected(obj: bpy.types.Object) -> np.ndarray:
    return _flags(obj.data, "select")


def _visible(obj: bpy.types.Object) -> np.ndarray:
    return np.float32(1) - _flags(obj.data, "hide")


def _mask(obj: bpy.types.Object) -> np.ndarray:
    if obj.mode == "EDIT":
        raise OmagenError(ErrorCode.INPUT, "The sculpting mask cannot be read in Edit Mode.", "Leave Edit Mode first.")
    mask = obj.data.attributes.get(".sculpt_mask")
    if mask is None:
        return np.ones(len(obj.data.vertices), np.float32)
    values = np.empty(len(obj.data.vertices), np.float32)
    mask.data.foreach_get("value", values)
    return np.float32(1) - values.clip(0, 1)


def _group(obj: bpy.types.Object) -> np.ndarray:
    group = obj.vertex_groups.active
    if group is None:
        raise OmagenError(ErrorCode.INPUT, f"{obj.name!r} has no vertex group.", "Add one, or choose another region.")
    values = np.zeros(len(obj.data.vertices), np.float32)
    for vertex in obj.data.vertices:  # there is no array of them to copy
        for member in vertex.groups:
            if member.group == group.index:
                values[vertex.index] = member.weight
    return values


def _flags(mesh: bpy.types.Mesh, name: str) -> np.ndarray:
    """(V,) float32, 0 or 1: whether vertices are selected or hidden. Their attributes are out of reach in Edit Mode."""
    values = np.zeros(len(mesh.vertices), bool)
    mesh.vertices.foreach_get(name, values)
    return values.astype(np.float32)
