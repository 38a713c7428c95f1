"""A decoded mesh in the place of an object's own; the object stays: name, transform, parent, modifiers, constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import bpy

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .glb import ObjectArrays
from .write_mesh import fill

DECODED: Final = "omagen_decoded"
"""Custom property of meshes that a result brought, which may be thrown away; all others are the user's."""


def is_replaceable(obj: bpy.types.Object | None) -> bool:
    """Whether the object's mesh can be replaced at all, now or once the user has left an editing mode."""
    return obj is not None and obj.type == "MESH" and obj.is_editable and obj.data.is_editable


def require_object_mode(obj: bpy.types.Object) -> None:
    """Raise `OmagenError` (input) where replacing the mesh would take it away under the user's hands."""
    if obj.mode in {"EDIT", "SCULPT"}:
        mode = "Edit Mode" if obj.mode == "EDIT" else "Sculpt Mode"
        raise OmagenError(
            ErrorCode.INPUT,
            f"{obj.name!r} is in {mode}, where its mesh cannot be replaced.",
            f"Leave {mode}, then decode again; a finished result can also be imported from the job list.",
        )


def replace_mesh(obj: bpy.types.Object, arrays: ObjectArrays, material: bpy.types.Material) -> bpy.types.Mesh | None:
    """Give `obj` a mesh of `arrays`; returns the user's own mesh if that is what was replaced.

    A mesh from an earlier decoding is removed; its materials, which the user may have exchanged, are taken over.
    Raises `OmagenError` (input) in modes in which the mesh is in use.
    """
    kept = list(obj.data.materials) if obj.data.get(DECODED) else [material]
    return exchange_mesh(obj, arrays, kept)


def exchange_mesh(
    obj: bpy.types.Object, arrays: ObjectArrays, materials: Sequence[bpy.types.Material | None]
) -> bpy.types.Mesh | None:
    """Give `obj` a mesh of `arrays` that wears `materials`; returns the user's own mesh if that is what was replaced.

    A mesh that an earlier result brought is removed. Raises `OmagenError` (input) where the mesh is in use.
    """
    require_object_mode(obj)
    old = obj.data
    own = not old.get(DECODED)
    mesh = bpy.data.meshes.new(old.name)
    try:
        for material in materials:
            mesh.materials.append(material)
        fill(mesh, arrays)
    except BaseException:
        bpy.data.meshes.remove(mesh)
        raise
    mesh[DECODED] = True
    obj.data = mesh
    for slot in obj.material_slots:
        slot.link = "DATA"
    if own:
        return old
    if not old.users:
        name = old.name
        bpy.data.meshes.remove(old)
        mesh.name = name
    return None
