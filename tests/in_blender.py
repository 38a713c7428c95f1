"""Runs the check files of `tests/blender` inside every Blender of this machine: the bpy module, and $BLENDER if set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from places import ROOT

MODULE_PYTHON: Final = Path(os.environ.get("OMAGEN_BPY_PYTHON", ROOT / ".venv-blender" / "bin" / "python"))
PROGRAM: Final = os.environ.get("BLENDER", "")
BLENDERS: Final = ["bpy", "blender"] if PROGRAM else ["bpy"]
TIMEOUT_S: Final = 600


def checks_in(file: Path) -> list[str]:
    """The names of a check file's functions, without importing it: it imports bpy."""
    return re.findall(r"^def (check_\w+)", file.read_text(), re.MULTILINE)


def require_module() -> None:
    if not MODULE_PYTHON.is_file():
        pytest.skip(f"no bpy module here ({MODULE_PYTHON}); `make test` installs it")


def run(blender: str, file: Path, folder: Path) -> dict[str, Any]:
    """What `file` wrote to `checks.json` in `folder`, its last argument, which also holds profile and data."""
    if blender == "bpy":
        require_module()
        command = [str(MODULE_PYTHON), str(file)]
    else:
        command = [PROGRAM, "-b", "--python-exit-code", "1", "--python", str(file)]
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(folder / "profile"),
        "OMAGEN_PYTHON": sys.executable,
        "OMAGEN_DATA": str(folder / "data"),
    }
    child = subprocess.run(
        [*command, "--", str(folder)], env=environment, capture_output=True, text=True, errors="replace",
        timeout=TIMEOUT_S,
    )  # fmt: skip
    written = folder / "checks.json"
    assert written.is_file(), child.stdout + child.stderr
    return json.loads(written.read_text())


def build_extension(archive: Path) -> None:
    """The extension as `make extension` builds it, without its validation, by the bpy module's own builder."""
    require_module()
    scripts = next(MODULE_PYTHON.parent.parent.glob("lib/python*/site-packages/bpy/*/scripts"))
    builder = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
    words = ["build", "--source-dir", str(ROOT), "--output-filepath", str(archive)]
    subprocess.run([str(MODULE_PYTHON), str(builder), *words], check=True, capture_output=True)
