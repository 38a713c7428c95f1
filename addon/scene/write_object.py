"""Puts a result into the scene: an object with mesh, normals, UVs, colours and materials, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import bpy
import numpy as np

from .glb import ObjectArrays
from .materials import MaterialWriter
from .write_mesh import fill

PROVENANCE: Final = "omagen"
"""Custom property that says, as JSON, how the object was made."""


def write_object(
    context: bpy.types.Context,
    arrays: ObjectArrays,
    name: str,
    size: float | None = None,
    location: Sequence[float] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> bpy.types.Object:
    """Make an object of `arrays` in the active collection, at `location` (default: the 3D cursor).

    Its longest side becomes `size` metres (default: as it is); the mesh is scaled, the object's own scale stays 1.
    In object mode it ends up selected and active; in any other mode the user's selection and mode are left alone.
    `provenance` (plain JSON, default: what the file says) is kept in the custom property `omagen`.
    Whatever fails leaves nothing behind.
    """
    made: list[bpy.types.ID] = []
    try:
        mesh = bpy.data.meshes.new(name)
        made.append(mesh)
        writer = MaterialWriter(made, has_colors=arrays.colors is not None)
        for surface in arrays.materials:
            mesh.materials.append(writer.write(surface))
        fill(mesh, arrays, _scale(arrays.positions, size))
        obj = bpy.data.objects.new(name, mesh)
        made.append(obj)
        obj[PROVENANCE] = json.dumps(dict(arrays.provenance if provenance is None else provenance), ensure_ascii=False)
        obj.location = context.scene.cursor.location if location is None else location
        _link(context, obj)
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    return obj


def _scale(positions: np.ndarray, size: float | None) -> float:
    longest = float(np.ptp(positions, axis=0).max())
    return size / longest if size and longest > 0 else 1.0


def _link(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    layer = context.view_layer
    active = layer.active_layer_collection
    # Not where the object would not show (excluded from the view layer) or cannot be added (from a library).
    usable = not active.exclude and active.collection.is_editable
    (active.collection if usable else context.scene.collection).objects.link(obj)
    space = context.space_data
    if isinstance(space, bpy.types.SpaceView3D) and space.local_view is not None:
        obj.local_view_set(space, True)
    if context.mode == "OBJECT":
        for other in tuple(layer.objects.selected):
            other.select_set(False)
        obj.select_set(True)
        layer.objects.active = obj
