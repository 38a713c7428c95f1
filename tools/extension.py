"""Build the Blender extension into dist/ with Blender's own builder, and have Blender's own validator check it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import blender

ROOT: Final = Path(__file__).resolve().parent.parent
CONTENTS: Final = {"__init__.py", "blender_manifest.toml", "LICENSE", "README.md", "pyproject.toml", "addon", "backend"}
"""All that belongs in the extension: the add-on, and the backend with what pip needs to install it."""


def build(target: Path, tool: blender.Blender) -> Path:
    """The validated zip in the folder `target`. Raises `SystemExit` with Blender's words when it refuses."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    archive = target / f"{manifest['id']}-{manifest['version']}.zip"
    target.mkdir(parents=True, exist_ok=True)
    try:
        tool.extension("build", "--source-dir", str(ROOT), "--output-filepath", str(archive))
        tool.extension("validate", str(archive))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"Blender refuses the extension:\n{error.stdout}") from error
    strange = strangers(archive)
    if strange:
        archive.unlink()
        raise SystemExit(f"The extension would contain {', '.join(strange)}: exclude it in blender_manifest.toml.")
    return archive


def strangers(archive: Path) -> list[str]:
    """The top-level names in `archive` that do not belong there, e.g. a picture left in the checkout."""
    with zipfile.ZipFile(archive) as contents:
        return sorted({name.partition("/")[0] for name in contents.namelist()} - CONTENTS)


def main() -> int:
    archive = build(ROOT / "dist", blender.obtain())
    sys.stdout.write(
        f"{archive.relative_to(ROOT)} ({archive.stat().st_size / 1024:.0f} KB), accepted by Blender's validator\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
