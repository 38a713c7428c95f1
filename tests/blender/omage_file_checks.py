"""Runs inside Blender: omages in files, jobs and failures; one function per behaviour.

Usage: omage_file_checks.py -- FOLDER, which holds omagen.zip. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from omage_scene import (
    FOLDER,
    PACKAGE,
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
    wait,
)


def check_everything_survives_saving_strokes_included():
    obj = monkey()
    geometry = encode()
    decode()
    values = pixels(geometry)
    values[..., :3] = 0.25 + 0.5 * values[..., :3]
    paint(geometry, values)
    path = str(FOLDER / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    assert not geometry.is_dirty
    bpy.ops.wm.open_mainfile(filepath=path)
    obj = bpy.data.objects["Suzanne"]
    geometry = obj.omage.geometry
    # 16 bits per value.
    np.testing.assert_allclose(pixels(geometry), values, atol=0.6 / 65535)
    assert geometry.is_float and obj.omage.original is not None
    bpy.context.view_layer.objects.active = obj
    before = points(obj)
    decode()
    np.testing.assert_allclose(np.ptp(points(obj), axis=0), 0.5 * np.ptp(before, axis=0), atol=0.02)


def check_omages_travel_through_files():
    obj = monkey()
    geometry = encode()
    path = FOLDER / "head.omage"
    assert bpy.ops.omagen.omage_export("EXEC_DEFAULT", filepath=str(path)) == {"FINISHED"}
    size = obj.dimensions.copy()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.cursor.location = (4, 5, 6)
    assert bpy.ops.omagen.omage_import("EXEC_DEFAULT", filepath=str(path)) == {"FINISHED"}
    made = bpy.data.objects[runtime().tasks[-1].made]
    assert tuple(made.location) == (4, 5, 6) and made.omage.geometry.size[0] == 128
    assert size.x > 0 and len(made.data.polygons) > 1000
    del geometry
    handler = next(cls for cls in bpy.types.FileHandler.__subclasses__() if cls.bl_idname == "OMAGEN_FH_omage")
    assert handler.bl_import_operator == "omagen.omage_import" and ".npz" in handler.bl_file_extensions


def check_an_array_file_becomes_an_omage_to_edit():
    values = np.zeros((64, 64, 12), np.uint16)
    values[8:40, 8:56, 3] = 65535
    rows, columns = np.mgrid[0:64, 0:64]
    values[..., 0], values[..., 1], values[..., 2] = columns * 1000, 32768, rows * 1000
    values[..., 4:7] = (32768, 0, 32768)
    values[..., 7:10] = (65535, 0, 0)
    values[..., 11] = 65535
    np.savez(FOLDER / "sheet.npz", values)
    bpy.context.scene.cursor.location = (4, 5, 6)
    bpy.ops.ed.undo_push(message="before")
    before = counts()
    assert bpy.ops.omagen.omage_import("EXEC_DEFAULT", filepath=str(FOLDER / "sheet.npz")) == {"FINISHED"}
    made = bpy.data.objects["sheet"]
    geometry = made.omage.geometry
    maps = part("omages").maps_of(geometry)
    assert set(maps) == {"geometry", "normal", "albedo", "metalness", "roughness"}
    assert all(tuple(image.size) == (64, 64) and image.packed_file for image in maps.values())
    assert geometry.is_float and tuple(made.location) == (4, 5, 6)
    np.testing.assert_array_equal(pixels(geometry)[..., 3] > 0.5, values[..., 3] > 0)
    np.testing.assert_allclose(pixels(maps["albedo"])[20, 20, :3], (1, 0, 0), atol=0.01)
    (material,) = made.data.materials
    assert maps["albedo"] in {node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"}
    low = points(made)[:, 2].min()
    painted = pixels(geometry)
    painted[..., 2] += 0.1
    paint(geometry, painted)
    assert decode() == made
    assert abs(points(made)[:, 2].min() - low - 0.2) < 1e-3
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert counts() == before, "the import is one step"


def check_plain_pictures_become_an_omage_to_edit():
    monkey()
    geometry = encode()
    images = part("omages").maps_of(geometry)
    folder = FOLDER / "plain"
    folder.mkdir()
    flat = pixels(geometry)
    inside = flat[..., 3] > 0.5
    flat[~inside] = 0
    for name, values, kind in (("Head geometry", flat, "TIFF"), ("head_Albedo", pixels(images["albedo"]), "JPEG")):
        copy = bpy.data.images.new(name, 128, 128, is_data=True)
        paint(copy, values)
        copy.file_format, copy.filepath_raw = kind, str(folder / f"{name}.{kind.lower()}")
        copy.save()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.ops.omagen.omage_import("EXEC_DEFAULT", filepath=str(folder)) == {"FINISHED"}
    task = runtime().tasks[-1]
    made = bpy.data.objects[task.made]
    assert any("8 bits" in text for text in task.warnings)
    geometry = made.omage.geometry
    assert (
        made.name == "plain" and geometry.is_float and set(part("omages").maps_of(geometry)) == {"geometry", "albedo"}
    )
    np.testing.assert_array_equal(pixels(geometry)[..., 3] > 0.5, inside)
    triangles = len(made.data.polygons)
    values = pixels(geometry)
    values[40:80, 40:80, 3] = 0
    paint(geometry, values)
    assert len(decode().data.polygons) < triangles


def check_a_failed_import_leaves_no_images():
    layout = importlib.import_module(f"{PACKAGE}.backend.omagen.omage_layout")
    empty = part("scene.png").encode([np.zeros((64, 64, 4), np.uint16)], 64, 64)
    files = {"geometry.png": empty, "omage.json": layout.Header(64).encoded()}
    (FOLDER / "empty.omage").write_bytes(layout.pack(files))
    before = counts()
    assert "no surface" in failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / "empty.omage"))
    newer = layout.Header(64).to_json() | {"version": 2}
    (FOLDER / "newer.omage").write_bytes(layout.pack(files | {"omage.json": json.dumps(newer).encode()}))
    told = failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / "newer.omage"))
    assert "version 2" in told and "Update Omagen" in told
    (FOLDER / "nothing").mkdir()
    assert "geometry" in failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / "nothing"))
    assert counts() == before


def check_damaged_files_are_explained_and_leave_nothing():
    before = counts()
    for name, data in (("bad.omage", b"PK\3\4 not a zip"), ("bad.npz", b"nothing"), ("empty.omage", b"")):
        (FOLDER / name).write_bytes(data)
        assert failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / name))
    layout = importlib.import_module(f"{PACKAGE}.backend.omagen.omage_layout")
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (50000).to_bytes(4, "big") * 2 + b"\x10\6\0\0\0" + bytes(20)
    (FOLDER / "bomb.omage").write_bytes(layout.pack({"geometry.png": huge}))
    assert "50000" in failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / "bomb.omage"))
    (FOLDER / "torn.omage").write_bytes(
        layout.pack({"geometry.png": huge.replace((50000).to_bytes(4, "big"), bytes((0, 0, 0, 64)))})
    )
    assert (
        "geometry.png is damaged" in failure(bpy.ops.omagen.omage_import, filepath=str(FOLDER / "torn.omage")).lower()
    )
    assert counts() == before


def check_images_from_elsewhere_can_be_an_omage():
    monkey()
    geometry = encode()
    files = {name: bytes(image.packed_file.data) for name, image in part("omages").maps_of(geometry).items()}
    bpy.ops.wm.read_homefile(use_empty=True)
    for name, data in files.items():
        path = FOLDER / f"Thing_{name}.png"
        path.write_bytes(data)
        bpy.data.images.load(str(path))
    made = decode(omage="Thing_geometry.png")
    assert len(made.data.polygons) > 1000
    assert set(part("omages").maps_of(made.omage.geometry)) == set(files)
    assert np.ptp(points(made), axis=0).max() > 1.9, "read without the colour management that would bend it"


def check_jobs_can_be_imported_again():
    monkey()
    encode()
    job = runtime().tasks[-1].job.id
    before = len(bpy.data.objects)
    assert bpy.ops.omagen.job_import("EXEC_DEFAULT", job=job) == {"FINISHED"}
    assert len(bpy.data.objects) == before + 1 and len(bpy.data.images) >= 10


def check_a_cancelled_encoding_leaves_nothing():
    obj = monkey()
    before = counts(), scene_state()
    tasks = part("omage_work").encode(bpy.context, [obj], False, True, {"resolution": 2048})
    assert bpy.ops.omagen.cancel() == {"FINISHED"}
    wait(lambda: tasks[0].ended)
    assert tasks[0].error.code == "cancelled"
    assert (counts(), scene_state()) == before and obj.omage.geometry is None


def check_a_killed_backend_is_told_and_the_next_try_works():
    obj = monkey()
    bpy.ops.omagen.refresh()
    (task,) = part("omage_work").encode(bpy.context, [obj], False, True, {"resolution": 2048})
    wait(lambda: task.job is not None or task.ended)
    os.kill(runtime().health["pid"], signal.SIGKILL)
    wait(lambda: task.ended)
    assert task.error is not None and obj.omage.geometry is None
    assert obj.omage.geometry == encode() or obj.omage.geometry is not None


def check_the_main_thread_is_not_held():
    obj = monkey()
    obj.modifiers.new("Fine", "SUBSURF").levels = 4
    bpy.context.view_layer.update()
    start = time.perf_counter()
    (task,) = part("omage_work").encode(bpy.context, [obj], False, True, {"resolution": 512})
    held = {"encode": time.perf_counter() - start}
    held["images"] = longest_pump(task)
    assert task.error is None, task.error
    start = time.perf_counter()
    task = part("omage_work").decode(bpy.context, obj.omage.geometry, {}, obj)
    held["decode"] = time.perf_counter() - start
    held["mesh"] = longest_pump(task)
    assert task.error is None, task.error
    (FOLDER / "held.json").write_text(json.dumps({"triangles": len(obj.data.polygons)} | held))
    assert max(held.values()) < 3, held  # generous: other work may hold the processor


def longest_pump(task):
    longest = 0.0
    while not task.ended:
        begin = time.perf_counter()
        part("timers").pump()
        longest = max(longest, time.perf_counter() - begin)
        time.sleep(0.005)
    return longest


def check_the_command_encodes_and_decodes():
    bpy.ops.mesh.primitive_torus_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "ring.blend"))
    command = part("command")
    target = FOLDER / "out" / "ring.omage"
    assert command.run(["encode", str(FOLDER / "ring.blend"), "-o", str(target), "--set", "resolution=64"]) == 0
    assert target.read_bytes()[:2] == b"PK"
    saved = FOLDER / "out" / "ring.blend"
    assert command.run(["decode", str(target), "--blend", str(saved), "--set", "resolution=32"]) == 0
    assert saved.stat().st_size > 1000
    assert command.run(["encode", str(FOLDER / "absent.blend"), "-o", str(target)]) == 1


run_checks(dict(globals()))
