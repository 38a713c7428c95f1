"""Draw docs/omage-gallery.jpg: each mesh, what comes back from its omages of 64, 256 and 1024 pixels, and a geometry.

    .venv/bin/python tools/omage_gallery.py                     # the shared test meshes
    .venv/bin/python tools/omage_gallery.py -o my.jpg chair.glb spot.obj …

Originals come in through Blender's own importers. Cycles renders in the bpy module (OMAGEN_BPY_PYTHON or
.venv-blender), all pictures of a mesh with one camera and one light.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
SHARED = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared"))
LEFT_OUT = {"box_vertex_colors_tiny.glb", "texture_settings_uv_outside.glb", "koala_mc_880k.glb"}
"""Flat cards and a plain box show nothing; the large koala shows what the small one does, and takes minutes."""
RESOLUTIONS = (64, 256, 1024)
SIZE, CAPTION, HEADING = 256, 40, 24
SAMPLES = 24
QUALITY = 86
EXACT_DB = 90
CHECKER = (204, 236)
"""Grey levels behind what is not occupied in a geometry image"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "omage-gallery.jpg")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave omages, meshes and single pictures there")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels a side of each picture (default: %(default)s)")
    parser.add_argument("--render", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    meshes = [path.resolve() for path in options.meshes] or shared_meshes()
    if options.render:
        render(meshes, options.render, options.size)
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        facts = {resolution: convert(meshes, resolution, folder) for resolution in RESOLUTIONS}
        command = [MODULE_PYTHON, __file__, *map(str, meshes), "--render", str(folder), "--size", str(options.size)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        compose(meshes, facts, folder, options.output, options.size)
    sys.stdout.write(f"{options.output}\n")


def shared_meshes() -> list[Path]:
    folder = SHARED / "assets" / "meshes"
    found = sorted(path for kind in ("glb", "obj") for path in folder.rglob(f"*.{kind}") if path.name not in LEFT_OUT)
    if not found:
        raise SystemExit(f"There are no meshes in {folder}; name some.")
    return found


def convert(meshes: list[Path], resolution: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Have the command line make `folder/RESOLUTION/NAME.glb`; returns what it measured, by file name."""
    place = folder / str(resolution)
    omages = place / "omages"
    words = [*meshes, "-o", f"{omages}/", "--resolution", resolution, "--measure", "--format", "folder"]
    encoded = omagen("encode", *words, folder=folder)
    omagen("decode", omages, "-o", f"{place}/", folder=folder)
    return {Path(entry["input"]).name: entry for entry in encoded}


def omagen(*words: object, folder: Path) -> list[dict[str, Any]]:
    """The lines that a command of the command line writes. Failures show in the picture."""
    command = [sys.executable, "-m", "omagen", *map(str, words), "--json", "--quiet", "--data", str(folder / "data")]
    lines = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def render(meshes: list[Path], folder: Path, size: int) -> None:
    """In the bpy module: one PNG for each mesh and resolution, and one for the original, all by one camera."""
    import bpy

    sys.path.insert(0, str(ROOT / "tests"))
    from places import import_extension

    import_extension()
    from omagen_extension.addon import product_shot
    from omagen_extension.addon.scene.glb import read_object
    from omagen_extension.addon.scene.write_object import write_object

    for mesh in meshes:
        bpy.ops.wm.read_homefile(use_empty=True)
        shown = imported(mesh)
        middle, longest = extent(shown)
        move(shown, middle, longest)
        bare = not shown.data.materials
        if bare:
            shown.data.materials.append(plain_material())
        bpy.context.view_layer.update()
        product_shot.compose(bpy.context.scene, shown)
        product_shot.render(bpy.context.scene, folder / f"{mesh.stem}.original.png", size, SAMPLES)
        for resolution in RESOLUTIONS:
            decoded = folder / str(resolution) / f"{mesh.stem}.glb"
            if not decoded.exists():
                continue
            bpy.data.objects.remove(shown)
            shown = write_object(bpy.context, read_object(decoded.read_bytes()), mesh.stem, location=(0.0, 0.0, 0.0))
            move(shown, middle, longest)
            if bare:
                shown.data.materials.clear()
                shown.data.materials.append(plain_material())
            product_shot.render(bpy.context.scene, folder / f"{mesh.stem}.{resolution}.png", size, SAMPLES)
    sys.stdout.flush()
    os._exit(0)  # some versions of the module crash in their own clean-up


def extent(shown: Any) -> tuple[Any, float]:
    """Middle of the bounding box, (3,) float64, and its longest side."""
    import numpy as np

    points = np.array([vertex.co for vertex in shown.data.vertices])
    return (points.min(axis=0) + points.max(axis=0)) / 2, float(np.ptp(points, axis=0).max())


def move(shown: Any, middle: Any, longest: float) -> None:
    """To the origin, 1 m large: far away and tiny, a renderer's numbers are too coarse."""
    import numpy as np

    points = np.empty(3 * len(shown.data.vertices), np.float32)
    shown.data.vertices.foreach_get("co", points)
    moved = (points.reshape(-1, 3).astype(np.float64) - middle) / longest
    shown.data.vertices.foreach_set("co", moved.astype(np.float32).reshape(-1))
    shown.data.update()


def imported(path: Path) -> Any:
    """The file as one object, by Blender's own importer."""
    import bpy

    if path.suffix == ".obj":
        bpy.ops.wm.obj_import(filepath=str(path), up_axis="Y", forward_axis="NEGATIVE_Z")
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    meshes = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    for item in meshes:
        item.data = item.data.copy()  # meshes that are used twice cannot be joined
        item.select_set(True)
        bpy.context.view_layer.objects.active = item
    if len(meshes) > 1:
        bpy.ops.object.join()
    bpy.ops.object.parent_clear(type="CLEAR_KEEP_TRANSFORM")
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    remove_unseen(bpy.context.object.data)
    return bpy.context.object


def remove_unseen(mesh: Any) -> None:
    """Faces without area, and vertices that only they or no face use: they would count for the framing."""
    import bmesh

    content = bmesh.new()
    content.from_mesh(mesh)
    flat = [face for face in content.faces if face.calc_area() == 0]
    bmesh.ops.delete(content, geom=flat, context="FACES")
    bmesh.ops.delete(content, geom=[vertex for vertex in content.verts if not vertex.link_faces], context="VERTS")
    content.to_mesh(mesh)
    content.free()


def plain_material() -> Any:
    """What meshes without any material wear, before and after: pure white, as they are read, would hide their shape."""
    import bpy

    material = bpy.data.materials.new("plain")
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.4, 0.42, 0.45, 1)
    shader.inputs["Roughness"].default_value = 1
    return material


def compose(meshes: list[Path], facts: dict[int, dict[str, Any]], folder: Path, output: Path, size: int) -> None:
    """A row per mesh: the original, what comes back, and the finest geometry image."""
    from PIL import Image, ImageDraw, ImageFont

    places = ("original", *map(str, RESOLUTIONS))
    sheet = Image.new("RGB", ((len(places) + 1) * size, HEADING + len(meshes) * (size + CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    titles = (
        "original",
        *(f"omage of {n} x {n}" for n in RESOLUTIONS),
        f"geometry.png of {RESOLUTIONS[-1]} x {RESOLUTIONS[-1]}",
    )
    for column, title in enumerate(titles):
        draw.text((column * size + 6, 5), title, "black", font)
    for row, mesh in enumerate(meshes):
        top = HEADING + row * (size + CAPTION)
        for column, place in enumerate(places):
            picture = folder / f"{mesh.stem}.{place}.png"
            if picture.exists():
                sheet.paste(Image.open(picture), (column * size, top))
            words = mesh.stem if place == "original" else caption(facts[int(place)].get(mesh.name))
            draw.text((column * size + 6, top + size + 3), words, "black", font)
        geometry = folder / str(RESOLUTIONS[-1]) / "omages" / mesh.stem / "geometry.png"
        if geometry.exists():
            sheet.paste(flat_geometry(geometry, size), (len(places) * size, top))
    sheet.save(output, quality=QUALITY, optimize=True)


def flat_geometry(path: Path, size: int) -> Any:
    """A geometry image as an image editor shows it, over a checker."""
    import cv2
    import numpy as np
    from PIL import Image

    stored = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    occupied = stored[..., 3:].astype(np.float32) / 65535
    colors = cv2.resize(stored[..., 2::-1] / np.float32(257) * occupied, (size, size), interpolation=cv2.INTER_AREA)
    opacity = cv2.resize(occupied, (size, size), interpolation=cv2.INTER_AREA)[..., None]
    dark = (np.indices((size, size)) // 8).sum(axis=0) % 2
    ground = np.choose(dark, CHECKER)[..., None]
    return Image.fromarray(np.uint8(colors + ground * (1 - opacity) + 0.5))


def caption(entry: dict[str, Any] | None) -> str:
    if entry is None or entry["error"]:
        return entry["error"]["message"] if entry else "nothing"
    report, measured = entry["result"]["report"], entry["result"]["measured"]
    lost = f", {report['lost_components']} of {report['components']} pieces lost" if report["lost_components"] else ""
    errors = measured["attributes"]
    psnr = errors["albedo_psnr"]
    albedo = "" if psnr is None else ", colour exact" if psnr > EXACT_DB else f", colour {psnr:.0f} dB"
    return (
        f"{report['charts']:,} charts, {report['occupancy']:.0%} full{lost}\n"
        f"off by {measured['chamfer']:.1e}, normals {errors['normal_angle']:.1f}°{albedo}"
    )


if __name__ == "__main__":
    main()
