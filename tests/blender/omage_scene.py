"""Runs inside Blender: what the checks of omages share."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

FOLDER = Path(sys.argv[-1])
PACKAGE = "bl_ext.user_default.omagen"
SMALL = "resolution=128"


def part(name):
    """A module of the installed extension."""
    return importlib.import_module(f"{PACKAGE}.addon.{name}")


def runtime():
    return part("runtime").current()


def wait(condition, seconds=90):
    end = time.monotonic() + seconds

    def over():
        assert time.monotonic() < end, "nothing came of it"
        return condition()

    runtime().wait(over)


def failure(operator, **arguments):
    try:
        operator("EXEC_DEFAULT", **arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("the operator succeeded")


def encode(**arguments):
    """Encode the selection; the geometry image of the last omage."""
    arguments.setdefault("parameters", SMALL)
    assert bpy.ops.omagen.omage_encode("EXEC_DEFAULT", **arguments) == {"FINISHED"}
    return bpy.data.images[runtime().tasks[-1].made]


def decode(**arguments):
    """Decode; the object that has the mesh now."""
    assert bpy.ops.omagen.omage_decode("EXEC_DEFAULT", **arguments) == {"FINISHED"}
    return bpy.data.objects[runtime().tasks[-1].made]


def monkey(**settings):
    """A head with a Principled material of one colour, moved, turned and stretched."""
    bpy.ops.mesh.primitive_monkey_add(**settings)
    obj = bpy.context.object
    material = bpy.data.materials.new("paint")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.8, 0.1, 0.05, 1)
    shader.inputs["Metallic"].default_value = 0.25
    obj.data.materials.append(material)
    obj.matrix_world = Matrix.LocRotScale((1, 2, 3), Quaternion((0.9, 0.1, 0.3, 0.2)).normalized(), (1, 2, 0.5))
    bpy.context.view_layer.update()
    return obj


def points(obj):
    values = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", values.reshape(-1))
    return values


def pixels(image):
    values = np.empty((image.size[1], image.size[0], image.channels), np.float32)
    image.pixels.foreach_get(values.reshape(-1))
    return values


def paint(image, values):
    image.pixels.foreach_set(np.ascontiguousarray(values, np.float32).reshape(-1))
    image.update()


def counts():
    kinds = ("objects", "meshes", "materials", "images", "collections", "node_groups")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def scene_state():
    """What belongs to the user: selection, active object, mode, data."""
    layer = bpy.context.view_layer
    active = layer.objects.active
    chosen = sorted(obj.name for obj in layer.objects.selected)
    return chosen, active and active.name, active and active.mode, bpy.context.scene.frame_current


def run_checks(checks):
    """Install the extension, run every `check_…` among `checks` in an empty file, write the outcomes, and end."""
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "omagen.zip"), repo="user_default", enable_on_install=True, overwrite=True
    )
    outcomes = {}
    for name, check in checks.items():
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
