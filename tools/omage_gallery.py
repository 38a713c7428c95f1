"""Draw docs/omages.jpg: each mesh and, beside it, what is decoded from its omages of 64, 256 and 1024 pixels.

    .venv/bin/python tools/omage_gallery.py -o docs/omages.jpg chair.glb spot.obj …

Originals come in through Blender's own importers. Cycles renders in the bpy module (OMAGEN_BPY_PYTHON or
.venv-blender).
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
RESOLUTIONS = (64, 256, 1024)
SIZE, CAPTION = 256, 40
SAMPLES = 32
BLOCKS = 2
"""Meshes beside each other in the picture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "omages.jpg")
    parser.add_argument("--render", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.render:
        render(options.meshes, options.render)
    with tempfile.TemporaryDirectory() as folder:
        facts = {resolution: convert(options.meshes, resolution, Path(folder)) for resolution in RESOLUTIONS}
        command = [MODULE_PYTHON, __file__, *map(str, options.meshes), "--render", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        compose(options.meshes, facts, Path(folder), options.output)
    sys.stdout.write(f"{options.output}\n")


def convert(meshes: list[Path], resolution: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Have the command line make `folder/RESOLUTION/NAME.glb`; returns what it measured, by file name."""
    place = folder / str(resolution)
    omages = place / "omages"
    words = [*meshes, "-o", f"{omages}/", "--resolution", resolution, "--measure", "--format", "omage"]
    encoded = omagen("encode", *words, folder=folder)
    omagen("decode", omages, "-o", f"{place}/", folder=folder)
    return {Path(entry["input"]).name: entry for entry in encoded}


def omagen(*words: object, folder: Path) -> list[dict[str, Any]]:
    """The lines that a command of the command line writes. Failures show in the picture."""
    command = [sys.executable, "-m", "omagen", *map(str, words), "--json", "--quiet", "--data", str(folder / "data")]
    lines = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def render(meshes: list[Path], folder: Path) -> None:
    """In the bpy module: one PNG for each mesh and resolution, and one for the original."""
    import bpy

    sys.path.insert(0, str(ROOT / "tests"))
    from places import import_extension

    import_extension()
    from omagen_extension.addon import product_shot
    from omagen_extension.addon.scene.glb import read_object
    from omagen_extension.addon.scene.write_object import write_object

    for mesh in meshes:
        for place in ("original", *map(str, RESOLUTIONS)):
            decoded = folder / place / f"{mesh.stem}.glb"
            if place != "original" and not decoded.exists():
                continue
            bpy.ops.wm.read_homefile(use_empty=True)
            if place == "original":
                shown = imported(mesh)
            else:
                shown = write_object(bpy.context, read_object(decoded.read_bytes()), mesh.stem)
            bpy.context.view_layer.update()
            product_shot.compose(bpy.context.scene, shown)
            product_shot.render(bpy.context.scene, folder / f"{mesh.stem}.{place}.png", SIZE, SAMPLES)
    os._exit(0)  # some versions of the module crash in their own clean-up


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
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.delete_loose()  # vertices that no face uses would count for the framing
    bpy.ops.object.mode_set(mode="OBJECT")
    return bpy.context.object


def compose(meshes: list[Path], facts: dict[int, dict[str, Any]], folder: Path, output: Path) -> None:
    """One row per mesh and block: the original, then its omages, finer and finer."""
    from PIL import Image, ImageDraw, ImageFont

    places = ("original", *RESOLUTIONS)
    rows = -(-len(meshes) // BLOCKS)
    sheet = Image.new("RGB", (BLOCKS * len(places) * SIZE, rows * (SIZE + CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, mesh in enumerate(meshes):
        block, row = divmod(number, rows)
        for column, place in enumerate(places, block * len(places)):
            corner = (column * SIZE, row * (SIZE + CAPTION))
            picture = folder / f"{mesh.stem}.{place}.png"
            if picture.exists():
                sheet.paste(Image.open(picture), corner)
            words = mesh.stem if place == "original" else caption(int(place), facts[int(place)].get(mesh.name))
            draw.text((corner[0] + 6, corner[1] + SIZE + 3), words, "black", font)
    sheet.save(output, quality=86, optimize=True)


def caption(resolution: int, entry: dict[str, Any] | None) -> str:
    if entry is None or entry["error"]:
        return f"{resolution}: {entry['error']['message'] if entry else 'nothing'}"
    report, measured = entry["result"]["report"], entry["result"]["measured"]
    lost = f", {report['lost_components']} of {report['components']} pieces lost" if report["lost_components"] else ""
    errors = measured["attributes"]
    albedo = "" if errors["albedo_psnr"] is None else f", colour {errors['albedo_psnr']:.0f} dB"
    return (
        f"{resolution}: {report['charts']:,} charts, {report['occupancy']:.0%} full{lost}\n"
        f"off by {measured['chamfer']:.1e}, normals {errors['normal_angle']:.1f}°{albedo}"
    )


if __name__ == "__main__":
    main()
