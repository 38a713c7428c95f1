"""Hands arrays over to a mesh, whole arrays at a time."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from .glb import ObjectArrays
from .materials import COLOR_LAYER, UV_LAYER

FREE_NORMALS: Final = bpy.app.version >= (4, 5, 0)
"""From 4.5 on Blender takes normals as a plain attribute; before, it must encode them, which takes a second or two."""

SAME_DIRECTION: Final = 0.99996
"""Cosine of half a degree."""


def fill(mesh: bpy.types.Mesh, arrays: ObjectArrays, scale: float = 1.0) -> None:
    """Hand the arrays to an empty mesh, edges included.

    `read_object` has made sure that nothing is left for `validate` to mend.
    """
    starts = arrays.face_start
    if starts is None:
        starts = np.arange(0, len(arrays.corner_vertex), 3, dtype=np.int32)
    mesh.vertices.add(len(arrays.positions))
    mesh.edges.add(len(arrays.edges))
    mesh.loops.add(len(arrays.corner_vertex))
    mesh.polygons.add(len(starts))
    positions = arrays.positions if scale == 1.0 else arrays.positions * np.float32(scale)
    # Through attributes, which copy whole arrays; the properties of the same name convert element by element.
    mesh.attributes["position"].data.foreach_set("vector", positions.reshape(-1))
    mesh.attributes[".edge_verts"].data.foreach_set("value", arrays.edges.reshape(-1))
    mesh.attributes[".corner_vert"].data.foreach_set("value", arrays.corner_vertex)
    mesh.attributes[".corner_edge"].data.foreach_set("value", arrays.corner_edge)
    mesh.polygons.foreach_set("loop_start", starts)
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
