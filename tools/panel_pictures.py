"""Photograph the panel: docs/panel.png, panel-omage.png and panel-mesh.png, from Blender's window on a virtual display.

    .venv/bin/python tools/panel_pictures.py            # needs OMAGEN_SHARED (default: ../shared): tools and assets

`panel_states.py` is what happens in that window.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared"))
STATES = ("ready", "cut-out", "running", "failed", "done")
WINDOW, SCALE = "1600x1000", "1.1"
HEIGHT = 790
"""Of what is shown of the window"""
GAP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs", help="folder (default: docs)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the pictures of the whole window there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = (options.keep or Path(made)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        photograph(folder)
        beside([sidebar(folder, state) for state in STATES]).save(options.output / "panel.png", optimize=True)
        editors = cropped(folder, "omage-decoded", "IMAGE_EDITOR", "VIEW_3D")
        pictures = [sidebar(folder, "omage-before"), editors.crop((0, 0, editors.width, HEIGHT))]
        beside(pictures).save(options.output / "panel-omage.png", optimize=True)
        editors = cropped(folder, "mesh-applied", "IMAGE_EDITOR", "VIEW_3D")
        pictures = [sidebar(folder, "mesh-finished"), editors.crop((0, 0, editors.width, HEIGHT))]
        beside(pictures).save(options.output / "panel-mesh.png", optimize=True)


def photograph(folder: Path) -> None:
    """Have `panel_states.py` leave a picture of each state in `folder`."""
    interpreter = Path(sys.executable).resolve().parent.parent
    with tempfile.TemporaryDirectory() as data:
        archive = Path(data) / "omagen.zip"
        sys.path.insert(0, str(ROOT / "tests"))
        from in_blender import build_extension

        build_extension(archive)
        environment = os.environ | {
            "BLENDER_BIND": f"{ROOT}:{interpreter}:{SHARED}",
            "OMAGEN_PYTHON": sys.executable,
            "OMAGEN_DATA": f"{data}/jobs",
            "OMAGEN_PICTURES": str(folder),
            "OMAGEN_ASSETS": str(SHARED / "assets"),
        }
        command = [SHARED / "tools" / "ui-screenshot.sh", "--out", folder / "last.png", "--install", archive]
        command += ["--tab", "Omagen", "--setup", ROOT / "tools" / "panel_states.py", "--size", WINDOW]
        command += ["--scale", SCALE, "--timeout", "900"]
        subprocess.run(list(map(str, command)), check=True, env=environment)


def cropped(folder: Path, state: str, *parts: str) -> Image.Image:
    """The smallest rectangle of the window that holds some of its parts."""
    boxes = json.loads((folder / f"{state}.json").read_text())
    left, top, right, bottom = zip(*(boxes[part] for part in parts), strict=True)
    with Image.open(folder / f"{state}.png") as window:
        return window.convert("RGB").crop((min(left), min(top), max(right), max(bottom)))


def sidebar(folder: Path, state: str) -> Image.Image:
    picture = cropped(folder, state, "sidebar")
    return picture.crop((0, 0, picture.width, min(HEIGHT, picture.height)))


def beside(pictures: list[Image.Image]) -> Image.Image:
    """All in a row, the tops at one height."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), (29, 29, 29))
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


if __name__ == "__main__":
    main()
