"""Runs inside Blender: finish, refine, texture and inspect objects of the scene; one function per behaviour.

Usage: mesh_checks.py -- FOLDER, which holds omagen.zip. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from omage_scene import FOLDER, counts, failure, monkey, paint, part, pixels, points, run_checks, runtime

LIGHT = "faces=400 texture=256"


def work(engine, parameters="", **arguments):
    """Run an engine on the selection; the object or collection that came of it."""
    outcome = bpy.ops.omagen.mesh_work("EXEC_DEFAULT", engine=engine, parameters=parameters, **arguments)
    assert outcome == {"FINISHED"}, outcome
    name = runtime().tasks[-1].made
    return bpy.data.objects.get(name) or bpy.data.collections[name]


def picture(name, color, size=64):
    image = bpy.data.images.new(name, size, size, alpha=True)
    values = np.zeros((size, size, 4), np.float32)
    values[8:-8, 8:-8] = (*color, 1)
    paint(image, values)
    return image


def rigged():
    """A monkey with UVs, two materials, an armature that has moved it, a vertex group, shape keys and a modifier."""
    obj = monkey()
    obj.data.uv_layers[0].name = "my own"
    second = bpy.data.materials.new("eyes")
    obj.data.materials.append(second)
    for face in list(obj.data.polygons)[::3]:
        face.material_index = 1
    obj.vertex_groups.new(name="bone").add(range(len(obj.data.vertices)), 0.75, "REPLACE")
    obj.shape_key_add(name="Basis")
    smile = obj.shape_key_add(name="smile")
    smile.data[0].co.z += 0.25
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(armature)
    obj.modifiers.new("rig", "ARMATURE").object = armature
    obj.modifiers.new("wall", "SOLIDIFY").thickness = 0.01
    bpy.context.view_layer.update()
    return obj


def belongings(obj):
    """All of an object and its mesh that a change of shape or colour must leave alone."""
    mesh = obj.data
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers["my own"].uv.foreach_get("vector", uv)
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    return {
        "corners": corner.tobytes(),
        "faces": [tuple(face.vertices) for face in mesh.polygons],
        "uv": uv.tobytes(),
        "slots": [face.material_index for face in mesh.polygons],
        "modifiers": [(m.name, m.type, m.show_viewport) for m in obj.modifiers],
        "groups": [(g.name, obj.vertex_groups[g.name].weight(3)) for g in obj.vertex_groups],
        "keys": [block.name for block in mesh.shape_keys.key_blocks],
        "matrix": [tuple(row) for row in obj.matrix_world],
        "parents": [m.object.name for m in obj.modifiers if m.type == "ARMATURE"],
    }


def check_finishing_makes_a_light_textured_copy_and_hides_the_original():
    obj = monkey()
    faces, before = len(obj.data.polygons), points(obj)
    made = work("finish", LIGHT, target="NEW")
    assert made != obj and made.matrix_world == obj.matrix_world
    assert obj.hide_get() and obj.hide_render and len(obj.data.polygons) == faces
    np.testing.assert_array_equal(points(obj), before)
    assert abs(len(made.data.polygons) - 400) <= 8 and len(made.data.uv_layers) == 1
    assert bpy.context.view_layer.objects.active == made and made.select_get() and not obj.select_get()
    (material,) = made.data.materials
    images = {node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"}
    assert images and all(tuple(image.size) == (256, 256) for image in images)
    np.testing.assert_allclose(points(made).max(axis=0), before.max(axis=0), atol=0.05)
    report = json.loads(made["omagen_quality"])
    assert report["triangles"] == len(made.data.polygons)
    assert made.data.validate() is False


def check_replacing_keeps_object_modifiers_and_groups_and_can_be_taken_back():
    obj = rigged()
    obj.shape_key_clear()
    mesh = obj.data
    modifiers = [(m.name, m.show_viewport) for m in obj.modifiers]
    made = work("finish", LIGHT, target="REPLACE")
    assert made == obj and obj.data != mesh and [(m.name, m.show_viewport) for m in obj.modifiers] == modifiers
    weights = [vertex.groups[0].weight for vertex in obj.data.vertices]
    assert max(abs(weight - 0.75) for weight in weights) < 1e-3
    bpy.ops.omagen.omage_restore()
    assert obj.data == mesh


def check_applied_modifiers_are_part_of_the_result_and_turned_off():
    obj = monkey()
    obj.modifiers.new("mirror", "MIRROR").use_axis = (False, False, True)
    made = work("finish", "faces=0 materials=keep unwrap=auto texture=256", target="REPLACE", apply_modifiers=True)
    assert made == obj and not obj.modifiers["mirror"].show_viewport
    assert points(obj)[:, 2].min() < -0.9  # the mirror image below


def check_a_refined_rig_keeps_everything_but_the_places_of_its_vertices():
    obj = rigged()
    before, own = points(obj), belongings(obj)
    smile = np.array([point.co[:] for point in obj.data.shape_keys.key_blocks["smile"].data]) - before
    sphere = normal_map()
    made = work("refine", "strength=1", inputs=json.dumps({"normals": sphere.name}), target="REPLACE")
    assert made == obj and belongings(obj) == own
    after = points(obj)
    assert 0 < np.linalg.norm(after - before, axis=1).max() < 0.5 and np.isfinite(after).all()
    still = np.array([point.co[:] for point in obj.data.shape_keys.key_blocks["smile"].data]) - after
    np.testing.assert_allclose(still, smile, atol=1e-5)
    assert [slot.material.name for slot in obj.material_slots] == ["paint", "eyes"]


def check_a_textured_rig_keeps_everything_but_its_base_colour():
    obj = rigged()
    before, own = points(obj), belongings(obj)
    metal = shader_of(obj.material_slots[0].material).inputs["Metallic"].default_value
    original = obj.material_slots[0].material
    inputs = json.dumps({"front": picture("front", (0.1, 0.7, 0.2)).name})
    made = work("texture", "texture=128 uv=keep", inputs=inputs, target="REPLACE")
    assert made == obj and belongings(obj) == own
    np.testing.assert_array_equal(points(obj), before)
    worn = obj.material_slots[0].material
    assert worn != original and not shader_of(original).inputs["Base Color"].is_linked
    assert shader_of(worn).inputs["Metallic"].default_value == metal
    (link,) = shader_of(worn).inputs["Base Color"].links
    assert tuple(link.from_node.image.size) == (128, 128)


def check_a_region_leaves_the_rest_bit_by_bit():
    obj = monkey()
    before = points(obj)
    obj.vertex_groups.new(name="top").add(np.flatnonzero(before[:, 2] > 0.2).tolist(), 1.0, "REPLACE")
    work("refine", inputs=json.dumps({"normals": normal_map().name}), target="REPLACE", region="GROUP")
    moved = (points(obj) != before).any(axis=1)
    assert moved.any() and (before[moved, 2] > 0.2).all()
    inputs = json.dumps({"normals": normal_map().name})
    obj.vertex_groups.clear()
    said = failure(bpy.ops.omagen.mesh_work, engine="refine", inputs=inputs, region="GROUP")
    assert "has no vertex group" in said


def check_a_selection_in_edit_mode_is_refined_and_the_mode_comes_back():
    obj = monkey()
    before = points(obj)
    bpy.context.tool_settings.mesh_select_mode = (True, False, False)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="OBJECT")
    chosen = np.flatnonzero(before[:, 0] > 0.3)
    for index in chosen:
        obj.data.vertices[index].select = True
    bpy.ops.object.mode_set(mode="EDIT")
    work("refine", inputs=json.dumps({"normals": normal_map().name}), target="REPLACE", region="SELECTED")
    assert obj.mode == "EDIT"
    bpy.ops.object.mode_set(mode="OBJECT")
    moved = np.flatnonzero((points(obj) != before).any(axis=1))
    assert len(moved) and set(moved) <= set(chosen)


def check_quads_come_as_quads():
    bpy.ops.mesh.primitive_uv_sphere_add(segments=48, ring_count=32)
    made = work("finish", "faces=600 remesh=quads texture=128", target="NEW")
    sides = [len(face.vertices) for face in made.data.polygons]
    assert sides.count(4) > 0.9 * len(sides) and set(sides) <= {3, 4}
    assert abs(len(sides) - 600) < 150, len(sides)
    assert made.data.validate() is False and len(made.data.uv_layers) == 1


def check_levels_of_detail_come_in_a_collection():
    monkey()
    made = work("finish", "faces=400 texture=128 lods=3", target="NEW")
    assert isinstance(made, bpy.types.Collection) and len(made.objects) == 3
    sizes = sorted((len(obj.data.polygons) for obj in made.objects), reverse=True)
    assert abs(sizes[1] / sizes[0] - 0.5) < 0.05 and abs(sizes[2] / sizes[1] - 0.5) < 0.05
    assert sum(not obj.hide_get() for obj in made.objects) == 1


def check_inspecting_writes_a_report_and_nothing_else():
    obj = monkey()
    before, made = points(obj), counts()
    assert bpy.ops.omagen.mesh_quality("EXEC_DEFAULT") == {"FINISHED"}
    report = json.loads(obj["omagen_quality"])
    assert report["triangles"] == 968 and report["watertight"] is False and report["open_edges"] > 0
    assert counts() == made
    np.testing.assert_array_equal(points(obj), before)
    lines = {title: value for title, value, _ in part("panels.quality").mesh_lines(report)}
    assert lines["Triangles"] == "968" and lines["Watertight"] == "No"


def check_painting_on_a_views_normals_moves_the_mesh_there():
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=48)
    obj = bpy.context.object
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.2
    camera.location, camera.rotation_euler = (0, -5, 0), (np.pi / 2, 0, 0)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 256
    bpy.context.view_layer.update()
    assert bpy.ops.omagen.view_normals("EXEC_DEFAULT", height=256) == {"FINISHED"}
    image = bpy.data.images[runtime().tasks[-1].made]
    values = pixels(image)
    assert values.shape == (256, 256, 4) and 0.5 < values[..., 3].mean() < 0.75
    middle = values[128, 128]
    np.testing.assert_allclose(middle[:3], (0.5, 0.5, 1), atol=0.03)  # towards the viewer
    assert values[128, 230, 0] > 0.8 and values[230, 128, 1] > 0.8  # right is red, up is green
    said = failure(bpy.ops.omagen.view_apply, image=image.name)
    assert "Nothing was painted" in said
    before = points(obj)
    y, x = np.mgrid[:256, :256]
    dx, dy = (x - 127.5) / 30, (y - 127.5) / 30
    inside = np.hypot(dx, dy) < 1
    lean = np.stack([dx, dy, 0 * dx], axis=-1) * np.sin(np.pi * np.minimum(np.hypot(dx, dy), 1))[..., None]
    normal = values[..., :3] * 2 - 1 + 0.8 * lean
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-6)
    values[inside, :3] = normal[inside] * 0.5 + 0.5
    paint(image, values)
    assert bpy.ops.omagen.view_apply("EXEC_DEFAULT", image=image.name, target="REPLACE") == {"FINISHED"}
    after = points(obj)
    moved = (after != before).any(axis=1)
    assert moved.any() and (before[moved, 1] < 0).all()
    assert (np.hypot(before[moved, 0], before[moved, 2]) < 0.4).all()
    assert (after - before)[:, 1].min() < -0.01  # outwards, towards the camera
    assert not image.is_dirty or np.abs(pixels(image) - values).max() > 0  # it shows the new normals


def check_an_image_of_normals_does_not_keep_its_object_alive():
    obj = monkey()
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (0, -9, 0)
    camera.rotation_euler = (np.pi / 2, 0, 0)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    obj.matrix_world.identity()
    bpy.context.view_layer.update()
    assert bpy.ops.omagen.view_normals("EXEC_DEFAULT", height=64) == {"FINISHED"}
    image = bpy.data.images[runtime().tasks[-1].made]
    obj.name = "renamed"
    assert part("view_work").object_of(image) == obj
    bpy.data.objects.remove(obj)
    assert "is gone" in failure(bpy.ops.omagen.view_apply, image=image.name)


def check_what_is_missing_or_unknown_is_said():
    assert "Select" in failure(bpy.ops.omagen.mesh_work, engine="finish")
    monkey()
    assert "no engine 'polish'" in failure(bpy.ops.omagen.mesh_work, engine="polish")
    assert "no engine 'inflate'" in failure(bpy.ops.omagen.mesh_work, engine="inflate")
    assert "is missing" in failure(bpy.ops.omagen.mesh_work, engine="texture")
    said = failure(bpy.ops.omagen.mesh_work, engine="texture", inputs='{"sideways": "x.png"}')
    assert "takes no sideways" in said
    missing = json.dumps({"front": str(FOLDER / "none.png")})
    assert "There is no file" in failure(bpy.ops.omagen.mesh_work, engine="texture", inputs=missing)
    assert len(bpy.data.objects) == 1


def shader_of(material):
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def normal_map():
    """A tangent-space map that leans everywhere, in waves."""
    image = bpy.data.images.get("waves") or bpy.data.images.new("waves", 128, 128, is_data=True)
    y, x = np.mgrid[:128, :128] / 128
    lean = np.stack([0.4 * np.sin(12 * x), 0.4 * np.cos(9 * y), np.ones_like(x)], axis=-1)
    lean /= np.linalg.norm(lean, axis=-1, keepdims=True)
    paint(image, np.concatenate([lean * 0.5 + 0.5, np.ones((128, 128, 1))], axis=-1))
    return image


run_checks(dict(globals()))
