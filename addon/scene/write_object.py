"""Puts a result into the scene: an object with mesh, normals, UVs, colours and materials, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import bpy
import numpy as np

from .glb import ObjectArrays
from .materials import COLOR_LAYER, UV_LAYER, MaterialWriter

PROVENANCE: Final = "omagen"
"""Custom property that says, as JSON, how the object was made."""
FREE_NORMALS: Final = bpy.app.version >= (4, 5, 0)
"""From 4.5 on Blender takes normals as a plain attribute; before, it must encode them, which takes a second or two."""

SAME_DIRECTION: Final = 0.99996
"""Cosine of half a degree."""


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
        _fill(mesh, arrays, _scale(arrays.positions, size))
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


def _fill(mesh: bpy.types.Mesh, arrays: ObjectArrays, scale: float) -> None:
    """Hand the arrays over, edges included: `read_object` has made sure that nothing is left for `validate` to mend."""
    triangles = arrays.triangles
    mesh.vertices.add(len(arrays.positions))
    mesh.edges.add(len(arrays.edges))
    mesh.loops.add(3 * triangles)
    mesh.polygons.add(triangles)
    positions = arrays.positions if scale == 1.0 else arrays.positions * np.float32(scale)
    # Through attributes, which copy whole arrays; the properties of the same name convert element by element.
    mesh.attributes["position"].data.foreach_set("vector", positions.reshape(-1))
    mesh.attributes[".edge_verts"].data.foreach_set("value", arrays.edges.reshape(-1))
    mesh.attributes[".corner_vert"].data.foreach_set("value", arrays.corner_vertex)
    mesh.attributes[".corner_edge"].data.foreach_set("value", arrays.corner_edge)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * triangles, 3, dtype=np.int32))
    if arrays.uv is not None:
        mesh.uv_layers.new(name=UV_LAYER).uv.foreach_set("vector", arrays.uv.reshape(-1))
    if arrays.material_index is not None:
        mesh.attributes.new("material_index", "INT", "FACE").data.foreach_set("value", arrays.material_index)
    if arrays.colors is not None:
        layer = mesh.color_attributes.new(COLOR_LAYER, "FLOAT_COLOR", "POINT")
        layer.data.foreach_set("color", arrays.colors.reshape(-1))
    mesh.update()
    _set_normals(mesh, arrays)


def _set_normals(mesh: bpy.types.Mesh, arrays: ObjectArrays) -> None:
    domain = "CORNER" if arrays.vertex_normals is None else "POINT"
    normals = arrays.corner_normals if arrays.vertex_normals is None else arrays.vertex_normals
    if normals is None:
        mesh.shade_flat()  # what glTF prescribes for a mesh without normals
    elif FREE_NORMALS:
        mesh.attributes.new("custom_normal", "FLOAT_VECTOR", domain).data.foreach_set("vector", normals.reshape(-1))
    elif domain == "POINT":
        if not _are_own_normals(mesh, normals):
            mesh.normals_split_custom_set_from_vertices(normals)
    else:
        mesh.normals_split_custom_set(normals)


def _are_own_normals(mesh: bpy.types.Mesh, normals: np.ndarray) -> bool:
    """True where smooth shading alone gives these normals as far as an eye can tell."""
    own = np.empty_like(normals)
    mesh.vertex_normals.foreach_get("vector", own.reshape(-1))
    return bool(np.einsum("ij,ij->i", own, normals).min() > SAME_DIRECTION)


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
