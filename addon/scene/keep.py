"""A result laid over the user's own mesh: vertices move, textures change, all else of the object stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .glb import ObjectArrays
from .materials import MaterialWriter
from .surface import Surface, Texture

BASE_COLOR, NORMAL = "base_color_texture", "normal_texture"
TEXTURES: Final = frozenset({BASE_COLOR, NORMAL})
"""What can be exchanged in a material without looking at the rest of it"""


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


@dataclass(frozen=True)
class Heights:
    """A picture of heights, grey 0.5 in the middle."""

    png: bytes
    scale: float
    """Metres between black and white"""


def retexture(
    obj: bpy.types.Object, surfaces: Iterable[Surface], changed: Collection[str], heights: Heights | None = None
) -> list[bpy.types.Material]:
    """Put the maps of `surfaces` that have `changed` into copies of the object's materials of the same names.

    The rest of each material stays, and so do other objects that wear it. Slots without a material, an object without
    slots, and materials in which more than base colour and normals have changed get new ones. `changed`: fields of
    `Surface`; `heights` become displacement. Returns the new materials.
    """
    by_name = {surface.name: surface for surface in surfaces}
    made: list[bpy.types.ID] = []
    fresh: dict[str, bpy.types.Material] = {}
    renewal = _Renewal(made, changed, heights)
    try:
        if not obj.material_slots:
            obj.data.materials.append(None)
        for slot in obj.material_slots:
            worn = slot.material
            surface = by_name.get(worn.name) if worn else next(iter(by_name.values()), None)
            if surface is None:
                continue
            key = worn.name if worn else ""
            if key not in fresh:
                fresh[key] = renewal.of(worn, surface)
            slot.material = fresh[key]
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    return list(fresh.values())


class _Renewal:
    """Makes the new materials of one object; whatever it makes is appended to `made`."""

    def __init__(self, made: list[bpy.types.ID], changed: Collection[str], heights: Heights | None) -> None:
        self._made, self._changed, self._heights = made, set(changed), heights
        self._writer = MaterialWriter(made, has_colors=False)

    def of(self, worn: bpy.types.Material | None, surface: Surface) -> bpy.types.Material:
        tree = worn.node_tree if worn else None
        shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None) if tree else None
        if worn is None or shader is None or self._changed - TEXTURES:
            material = self._writer.write(surface)
            for node in material.node_tree.nodes:
                if node.type == "NORMAL_MAP":
                    node.uv_map = ""  # the mesh's own layer, whatever it is called
        else:
            material = worn.copy()
            self._made.append(material)
            self._put(material.node_tree, material.node_tree.nodes[shader.name], surface)
        if self._heights is not None:
            self._displace(material, self._heights)
        return material

    def _put(self, tree: bpy.types.NodeTree, shader: bpy.types.Node, surface: Surface) -> None:
        if BASE_COLOR in self._changed and surface.base_color_texture is not None:
            node = self._texture(tree, surface.base_color_texture, shader, -560, is_color=True)
            tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        if NORMAL in self._changed and surface.normal_texture is not None:
            node = self._texture(tree, surface.normal_texture, shader, -840, is_color=False)
            bend = tree.nodes.new("ShaderNodeNormalMap")
            bend.location = (shader.location.x - 280, shader.location.y - 560)
            tree.links.new(node.outputs["Color"], bend.inputs["Color"])
            tree.links.new(bend.outputs["Normal"], shader.inputs["Normal"])

    def _texture(
        self, tree: bpy.types.NodeTree, texture: Texture, shader: bpy.types.Node, across: int, is_color: bool
    ) -> Any:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = self._writer.image(texture, is_color)
        node.label = texture.name
        node.location = (shader.location.x + across, shader.location.y)
        return node

    def _displace(self, material: bpy.types.Material, heights: Heights) -> None:
        tree = material.node_tree
        output = tree.get_output_node("ALL") or tree.nodes.new("ShaderNodeOutputMaterial")
        image = bpy.data.images.new("displacement", 1, 1, is_data=True)
        self._made.append(image)
        image.source = "FILE"
        image.pack(data=heights.png, data_len=len(heights.png))
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        node.location = (output.location.x - 560, output.location.y - 560)
        lift = tree.nodes.new("ShaderNodeDisplacement")
        lift.inputs["Midlevel"].default_value, lift.inputs["Scale"].default_value = 0.5, heights.scale
        lift.location = (output.location.x - 280, output.location.y - 560)
        tree.links.new(node.outputs["Color"], lift.inputs["Height"])
        tree.links.new(lift.outputs["Displacement"], output.inputs["Displacement"])
        material.displacement_method = "DISPLACEMENT"
