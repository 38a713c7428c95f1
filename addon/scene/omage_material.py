"""The material of an omage: its own images, so that what is painted on them shows on the object at once."""

from __future__ import annotations

from typing import Any

import bpy

from ...backend.omagen.omage_layout import Header

COLUMN = 300
ROUGH = 1.0
"""Roughness where an omage has no map of it, as for the decoder."""


def write_material(name: str, header: Header, maps: dict[str, bpy.types.Image]) -> bpy.types.Material:
    """`maps`: images by the names of `omage_files.MAPS`. All of them lie on the UVs that decoding makes."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):  # always on from 5.0, where setting it is deprecated
        material.use_nodes = True
    material.use_backface_culling = not header.double_sided
    material.surface_render_method = "BLENDED" if header.alpha_mode == "BLEND" else "DITHERED"
    tree = material.node_tree
    tree.nodes.clear()  # the names of the default nodes are translated
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location.x = COLUMN
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    shader.inputs["Roughness"].default_value = ROUGH

    def texture(key: str, target: str) -> Any:
        if key not in maps:
            return None
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = maps[key]
        node.extension = "EXTEND"
        node.location = (-2 * COLUMN, 300 - 280 * (len(tree.nodes) - 3))
        tree.links.new(node.outputs["Color"], shader.inputs[target])
        return node

    albedo = texture("albedo", "Base Color")
    texture("metalness", "Metallic")
    texture("roughness", "Roughness")
    if texture("emission", "Emission Color"):
        shader.inputs["Emission Strength"].default_value = header.emission_strength
    if albedo is not None and header.alpha_mode != "OPAQUE":
        tree.links.new(_opacity(tree, albedo.outputs["Alpha"], header), shader.inputs["Alpha"])
    return material


def _opacity(tree: bpy.types.NodeTree, alpha: Any, header: Header) -> Any:
    if header.alpha_mode == "BLEND":
        return alpha
    # "not below the cutoff", in the form that glTF exporters recognise
    below, whole = (tree.nodes.new("ShaderNodeMath") for _ in range(2))
    below.operation, whole.operation = "LESS_THAN", "SUBTRACT"
    below.location, whole.location = (-COLUMN, -200), (-COLUMN / 2, -200)
    below.inputs[1].default_value = header.alpha_cutoff
    whole.inputs[0].default_value = 1.0
    tree.links.new(alpha, below.inputs[0])
    tree.links.new(below.outputs["Value"], whole.inputs[1])
    return whole.outputs["Value"]
