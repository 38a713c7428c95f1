"""Runs inside Blender: encode, paint, decode, undo, change the resolution, patches; one function per behaviour.

Usage: omage_checks.py -- FOLDER, which holds omagen.zip. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from omage_scene import (
    counts,
    decode,
    encode,
    failure,
    monkey,
    paint,
    part,
    pixels,
    points,
    run_checks,
    runtime,
    scene_state,
)


def check_encoding_brings_linked_and_packed_images_and_touches_nothing_else():
    obj = monkey()
    before = scene_state(), len(obj.data.polygons), len(bpy.data.objects)
    geometry = encode()
    assert (scene_state(), len(obj.data.polygons), len(bpy.data.objects)) == before
    assert obj.omage.geometry == geometry and geometry.name == f"{obj.name} Geometry"
    maps = part("omages").maps_of(geometry)
    assert set(maps) >= {"geometry", "normal", "albedo", "metalness", "roughness"}
    assert all(tuple(image.size) == (128, 128) and image.packed_file for image in maps.values())
    assert geometry.is_float and maps["normal"].is_float
    assert geometry.colorspace_settings.name == maps["normal"].colorspace_settings.name == "Non-Color"
    assert maps["albedo"].colorspace_settings.name == "sRGB"
    values = pixels(geometry)
    inside = values[..., 3] > 0.5
    assert set(np.unique(values[..., 3])) == {0, 1} and 0.3 < inside.mean() < 1
    red = pixels(maps["albedo"])[inside][:, 0]
    assert abs(np.median(red) - 0.906) < 0.01, np.median(red)  # 0.8 as sRGB
    assert abs(np.median(pixels(maps["metalness"])[inside][:, 0]) - 0.25) < 0.01


def check_the_decoded_mesh_lands_on_the_object():
    obj = monkey()
    before, matrix = points(obj), obj.matrix_world.copy()
    encode(parameters="resolution=256")
    made = decode()
    assert (made, obj.name, obj.matrix_world) == (obj, "Suzanne", matrix)
    after = points(obj)
    np.testing.assert_allclose(after.min(axis=0), before.min(axis=0), atol=0.02)
    np.testing.assert_allclose(after.max(axis=0), before.max(axis=0), atol=0.02)
    assert len(obj.data.uv_layers) == 1 and obj.data.validate() is False
    (material,) = obj.data.materials
    images = {node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"}
    assert part("omages").maps_of(obj.omage.geometry)["albedo"] in images


def check_edited_geometry_shows_in_the_object():
    obj = monkey()
    geometry = encode()
    assert decode() == obj
    before = points(obj)
    values = pixels(geometry)
    inside = values[..., 3] > 0.5
    high = inside & (values[..., 2] > 0.6)
    values[high, 2] += 0.1
    paint(geometry, values.clip(0, 1))
    decode()
    after = points(obj)
    lift = after[:, 2].max() - before[:, 2].max()
    expected = 0.1 * 2 * json.loads(geometry.omage.header)["scale"]
    assert abs(lift - expected) < 0.1 * expected, (lift, expected)
    assert abs(after[:, 2].min() - before[:, 2].min()) < 1e-3
    assert geometry.is_dirty, "the user's strokes stay unsaved until the user saves"


def check_erased_geometry_leaves_a_hole():
    obj = monkey()
    geometry = encode()
    whole = len(decode().data.polygons)
    values = pixels(geometry)
    values[40:80, 40:80, 3] = 0
    paint(geometry, values)
    assert len(decode().data.polygons) < whole
    assert obj.data.validate() is False


def check_painted_colours_are_sent():
    monkey()
    geometry = encode()
    albedo = part("omages").maps_of(geometry)["albedo"]
    values = pixels(albedo)
    values[..., :3] = (0, 0, 1)
    paint(albedo, values)
    decode(target="NEW")
    data = part("client.api")
    assert data is not None
    files = part("omages").files_of(geometry).maps
    image = bpy.data.images.new("sent", 1, 1)
    image.source = "FILE"
    sent = files["albedo.png"].png()
    image.pack(data=sent, data_len=len(sent))
    assert np.abs(pixels(image)[..., :3] - (0, 0, 1)).max() == 0


def check_pixels_nobody_painted_go_back_bit_for_bit():
    monkey()
    geometry = encode()
    maps = part("omages").maps_of(geometry)
    packed = {name: bytes(image.packed_file.data) for name, image in maps.items()}
    kinds = {kind.name: kind for kind in part("scene.omage_files").MAPS}
    for name, image in maps.items():
        paint(image, pixels(image))  # every pixel as it was, but no longer the file's
        source = part("scene.omage_images").read_map(kinds[name], image, False)
        again = bpy.data.images.new(name, 1, 1, is_data=True)
        again.alpha_mode = "CHANNEL_PACKED"
        again.source = "FILE"
        sent = source.png()
        again.pack(data=sent, data_len=len(sent))
        np.testing.assert_array_equal(pixels(again), pixels(image), err_msg=name)
        assert sent[:26] == packed[name][:26], f"{name}: another kind of picture"


def check_each_step_is_one_undo_step():
    obj = monkey()
    bpy.ops.ed.undo_push(message="before")
    triangles = len(obj.data.polygons)
    before = counts()
    encode()
    encoded = counts()
    decode()
    decoded = len(bpy.data.objects["Suzanne"].data.polygons)
    assert bpy.ops.omagen.omage_resolution("EXEC_DEFAULT", resolution=64) == {"FINISHED"}
    coarse = len(bpy.data.objects["Suzanne"].data.polygons)
    assert coarse < 0.5 * decoded
    bpy.ops.ed.undo()
    assert len(bpy.data.objects["Suzanne"].data.polygons) == decoded
    assert bpy.data.objects["Suzanne"].omage.resolution == 128
    bpy.ops.ed.undo()
    assert len(bpy.data.objects["Suzanne"].data.polygons) == triangles and counts() == encoded
    bpy.ops.ed.undo()
    assert counts() == before and bpy.data.objects["Suzanne"].omage.geometry is None
    for _ in range(3):
        bpy.ops.ed.redo()
    assert len(bpy.data.objects["Suzanne"].data.polygons) == coarse


def check_strokes_outlive_the_undo_of_a_decoding():
    monkey()
    bpy.ops.ed.undo_push(message="before")
    name = encode().name
    values = pixels(bpy.data.images[name])
    values[..., :3] *= 0.5
    paint(bpy.data.images[name], values)
    decode()
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(pixels(bpy.data.images[name]), values)


def check_the_resolution_changes_in_place_and_nothing_piles_up():
    obj = monkey()
    encode()
    decode()
    material = obj.data.materials[0]
    before = counts()
    sizes = []
    for resolution in (32, 64, 128):
        assert bpy.ops.omagen.omage_resolution("EXEC_DEFAULT", resolution=resolution) == {"FINISHED"}
        sizes.append(len(obj.data.polygons))
        assert obj.omage.resolution == resolution
    assert sizes == sorted(sizes) and sizes[0] * 4 < sizes[2]
    assert counts() == before and obj.data.materials[0] == material
    assert tuple(obj.omage.geometry.size) == (128, 128), "the whole omage stays"
    assert bpy.ops.omagen.omage_resolution("EXEC_DEFAULT", factor="HALF") == {"FINISHED"}
    assert obj.omage.resolution == 64


def check_the_slider_waits_and_newer_wishes_take_the_place_of_older_ones():
    obj = monkey()
    encode()
    decode()
    bpy.ops.ed.undo_push(message="before")
    manager = bpy.context.window_manager
    assert manager.omagen_resolution == 128
    last = runtime().tasks[-1]
    for value in (100, 80, 64):
        manager.omagen_resolution = value
        part("timers").pump()
    assert manager.omagen_resolution == 64 and runtime().tasks[-1] is last, "it waits for the slider to rest"
    end = time.monotonic() + 60
    while obj.omage.resolution != 64 and time.monotonic() < end:
        part("timers").pump()
        time.sleep(0.01)
    assert obj.omage.resolution == 64 and runtime().tasks[-2] is last
    manager.omagen_resolution = 2048  # takes longer than the slider waits
    time.sleep(0.4)
    part("timers").pump()
    manager.omagen_resolution = 48
    while obj.omage.resolution != 48 and time.monotonic() < end:
        part("timers").pump()
        time.sleep(0.01)
    assert [task.error and str(task.error.code) for task in runtime().tasks[-2:]] == ["cancelled", None]


def check_an_object_follows_an_omage_that_is_scaled():
    obj = monkey()
    geometry = encode(parameters="resolution=64")
    coarse = len(decode().data.polygons)
    geometry.scale(128, 128)
    assert len(decode().data.polygons) > 3 * coarse
    assert bpy.ops.omagen.omage_resolution("EXEC_DEFAULT", resolution=32) == {"FINISHED"}
    geometry.scale(64, 64)
    assert len(decode().data.polygons) < 0.5 * coarse, "a resolution that was chosen stays"
    geometry.scale(80, 60)
    before = len(obj.data.polygons)
    assert "80 x 60" in failure(bpy.ops.omagen.omage_decode) and len(obj.data.polygons) == before


def check_images_that_are_gone_are_named():
    monkey()
    geometry = encode()
    decode()
    albedo = part("omages").maps_of(geometry)["albedo"]
    albedo.filepath = "/nowhere/albedo.png"
    albedo.unpack(method="REMOVE")
    albedo.reload()
    assert "Suzanne Albedo" in failure(bpy.ops.omagen.omage_decode)
    bpy.data.images.remove(albedo)
    decode()
    values = pixels(geometry)
    values[..., 3] = 0
    paint(geometry, values)
    assert "no surface" in failure(bpy.ops.omagen.omage_decode)


def check_the_original_mesh_can_be_restored():
    obj = monkey()
    own = obj.data
    encode()
    decode()
    assert obj.data != own and obj.omage.original == own
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.omagen.omage_restore() == {"FINISHED"}
    assert bpy.data.objects["Suzanne"].data == bpy.data.objects["Suzanne"].omage.original
    assert not bpy.ops.omagen.omage_restore.poll()


def check_patches_become_groups_face_sets_or_objects():
    obj = monkey()
    encode(parameters="resolution=128 uv=unwrap")
    charts = None
    decode(parameters="parts=groups")
    charts = [group.name for group in obj.vertex_groups]
    assert len(charts) > 1 and charts[0] == "Patch 001"
    members = {g.group for vertex in obj.data.vertices for g in vertex.groups}
    assert members == set(range(len(charts))) and all(vertex.groups for vertex in obj.data.vertices)
    decode(parameters="parts=face_sets")
    assert not obj.vertex_groups
    sets = np.empty(len(obj.data.polygons), np.int32)
    obj.data.attributes[".sculpt_face_set"].data.foreach_get("value", sets)
    assert sorted(set(sets)) == list(range(1, len(charts) + 1))
    before = len(bpy.data.objects), len(obj.data.polygons)
    assert bpy.ops.omagen.omage_decode("EXEC_DEFAULT", parameters="parts=objects") == {"FINISHED"}
    collection = bpy.data.collections[runtime().tasks[-1].made]
    assert len(collection.objects) == len(charts)
    assert sum(len(one.data.polygons) for one in collection.objects) == before[1]
    assert all(one.data.validate() is False for one in collection.objects)
    bpy.context.view_layer.update()
    for one in collection.objects:
        np.testing.assert_allclose(one.matrix_world, obj.matrix_world, atol=1e-5)


def check_the_patch_image_has_a_colour_per_chart():
    obj = monkey()
    geometry = encode(parameters="resolution=128 uv=unwrap")
    decode(parameters="parts=groups", patch_image=True)
    image = geometry.omage.patches
    assert tuple(image.size) == (128, 128)
    values = pixels(image)
    drawn = values[..., 3] > 0.5
    inside = pixels(geometry)[..., 3] > 0.5
    assert not (drawn & ~inside).any() and (drawn & inside).sum() > 0.9 * inside.sum()
    assert len(np.unique(values[drawn], axis=0)) == len(obj.vertex_groups)


run_checks(dict(globals()))
