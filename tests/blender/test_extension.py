"""The built extension, installed into a clean profile, driven through its operators against the real backend.

Every check of `extension_checks.py`, in each Blender that is here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from omagen.io.images import encode_png
from places import ROOT

CHECKS_FILE = Path(__file__).with_name("extension_checks.py")
CHECKS = re.findall(r"^def (check_\w+)", CHECKS_FILE.read_text(), re.MULTILINE)
MODULE_PYTHON = Path(os.environ.get("OMAGEN_BPY_PYTHON", ROOT / ".venv-blender" / "bin" / "python"))


def commands() -> dict[str, list[str]]:
    """How to run a script in each Blender of this machine."""
    program = os.environ.get("BLENDER")
    found = {"bpy": [str(MODULE_PYTHON), str(CHECKS_FILE), "--"]}
    if program:
        found["blender"] = [program, "-b", "--python-exit-code", "1", "--python", str(CHECKS_FILE), "--"]
    return found


def picture() -> np.ndarray:
    """(160, 120, 4) uint8: a shaded red ellipse on a transparent ground."""
    y, x = np.mgrid[-1:1:160j, -1:1:120j]
    inside = (x / 0.7) ** 2 + (y / 0.8) ** 2 < 1
    shade = np.clip(1 - 0.5 * np.hypot(x + 0.3, y + 0.3), 0, 1)
    return np.round(255 * np.dstack([shade, 0.4 * shade, 0.3 * shade, inside])).astype(np.uint8)


def build(archive: Path) -> None:
    """The extension as `make extension` builds it, without its validation, by the bpy module's own builder."""
    scripts = next(MODULE_PYTHON.parent.parent.glob("lib/python*/site-packages/bpy/*/scripts"))
    builder = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
    words = ["build", "--source-dir", str(ROOT), "--output-filepath", str(archive)]
    subprocess.run([str(MODULE_PYTHON), str(builder), *words], check=True, capture_output=True)


@pytest.fixture(scope="session", params=list(commands()))
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each check said, in one process of one Blender; empty where it holds."""
    if not MODULE_PYTHON.is_file():
        pytest.skip(f"no bpy module here ({MODULE_PYTHON}); `make test` installs it")
    folder = tmp_path_factory.mktemp("extension")
    build(folder / "omagen.zip")
    (folder / "picture.png").write_bytes(encode_png(picture()))
    (folder / "bad.png").write_bytes(b"<html>not a picture</html>")
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(folder / "profile"),
        "OMAGEN_PYTHON": sys.executable,
        "OMAGEN_DATA": str(folder / "data"),
    }
    command = [*commands()[request.param], str(folder)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert (folder / "checks.json").is_file(), child.stdout + child.stderr
    return json.loads((folder / "checks.json").read_text())


@pytest.mark.parametrize("check", CHECKS)
def test_extension(outcomes: Mapping[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
