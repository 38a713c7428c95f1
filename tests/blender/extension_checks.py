"""Runs inside Blender: drives the installed extension's operators against the real backend; one function per behaviour.

Usage: extension_checks.py -- FOLDER, which holds picture.png, bad.png and omagen.zip. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

FOLDER = Path(sys.argv[-1])
PACKAGE = "bl_ext.user_default.omagen"
PICTURE, BAD_PICTURE = str(FOLDER / "picture.png"), str(FOLDER / "bad.png")


def part(name):
    """A module of the installed extension."""
    return importlib.import_module(f"{PACKAGE}.addon.{name}")


def traces():
    """All that the extension could leave in Blender."""
    owners = (bpy.types.Scene, bpy.types.WindowManager, bpy.types.Object, bpy.types.Image)
    named = [n for n in dir(bpy.types) if "omagen" in n.lower()]
    named += [p for owner in owners for p in dir(owner) if "omage" in p]
    places = (bpy.types.STATUSBAR_HT_header, bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export)
    drawers = [f for place in places for f in getattr(place.draw, "_draw_funcs", ()) if PACKAGE in f.__module__]
    lists = (bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.save_pre)
    handlers = [f.__module__ for handlers in lists for f in handlers if PACKAGE in f.__module__]
    threads = sorted(t.name for t in threading.enumerate() if "omagen" in t.name)
    return named, drawers, handlers, threads


def generate(**arguments):
    assert bpy.ops.omagen.generate("EXEC_DEFAULT", **arguments) == {"FINISHED"}
    return bpy.data.objects[part("runtime").current().tasks[-1].made]


def failure(operator, **arguments):
    try:
        operator("EXEC_DEFAULT", **arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("the operator succeeded")


def use_panel():
    """The panel set up for the picture, engines known."""
    assert bpy.ops.omagen.refresh() == {"FINISHED"}
    settings = bpy.context.scene.omagen
    settings.source = "IMAGE"
    settings.image = bpy.data.images.load(PICTURE)
    return settings


def check_generate_brings_an_object_of_the_stated_size_to_the_cursor():
    bpy.context.scene.cursor.location = (1, 2, 3)
    made = generate(image=PICTURE, seed=5, size=2.5, name="thing")
    assert made.name == "thing" and tuple(made.location) == (1, 2, 3)
    assert abs(max(made.dimensions) - 2.5) < 1e-3, tuple(made.dimensions)
    assert made == bpy.context.view_layer.objects.active and made.select_get()


def check_the_object_is_watertight_textured_and_packed():
    made = generate(image=PICTURE)
    mesh = made.data
    edges = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", edges)
    assert (np.bincount(edges) == 2).all()
    assert len(mesh.uv_layers) == 1
    shader = next(n for n in made.active_material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Base Color"].is_linked
    images = [n.image for n in made.active_material.node_tree.nodes if n.type == "TEX_IMAGE"]
    assert images and all(image.packed_file for image in images)


def check_the_object_remembers_how_it_was_made():
    made = json.loads(generate(image=PICTURE, seed=9)["omagen"])
    assert made["request"]["seed"] == 9 and made["request"]["engine"] == "inflate"
    assert made["licence"] and made["version"] and "report" in made
    assert str(FOLDER) not in json.dumps(made)


def check_parameters_reach_the_engine():
    few = generate(image=PICTURE, parameters="faces=2000")
    many = generate(image=PICTURE, parameters='{"faces": 12000}')
    assert len(few.data.polygons) < 0.5 * len(many.data.polygons)


def check_unknown_and_impossible_parameters_are_explained():
    assert "nonsense" in failure(bpy.ops.omagen.generate, image=PICTURE, parameters="nonsense=1")
    assert "faces" in failure(bpy.ops.omagen.generate, image=PICTURE, parameters="faces=many")
    assert "no value" in failure(bpy.ops.omagen.generate, image=PICTURE, parameters="faces")


def check_bad_pictures_are_explained_and_leave_nothing():
    before = len(bpy.data.objects), len(bpy.data.images)
    assert "picture" in failure(bpy.ops.omagen.generate, image=BAD_PICTURE)
    assert "There is no file" in failure(bpy.ops.omagen.generate, image=str(FOLDER / "absent.png"))
    assert (len(bpy.data.objects), len(bpy.data.images)) == before


def check_an_import_is_one_undo_step():
    bpy.ops.ed.undo_push(message="before")
    names = {"objects", "meshes", "materials", "images"}
    before = {name: len(getattr(bpy.data, name)) for name in names}
    made = generate(image=PICTURE).name
    bpy.ops.ed.undo()
    assert {name: len(getattr(bpy.data, name)) for name in names} == before
    bpy.ops.ed.redo()
    assert made in bpy.data.objects


def check_an_import_interrupts_no_other_mode_and_is_one_undo_step_there():
    for mode in ("EDIT", "TEXTURE_PAINT", "SCULPT"):
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.ops.mesh.primitive_cube_add()
        cube = bpy.context.object.name
        bpy.ops.object.mode_set(mode=mode)
        if mode == "EDIT":
            bpy.ops.mesh.subdivide()
        bpy.ops.ed.undo_push(message="work in progress")
        made = generate(image=PICTURE).name
        assert (bpy.context.object.name, bpy.context.object.mode) == (cube, mode)
        bpy.ops.ed.undo()
        assert made not in bpy.data.objects
        assert (bpy.context.object.name, bpy.context.object.mode) == (cube, mode)
        bpy.ops.ed.redo()
        assert made in bpy.data.objects
        bpy.ops.object.mode_set(mode="OBJECT")
        assert len(bpy.data.objects[cube].data.vertices) == (26 if mode == "EDIT" else 8)


def check_triangles_left_out_are_told_in_panel_and_object():
    made = generate(image=PICTURE)
    job = part("runtime").current().tasks[-1].job
    delivery = part("delivery")
    real = delivery.object_delivery(delivery.Placement.at_cursor(bpy.context, 1.0))
    outcome = []
    part("runtime").current().call(lambda client: real.fetch(client, job), outcome.append, outcome.append)
    part("runtime").current().wait(lambda: bool(outcome))
    arrays, preview = outcome[0]
    brought = real.apply(job, (replace(arrays, left_out=3), preview))
    assert "3 of" in brought.warnings[0] and "left out" in brought.warnings[0]
    assert brought.warnings[0] in json.loads(bpy.data.objects[brought.name]["omagen"])["warnings"]
    assert not any("left out" in text for text in json.loads(made["omagen"])["warnings"])


def check_marked_assets_have_the_backends_preview():
    made = generate(image=PICTURE, mark_asset=True)
    assert made.asset_data and {tag.name for tag in made.asset_data.tags} >= {"omagen", "inflate"}
    assert tuple(made.preview.image_size) == (256, 256)


def check_the_panels_settings_come_from_the_engines_description():
    settings = use_panel()
    parameters = part("parameters")
    engine = parameters.chosen_engine(settings)
    group = parameters.group(settings, engine)
    for parameter in engine.parameters:
        assert getattr(group, parameters.attribute(parameter.id)) is not None
    assert parameters.values(settings, engine) == {p.id: p.default for p in engine.parameters}
    group.omagen_faces = 10**9
    assert parameters.values(settings, engine)["faces"] == engine.parameter("faces").maximum
    bpy.ops.omagen.reset_parameters()
    assert parameters.values(settings, engine)["faces"] == engine.parameter("faces").default


def check_generate_works_from_the_panel():
    settings = use_panel()
    settings.size = 0.5
    assert abs(max(generate().dimensions) - 0.5) < 1e-3


def check_a_dropped_picture_becomes_an_object():
    handler = next(cls for cls in bpy.types.FileHandler.__subclasses__() if cls.bl_idname == "OMAGEN_FH_picture")
    assert handler.bl_import_operator == "omagen.drop" and ".png" in handler.bl_file_extensions
    assert bpy.ops.omagen.drop("EXEC_DEFAULT", filepath=PICTURE) == {"FINISHED"}
    assert part("runtime").current().tasks[-1].made in bpy.data.objects


def check_only_weights_bind_what_is_made():
    licence = part("delivery").licence
    assert licence({"licence": "GPL-3.0-or-later", "weights": []}) == ""
    assert licence({"licence": "CC-BY-NC-4.0", "weights": [{"id": "x"}]}) == "CC-BY-NC-4.0"
    assert generate(image=PICTURE, mark_asset=True).asset_data.license == ""


def check_unsaved_pixels_are_sent():
    settings = use_panel()
    settings.image = image = bpy.data.images.new("drawn", 96, 96, alpha=True)
    pixels = np.zeros((96, 96, 4), np.float32)
    pixels[20:70, 30:60] = (0.2, 0.6, 0.3, 1)
    image.pixels.foreach_set(pixels.ravel())
    width, _, height = generate().dimensions
    assert abs(width / height - 30 / 50) < 0.1


def check_the_texture_of_the_active_object_can_be_the_picture():
    made = generate(image=PICTURE)
    bpy.context.view_layer.objects.active = made
    settings = bpy.context.scene.omagen
    settings.source = "TEXTURE"
    image = part("cutouts").picture_image(settings, bpy.context)
    assert image is not None and image.packed_file


def check_a_cutout_becomes_the_mask_and_corrections_count():
    settings = use_panel()
    assert bpy.ops.omagen.cutout("EXEC_DEFAULT") == {"FINISHED"}
    mask = settings.mask
    assert mask is not None and settings.use_mask and mask.packed_file
    whole = generate().dimensions.copy()
    width, height = mask.size
    pixels = np.empty(width * height * 4, np.float32)
    mask.pixels.foreach_get(pixels)
    alpha = pixels.reshape(height, width, 4)[..., 3]
    assert alpha.min() == 0 and alpha.max() == 1
    rows = np.nonzero(alpha.max(axis=1) > 0.5)[0]
    alpha[: rows[len(rows) // 2]] = 0
    mask.pixels.foreach_set(pixels)
    half = generate().dimensions
    assert half.z / half.x < 0.75 * whole.z / whole.x
    other = settings.image.copy()
    settings.image = other
    assert settings.mask is None


def check_jobs_can_be_imported_again_varied_and_deleted():
    generate(image=PICTURE, name="first")
    now = part("runtime").current()
    job = now.tasks[-1].job.id
    before = len(bpy.data.objects)
    assert bpy.ops.omagen.job_import("EXEC_DEFAULT", job=job) == {"FINISHED"}
    assert bpy.ops.omagen.job_rerun("EXEC_DEFAULT", job=job, vary=True) == {"FINISHED"}
    assert len(bpy.data.objects) == before + 2
    assert now.tasks[-1].job.request.seed == now.jobs[job].request.seed + 1
    assert [row.name for row in bpy.context.window_manager.omagen_jobs] == list(now.jobs)
    assert bpy.ops.omagen.job_delete("EXEC_DEFAULT", job=job) == {"FINISHED"}
    assert job not in now.jobs
    assert "no job" in failure(bpy.ops.omagen.job_import, job=job)


def start_in_background():
    """What the operator does under INVOKE, which Blender turns into EXEC where there is no window."""
    sent = part("submission").Submission("inflate", "later", files={"image": Path(PICTURE)})
    placement = part("delivery").Placement.at_cursor(bpy.context, 1.0)
    return part("runtime").current().submit(sent.title, sent.send, part("delivery").object_delivery(placement))


def check_pumping_brings_the_object_without_holding_the_main_thread():
    start = time.monotonic()
    task = start_in_background()
    assert time.monotonic() - start < 0.5
    longest = 0.0
    while not task.ended:
        begin = time.perf_counter()
        part("timers").pump()
        if not task.ended:
            longest = max(longest, time.perf_counter() - begin)
        time.sleep(0.02)
    assert task.error is None and task.made in bpy.data.objects
    assert longest < 0.25, longest  # generous: other work may hold the processor


def check_cancel_ends_the_job():
    now, task = part("runtime").current(), start_in_background()
    assert bpy.ops.omagen.cancel() == {"FINISHED"}
    now.wait(lambda: task.ended)
    assert task.error is not None and task.error.code == "cancelled"
    assert not task.made


def check_the_backend_can_be_stopped_and_starts_again():
    assert bpy.ops.omagen.backend_start() == {"FINISHED"}
    assert bpy.ops.omagen.backend_stop() == {"FINISHED"}
    assert part("runtime").current().backend.state == "stopped"
    assert bpy.ops.omagen.backend_log() == {"FINISHED"}
    assert bpy.data.texts["Omagen Log"].as_string().strip()
    generate(image=PICTURE)


def check_without_an_environment_the_user_is_told_what_to_set():
    runtime, preferences = part("runtime"), part("preferences")
    bpy.ops.omagen.backend_stop()
    runtime.close()
    kept = os.environ.pop("OMAGEN_PYTHON")
    try:
        assert "Python Environment" in failure(bpy.ops.omagen.generate, image=PICTURE)
        preferences.preferences().python = "/nowhere/python"
        assert "/nowhere/python" in failure(bpy.ops.omagen.generate, image=PICTURE)
    finally:
        preferences.preferences().python = ""
        os.environ["OMAGEN_PYTHON"] = kept
    generate(image=PICTURE)


def check_a_silent_server_does_not_hold_the_main_thread():
    runtime, preferences = part("runtime"), part("preferences")
    bpy.ops.omagen.backend_stop()
    runtime.close()
    kept = os.environ.pop("OMAGEN_PYTHON")
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            state = {"pid": 0, "port": silent.getsockname()[1], "token": "x", "version": "0", "protocol": 1}
            (FOLDER / "data" / "server.json").write_text(json.dumps(state))
            start = time.monotonic()
            part("operators.task_operator").require_backend(bpy.context)
            assert time.monotonic() - start < 0.5
            assert "Python Environment" in failure(bpy.ops.omagen.generate, image=PICTURE)
    finally:
        os.environ["OMAGEN_PYTHON"] = kept
        runtime.close()
    preferences.preferences().python = ""
    generate(image=PICTURE)


def check_downloads_ask_blenders_permission():
    assert not bpy.app.online_access
    assert not bpy.ops.omagen.model_download.poll()


def check_the_command_saves_exports_and_renders():
    command = part("command")
    out = {kind: FOLDER / "out" / f"made.{kind}" for kind in ("blend", "glb", "png")}
    words = ["generate", PICTURE, "--blend", str(out["blend"]), "--glb", str(out["glb"]), "--render", str(out["png"])]
    assert command.run([*words, "--resolution", "48", "--samples", "2", "--set", "faces=2000"]) == 0
    assert all(path.stat().st_size > 500 for path in out.values())
    assert out["glb"].read_bytes()[:4] == b"glTF"
    assert command.run(["engines"]) == 0
    assert command.run(["generate", str(FOLDER / "absent.png")]) == 1


def check_unregister_leaves_nothing_and_register_works_again():
    module = importlib.import_module(PACKAGE)
    generate(image=PICTURE)
    for _ in range(2):
        module.unregister()
        assert traces() == BEFORE, (traces(), BEFORE)
        module.register()
    generate(image=PICTURE)


def check_a_registration_that_fails_half_way_leaves_nothing():
    module = importlib.import_module(PACKAGE)
    registration: Any = part("registration")
    module.unregister()

    def break_off(stack):
        raise RuntimeError("broken off")

    installers = registration.INSTALLERS
    registration.INSTALLERS = (*installers, break_off)
    try:
        module.register()
    except RuntimeError as error:
        assert "broken off" in str(error)
    finally:
        registration.INSTALLERS = installers
    assert traces() == BEFORE, traces()
    module.register()
    generate(image=PICTURE)


def main() -> None:
    outcomes = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            bpy.ops.wm.read_homefile(use_empty=True)
            try:
                check()
                outcomes[name] = ""
            except Exception:
                outcomes[name] = traceback.format_exc()
    importlib.import_module(PACKAGE).unregister()
    (FOLDER / "checks.json").write_text(json.dumps(outcomes))
    # The bpy module may crash on its way out; everything that matters has been written.
    sys.stdout.flush()
    os._exit(0)


BEFORE = traces()
bpy.ops.extensions.package_install_files(
    filepath=str(FOLDER / "omagen.zip"), repo="user_default", enable_on_install=True, overwrite=True
)
main()
