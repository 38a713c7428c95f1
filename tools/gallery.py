"""Draw docs/gallery.jpg: each picture and, beside it, the object that `inflate` makes of it, from four sides.

    .venv/bin/python tools/gallery.py -o docs/gallery.jpg photo.jpg chair.png …

A mask beside a picture (photo.mask.png) is used. Cycles renders in the bpy module (OMAGEN_BPY_PYTHON or .venv-blender).
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from math import radians
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
SIZE = 256
SAMPLES = 48
TURNS = {"front": 22.8, "three-quarter": -10.0, "side": -55.0, "back": 202.8}
"""Degrees by which the object is turned before the product shot's camera, which looks from 22.8° to its right."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "gallery.jpg")
    parser.add_argument("--render", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.render:
        render(options.pictures, options.render)
    with tempfile.TemporaryDirectory() as folder:
        objects = [make(picture, Path(folder)) for picture in options.pictures]
        command = [MODULE_PYTHON, __file__, *map(str, objects), "--render", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        compose(options.pictures, Path(folder), options.output)
    sys.stdout.write(f"{options.output}\n")


def make(picture: Path, folder: Path) -> Path:
    """Have the command line turn `picture` into `folder/NAME.glb`."""
    target = folder / f"{picture.stem}.glb"
    mask = picture.with_suffix(".mask.png")
    words = ["generate", str(picture), "-o", str(target), "--data", str(folder / "data"), "--quiet"]
    words += ["--mask", str(mask)] if mask.exists() else []
    subprocess.run([sys.executable, "-m", "omagen", *words], check=True)
    return target


def render(objects: list[Path], folder: Path) -> None:
    """In the bpy module: one PNG per object and side."""
    import bpy

    sys.path.insert(0, str(ROOT / "tests"))
    from places import import_extension

    import_extension()
    from omagen_extension.addon import product_shot
    from omagen_extension.addon.scene.glb import read_object
    from omagen_extension.addon.scene.write_object import write_object

    for path in objects:
        for side, turn in TURNS.items():
            bpy.ops.wm.read_homefile(use_empty=True)
            made = write_object(bpy.context, read_object(path.read_bytes()), path.stem)
            made.rotation_euler.z = radians(turn)
            bpy.context.view_layer.update()
            product_shot.compose(bpy.context.scene, made)
            product_shot.render(bpy.context.scene, folder / f"{path.stem}.{side}.png", SIZE, SAMPLES)
    os._exit(0)  # some versions of the module crash in their own clean-up


def compose(pictures: list[Path], folder: Path, output: Path) -> None:
    """One row per picture: the picture itself, then its sides."""
    from PIL import Image, ImageOps

    sheet = Image.new("RGB", ((1 + len(TURNS)) * SIZE, len(pictures) * SIZE), "white")
    for row, path in enumerate(pictures):
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
        picture.thumbnail((SIZE - 16, SIZE - 16))
        place = ((SIZE - picture.width) // 2, row * SIZE + (SIZE - picture.height) // 2)
        sheet.paste(picture, place, picture)
        for column, side in enumerate(TURNS, 1):
            sheet.paste(Image.open(folder / f"{path.stem}.{side}.png"), (column * SIZE, row * SIZE))
    sheet.save(output, quality=88, optimize=True)


if __name__ == "__main__":
    main()
