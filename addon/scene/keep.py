"""A result laid over the user's own mesh: vertices move, textures change, all else of the object stays as it is."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .glb import ObjectArrays
from .materials import MaterialWriter
from .surface import Surface

BASE_COLOR = "Base Color"


def require_same_vertices(mesh: bpy.types.Mesh, arrays: ObjectArrays, sent: int) -> None:
    """Raise `OmagenError` (input) where the mesh is no longer the one with `sent` vertices that the result is about."""
    if arrays.numbers is None or int(arrays.numbers.max()) >= sent or len(mesh.vertices) != sent:
        raise OmagenError(
            ErrorCode.INPUT,
            f"The mesh {mesh.name!r} has been changed meanwhile, so the result no longer fits it.",
            "Run it again, or import the finished result from the job list.",
        )


def move_vertices(mesh: bpy.types.Mesh, arrays: ObjectArrays) -> int:
    """Give the vertices of `mesh` the positions of a result, and its shape keys the same changes; how many moved."""
    before = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", before.reshape(-1))
    after = before.copy()
    after[arrays.numbers] = arrays.positions
    moved = (after != before).any(axis=1)
    if not moved.any():
        return 0
    if mesh.shape_keys is not None:
        _move_keys(mesh.shape_keys, before, after, moved)
    mesh.attributes["position"].data.foreach_set("vector", after.reshape(-1))
    if mesh.has_custom_normals:  # they belong to the surface that was there before
        mesh.attributes.remove(mesh.attributes["custom_normal"])
    mesh.update()
    return int(moved.sum())


def _move_keys(keys: bpy.types.Key, before: np.ndarray, after: np.ndarray, moved: np.ndarray) -> None:
    for block in keys.key_blocks:
        points = np.empty_like(before)
        block.data.foreach_get("co", points.reshape(-1))
        basis = block == keys.reference_key
        points[moved] = after[moved] if basis else points[moved] + (after - before)[moved]
        block.data.foreach_set("co", points.reshape(-1))


def retexture(obj: bpy.types.Object, surfaces: Iterable[Surface]) -> list[bpy.types.Material]:
    """Put the base colour textures of `surfaces` into copies of the object's materials of the same names.

    The rest of each material stays, and so do other objects that wear it. Slots without a material, and an object
    without slots, get new ones. Returns the new materials.
    """
    by_name = {surface.name: surface for surface in surfaces}
    made: list[bpy.types.ID] = []
    writer = MaterialWriter(made, has_colors=False)
    fresh: dict[str, bpy.types.Material] = {}
    try:
        if not obj.material_slots:
            obj.data.materials.append(None)
        for slot in obj.material_slots:
            worn = slot.material
            surface = by_name.get(worn.name) if worn else next(iter(by_name.values()), None)
            if surface is None or surface.base_color_texture is None:
                continue
            key = worn.name if worn else ""
            if key not in fresh:
                fresh[key] = _textured(worn, surface, writer, made)
            slot.material = fresh[key]
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    return list(fresh.values())


def _textured(
    worn: bpy.types.Material | None, surface: Surface, writer: MaterialWriter, made: list[bpy.types.ID]
) -> bpy.types.Material:
    texture = surface.base_color_texture
    tree = worn.node_tree if worn else None
    shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None) if tree else None
    if worn is None or shader is None or texture is None:
        return writer.write(surface)
    material = worn.copy()
    made.append(material)
    tree = material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = writer.image(texture, is_color=True)
    node.label = texture.name
    node.location = (shader.location.x - 560, shader.location.y)
    tree.links.new(node.outputs["Color"], tree.nodes[shader.name].inputs[BASE_COLOR])
    return material
