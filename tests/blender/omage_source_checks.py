"""Runs inside Blender: what of objects, modifiers and materials reaches an omage; one function per behaviour.

Usage: omage_source_checks.py -- FOLDER, which holds omagen.zip. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from omage_scene import counts, decode, encode, failure, monkey, paint, part, pixels, run_checks, runtime, scene_state


def check_modifiers_count_once():
    obj = monkey()
    obj.modifiers.new("Mirror", "MIRROR").use_axis = (True, False, False)
    obj.modifiers.new("Array", "ARRAY").count = 2
    bpy.context.view_layer.update()
    width = obj.dimensions.x
    encode(apply_modifiers=True)
    decode()
    bpy.context.view_layer.update()
    assert abs(obj.dimensions.x - width) < 0.05 * width
    assert len(obj.modifiers) == 2 and not any(m.show_viewport for m in obj.modifiers)
    assert any("turned off" in text for text in runtime().tasks[-1].warnings)
    bpy.ops.omagen.omage_restore()
    assert all(m.show_viewport for m in obj.modifiers)
    encode(apply_modifiers=False)
    decode()
    bpy.context.view_layer.update()
    assert all(m.show_viewport for m in obj.modifiers)
    assert abs(obj.dimensions.x - width) < 0.05 * width


def check_several_objects_become_one_omage_or_many():
    first = monkey()
    bpy.ops.mesh.primitive_torus_add(location=(5, 0, 0))
    second = bpy.context.object
    second.scale = (-1, 1, 1)
    bpy.context.view_layer.update()
    for obj in (first, second):
        obj.select_set(True)
    encode(together="EACH")
    assert first.omage.geometry and second.omage.geometry and first.omage.geometry != second.omage.geometry
    one = encode(together="JOINED", parameters="resolution=256")
    assert not part("omages").objects_of(one)
    low, high = bounds(first, second)
    made = decode(omage=one.name)
    assert made not in (first, second)
    bpy.context.view_layer.update()
    for ours, theirs in zip(bounds(made), (low, high), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.08)
    edges = np.empty(len(made.data.loops), np.int32)
    made.data.loops.foreach_get("edge_index", edges)
    assert np.bincount(edges).max() == 2


def bounds(*objects):
    """Of the evaluated objects in the world."""
    world = [np.array([obj.matrix_world @ vertex.co for vertex in obj.data.vertices]) for obj in objects]
    corners = np.concatenate(world)
    return corners.min(axis=0), corners.max(axis=0)


def check_curves_and_texts_are_encoded_and_decode_to_new_objects():
    bpy.ops.object.text_add()
    text = bpy.context.object
    text.data.extrude = 0.2
    encode()
    made = decode()
    assert made != text and text.type == "FONT" and made.type == "MESH"
    assert made.omage.geometry == text.omage.geometry


def check_edit_mode_is_left_alone_and_its_changes_count():
    bpy.ops.mesh.primitive_cube_add(size=2)
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.transform.resize(value=(1, 1, 3))
    for applied in (True, False):
        geometry = encode(apply_modifiers=applied)
        assert cube.mode == "EDIT"
        height = json.loads(geometry.omage.header)["scale"] * 1.9999
        assert abs(height - 6) < 0.01, height
    assert "Edit Mode" in failure(bpy.ops.omagen.omage_decode)
    assert cube.mode == "EDIT" and len(cube.data.polygons) == 6


def check_objects_without_faces_are_refused():
    mesh = bpy.data.meshes.new("wire")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0)], [(0, 1)], [])
    obj = bpy.data.objects.new("wire", mesh)
    bpy.context.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    before = counts()
    assert "has no faces" in failure(bpy.ops.omagen.omage_encode)
    assert counts() == before and scene_state()[0] == ["wire"]
    obj.select_set(False)
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.omagen.omage_encode.poll()


def check_broken_positions_are_left_out_or_refused():
    obj = monkey()
    obj.data.vertices[5].co = (float("nan"),) * 3
    encode()
    assert any("no valid position" in text for text in runtime().tasks[-1].warnings)
    assert np.isfinite(pixels(obj.omage.geometry)).all()
    obj.data.vertices[5].co = (1e20, 0, 0)
    assert "farther" in failure(bpy.ops.omagen.omage_encode)
    for vertex in obj.data.vertices:
        vertex.co = (float("nan"), 0, 0)
    assert "without a valid position" in failure(bpy.ops.omagen.omage_encode)
    for vertex in obj.data.vertices:
        vertex.co = (1, 2, 3)
    assert "in one place" in failure(bpy.ops.omagen.omage_encode)


def check_an_armature_goes_on_moving_the_decoded_mesh():
    obj = monkey()
    obj.matrix_world = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    obj.vertex_groups.new(name="Bone").add(range(len(obj.data.vertices)), 1.0, "REPLACE")
    obj.modifiers.new("Rig", "ARMATURE").object = armature
    armature.select_set(False)
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    encode(apply_modifiers=False)
    before = scene_state()
    decode(parameters="parts=groups")
    assert scene_state() == before
    assert [group.name for group in obj.vertex_groups][:2] == ["Bone", "Patch 001"]
    bone = armature.pose.bones[0]
    bone.location = (0, 3, 0)
    bpy.context.view_layer.update()
    posed = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert min(vertex.co.z for vertex in posed.data.vertices) > 1.9
    decode()
    assert [group.name for group in obj.vertex_groups] == ["Bone"]


def check_what_cannot_be_encoded_is_told():
    obj = monkey()
    tree = obj.active_material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    noise = tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(noise.outputs["Color"], shader.inputs["Roughness"])
    encode()
    (warning,) = [text for text in runtime().tasks[-1].warnings if "Noise" in text]
    assert "paint" in warning and "Roughness" in warning


def plane_with_a_picture(link):
    """A plane from -1 to 1, UVs from 0 to 1; `link(tree, shader, texture)` wires a picture, red left and blue right."""
    bpy.ops.mesh.primitive_plane_add(size=2)
    obj = bpy.context.object
    picture = bpy.data.images.new("halves", 8, 8, alpha=True)
    values = np.zeros((8, 8, 4), np.float32)
    values[:, :4, 0] = values[:, 4:, 2] = 1
    values[:4, :, 3] = 1
    values[4:, :, 3] = 0.25
    paint(picture, values)
    picture.pack()
    material = bpy.data.materials.new("halves")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = picture
    link(tree, next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), texture)
    obj.data.materials.append(material)
    return obj


def colour_at(geometry, x, y, name="albedo"):
    """What a map holds where the object's own x and y are, from -1 to 1."""
    maps = part("omages").maps_of(geometry)
    where = pixels(geometry)
    distance = np.hypot(where[..., 0] * 2 - 1 - x, where[..., 1] * 2 - 1 - y)
    distance[where[..., 3] < 0.5] = 9
    return pixels(maps[name])[np.unravel_index(distance.argmin(), distance.shape)]


