"""A photograph becomes a UV-mapped PBR object in headless Blender, by extension, operator and backend.

Writes out/demo.blend, out/demo.glb and a rendered picture out/demo.png.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
import time
from pathlib import Path
from typing import Final

import blender
import extension

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / ".cache" / "demo"
OUTPUTS: Final = {"blend": "blend", "glb": "glb", "render": "png"}
"""Option of the add-on's command -> ending of the file in out/."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "image", nargs="?", default="", help="the picture; without one: a photograph of a cup of coffee"
    )
    arguments = parser.parse_args()
    start = time.monotonic()
    image = Path(arguments.image).expanduser().resolve() if arguments.image else sample_photograph()
    if not image.is_file():
        raise SystemExit(f"There is no picture {image}.")
    tool = blender.obtain()
    say(f"Picture    {image}")
    say(f"Blender    {tool.title}")
    archive = extension.build(CACHE, tool)
    say(f"Extension  {archive.relative_to(ROOT)}, accepted by Blender's validator; installed into a clean profile")
    outputs = {f"--{kind}": ROOT / "out" / f"demo.{suffix}" for kind, suffix in OUTPUTS.items()}
    for path in outputs.values():
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    words = ["generate", str(image), "--seed", "1", "--resolution", "640", "--samples", "12"]
    words += [word for option, path in outputs.items() for word in (option, str(path))]
    variables = {"OMAGEN_PYTHON": sys.executable, "OMAGEN_DATA": str(CACHE / "data")}
    status = tool.omagen(archive, CACHE / "profile", words, variables)
    lacking = [path.name for path in outputs.values() if not path.exists()]
    if status or lacking:
        say(f"The demo failed (status {status}{', without ' + ', '.join(lacking) if lacking else ''}).")
        return status or 1
    for path in outputs.values():
        say(f"{path.relative_to(ROOT)!s:<15} {path.stat().st_size / 2**20:5.1f} MB")
    say(f"Done in {time.monotonic() - start:.0f} s.")
    return 0


def sample_photograph() -> Path:
    """The coffee cup (CC0, Rachel Michetti) that scikit-image ships."""
    return Path(str(importlib.resources.files("skimage"))) / "data" / "coffee.png"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
