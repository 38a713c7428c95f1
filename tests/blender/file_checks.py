"""Runs inside Blender: every malformed file and some good meshes through the operator `omagen.generate`.

Usage: file_checks.py -- FOLDER, which holds omagen.zip and assets/. Writes FOLDER/checks.json.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import bpy
import numpy as np

FOLDER = Path(sys.argv[-1])
ASSETS = FOLDER / "assets"
PACKAGE = "bl_ext.user_default.omagen"
PICTURES = {".png", ".jpg", ".gif", ".webp"}


def runtime():
    return importlib.import_module(f"{PACKAGE}.addon.runtime").current()


def counts():
    """How much of everything there is in the file."""
    found = {}
    for name in dir(bpy.data):
        try:
            found[name] = len(getattr(bpy.data, name))
        except TypeError:
            continue
    return found


def outcome_of(path):
    """What the operator made of one file."""
    before = counts()
    picture = path.suffix in PICTURES
    chosen = {"image": str(path), "engine": "inflate", "parameters": "faces=2000"} if picture else {"mesh": str(path)}
    made, reported = "", ""
    try:
        if bpy.ops.omagen.generate("EXEC_DEFAULT", **chosen) == {"FINISHED"}:
            made = runtime().tasks[-1].made
    except RuntimeError as error:
        reported = str(error)
    after = counts()
    error = runtime().tasks[-1].error
    return {
        "made": made,
        "triangles": len(bpy.data.objects[made].data.polygons) if made else 0,
        "reported": reported,
        "error": error.to_json() if error else None,
        "left": {name: after[name] - n for name, n in before.items() if after[name] != n},
    }


def generate(name, **arguments):
    path = str(ASSETS / "meshes" / name)
    assert bpy.ops.omagen.generate("EXEC_DEFAULT", mesh=path, **arguments) == {"FINISHED"}
    return bpy.data.objects[runtime().tasks[-1].made]


def shader(material):
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def values(collection, attribute, width):
    found = np.empty(len(collection) * width, np.float32)
    collection.foreach_get(attribute, found)
    return found.reshape(-1, width)


def check_a_textured_glb_keeps_its_materials_and_uvs():
    made = generate("water_bottle_pbr.glb", size=0.5)
    assert len(made.data.polygons) == 4510
    assert abs(max(made.dimensions) - 0.5) < 1e-4
    assert made.dimensions.z == max(made.dimensions), "a bottle stands upright"
    uv = values(made.data.uv_layers[0].uv, "vector", 2)
    assert np.isfinite(uv).all() and uv.min() >= 0 and uv.max() <= 1 and np.ptp(uv, axis=0).min() > 0.5
    (material,) = made.data.materials
    for socket in ("Base Color", "Metallic", "Roughness", "Normal"):
        assert shader(material).inputs[socket].is_linked, socket
    images = {node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"}
    assert images and all(tuple(image.size) == (2048, 2048) and image.packed_file for image in images)


def check_blenders_own_importer_gives_the_same_mesh():
    made = generate("water_bottle_pbr.glb", size=0.0)
    before = set(bpy.data.objects)
    try:
        bpy.ops.import_scene.gltf(filepath=str(ASSETS / "meshes" / "water_bottle_pbr.glb"))
    except RuntimeError as error:  # Debian's build of 5.2 has an importer that does not fit it
        assert "Traceback" in str(error)
        return
    (other,) = (obj for obj in set(bpy.data.objects) - before if obj.type == "MESH")
    scale = max(made.dimensions) / max(other.dimensions)
    ours = values(made.data.vertices, "co", 3)
    theirs = values(other.data.vertices, "co", 3) * scale
    np.testing.assert_allclose(np.ptp(ours, axis=0), np.ptp(theirs, axis=0), rtol=1e-4)
    ours, theirs = (values(mesh.uv_layers[0].uv, "vector", 2) for mesh in (made.data, other.data))
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=1e-3)


def check_vertex_colours_arrive_and_reach_the_material():
    made = generate("koala_vertex_colors_no_uv_100k.glb")
    (layer,) = made.data.color_attributes
    colours = values(layer.data, "color", 4)
    assert len(colours) == len(made.data.vertices) < 60_000, "the surface is watertight: vertices are shared"
    assert colours.std(axis=0)[:3].min() > 0.01
    source = shader(made.data.materials[0]).inputs["Base Color"].links[0].from_node
    assert source.type in {"VERTEX_COLOR", "MIX"}


def check_many_materials_stay_apart():
    made = generate("flight_helmet_multimaterial.glb")
    assert len(made.data.materials) == 6
    index = np.empty(len(made.data.polygons), np.int32)
    made.data.polygons.foreach_get("material_index", index)
    assert len(np.unique(index)) == 6
    assert len({material.name for material in made.data.materials}) == 6


def check_a_mesh_brings_the_files_beside_it_along():
    made = generate("spot_obj/spot.obj")
    assert not runtime().tasks[-1].warnings
    (material,) = made.data.materials
    image = shader(material).inputs["Base Color"].links[0].from_node.image
    assert tuple(image.size) == (1024, 1024) and image.packed_file


def check_a_file_that_has_lost_what_lay_beside_it_is_asked_for_as_glb():
    alone = FOLDER / "alone.obj"
    alone.write_bytes((ASSETS / "meshes" / "spot_obj" / "spot.obj").read_bytes())
    assert bpy.ops.omagen.generate("EXEC_DEFAULT", mesh=str(alone)) == {"FINISHED"}
    warnings = " ".join(runtime().tasks[-1].warnings)
    assert "spot.mtl" in warnings and "Save it as GLB" in warnings, warnings


def check_an_import_warns_of_what_no_mesh_can_hold():
    made = generate("nonmanifold_fins.glb")
    stored = json.loads(made["omagen"])["warnings"]
    assert list(runtime().tasks[-1].warnings) == stored


def main() -> None:
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "omagen.zip"), repo="user_default", enable_on_install=True, overwrite=True
    )
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.omagen.backend_start()
    before = runtime().health["pid"]
    files = {path.name: outcome_of(path) for path in sorted((ASSETS / "malformed").iterdir())}
    bpy.ops.omagen.refresh()
    backend = {"pid_before": before, "pid_after": runtime().health["pid"], "state": runtime().backend.state}
    checks = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            bpy.ops.wm.read_homefile(use_empty=True)
            try:
                check()
                checks[name] = ""
            except Exception:
                checks[name] = traceback.format_exc()
    bpy.ops.omagen.backend_stop()
    importlib.import_module(PACKAGE).unregister()
    (FOLDER / "checks.json").write_text(json.dumps({"files": files, "backend": backend, "checks": checks}))
    # The bpy module may crash on its way out; everything that matters has been written.
    sys.stdout.flush()
    os._exit(0)


main()