def check_textures_reach_the_omage():
    plane_with_a_picture(lambda tree, shader, t: tree.links.new(t.outputs["Color"], shader.inputs["Base Color"]))
    geometry = encode()
    assert not runtime().tasks[-1].warnings, runtime().tasks[-1].warnings
    np.testing.assert_allclose(colour_at(geometry, -0.5, 0)[:3], (1, 0, 0), atol=0.02)
    np.testing.assert_allclose(colour_at(geometry, 0.5, 0)[:3], (0, 0, 1), atol=0.02)


def check_factors_mappings_channels_and_transparency_reach_the_omage():
    def link(tree, shader, texture):
        mapping, mix = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeMix")
        coordinates, separate = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeSeparateColor")
        mapping.inputs["Location"].default_value = (0.5, 0, 0)
        tree.links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
        mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
        mix.inputs["Factor"].default_value = 1
        tree.links.new(texture.outputs["Color"], next(s for s in mix.inputs if s.identifier == "A_Color"))
        next(s for s in mix.inputs if s.identifier == "B_Color").default_value = (0.5, 0.5, 0.5, 1)
        result = next(s for s in mix.outputs if s.identifier == "Result_Color")
        tree.links.new(result, shader.inputs["Base Color"])
        tree.links.new(texture.outputs["Color"], separate.inputs["Color"])
        tree.links.new(separate.outputs["Red"], shader.inputs["Roughness"])
        tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])

    plane_with_a_picture(link)
    geometry = encode()
    assert not runtime().tasks[-1].warnings, runtime().tasks[-1].warnings
    half = 0.735  # 0.5 as sRGB
    np.testing.assert_allclose(colour_at(geometry, 0.5, 0.5), (half, 0, 0, 0.25), atol=0.02)
    np.testing.assert_allclose(colour_at(geometry, -0.5, -0.5), (0, 0, half, 1), atol=0.02)
    assert abs(colour_at(geometry, 0.5, 0, "roughness")[0] - 1) < 0.02
    assert abs(colour_at(geometry, -0.5, 0, "roughness")[0]) < 0.02
    assert part("omages").header_of(geometry).alpha_mode == "BLEND"


def check_shaders_inside_groups_are_found():
    def link(tree, shader, texture):
        inside = bpy.data.node_groups.new("look", "ShaderNodeTree")
        inside.interface.new_socket("Paint", in_out="INPUT", socket_type="NodeSocketColor")
        inside.interface.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
        given, end = inside.nodes.new("NodeGroupInput"), inside.nodes.new("NodeGroupOutput")
        inner = inside.nodes.new("ShaderNodeBsdfPrincipled")
        inner.inputs["Metallic"].default_value = 0.5
        inside.links.new(given.outputs["Paint"], inner.inputs["Base Color"])
        inside.links.new(inner.outputs["BSDF"], end.inputs["Surface"])
        group = tree.nodes.new("ShaderNodeGroup")
        group.node_tree = inside
        tree.links.new(texture.outputs["Color"], group.inputs["Paint"])
        output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
        tree.links.new(group.outputs["Surface"], output.inputs["Surface"])
        tree.nodes.remove(shader)

    plane_with_a_picture(link)
    geometry = encode()
    np.testing.assert_allclose(colour_at(geometry, -0.5, 0)[:3], (1, 0, 0), atol=0.02)
    assert abs(colour_at(geometry, 0, 0, "metalness")[0] - 0.5) < 0.02


def check_colour_attributes_reach_the_omage():
    obj = monkey()
    layer = obj.data.color_attributes.new("Paint", "FLOAT_COLOR", "CORNER")
    layer.data.foreach_set("color", np.tile(np.array((0, 1, 0, 1), np.float32), len(obj.data.loops)))
    tree = obj.active_material.node_tree
    node = tree.nodes.new("ShaderNodeVertexColor")
    node.layer_name = "Paint"
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    geometry = encode()
    green = pixels(part("omages").maps_of(geometry)["albedo"])[pixels(geometry)[..., 3] > 0.5]
    np.testing.assert_allclose(np.median(green, axis=0)[:3], (0, 1, 0), atol=0.02)


run_checks(dict(globals()))
