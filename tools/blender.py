"""The Blender that the tools use: a program (`$BLENDER`, or `blender` on PATH), else the bpy module in `.venv-blender`.

Both run without a window and with a profile of their own, so nothing here touches the user's Blender settings.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MODULE_PYTHON: Final = ROOT / ".venv-blender" / "bin" / "python"
OLDEST: Final = (4, 2)


@dataclass(frozen=True)
class Blender:
    """One usable Blender. `program` is the blender program, or None for the bpy module."""

    title: str
    program: str | None

    def extension(self, *words: str) -> None:
        """`blender --command extension WORDS…`; raises `CalledProcessError` with what it said when it refuses."""
        if self.program:
            command = [self.program, "--command", "extension", *words]
        else:
            scripts = next(MODULE_PYTHON.parent.parent.glob("lib/python*/site-packages/bpy/*/scripts"))
            tags = scripts / "modules/_bpy_internal/extensions/tags.py"
            command = [str(MODULE_PYTHON), str(scripts / "addons_core/bl_pkg/cli/blender_ext.py"), *words]
            command += ["--valid-tags", str(tags)]
        subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def omagen(self, extension: Path, profile: Path, words: list[str], variables: Mapping[str, str]) -> int:
        """Install the built `extension` into the empty `profile`, then run its command; returns the exit status."""
        shutil.rmtree(profile, ignore_errors=True)
        profile.mkdir(parents=True)
        environment = {**os.environ, **variables, "BLENDER_USER_RESOURCES": str(profile)}
        if not self.program:
            stand_in = Path(__file__).with_name("bpy_command.py")
            return follow([str(MODULE_PYTHON), str(stand_in), str(extension), *words], environment)
        install = ["--command", "extension", "install-file", "-r", "user_default", "-e", str(extension)]
        subprocess.run([self.program, *install], env=environment, check=True, capture_output=True, text=True)
        return follow([self.program, "--command", "omagen", *words], environment)


def follow(command: list[str], environment: Mapping[str, str]) -> int:
    """Run `command` and show its output, of Cycles' many lines only the percentage; returns the status."""
    environment = {**environment, "PYTHONUNBUFFERED": "1"}
    shown = 0
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as child:
        assert child.stdout
        for line in child.stdout:
            sample = re.search(r"^Fra:.*Sample (\d+)/(\d+)", line)
            done = 100 * int(sample[1]) // int(sample[2]) if sample else 0
            if done >= shown + 20:
                shown = done
                line = f"Rendering  ·  {done}%\n"
            elif line.startswith("Fra:"):
                continue
            sys.stdout.write(line)
            sys.stdout.flush()
        return child.wait()


def obtain() -> Blender:
    """The Blender program where a fitting one is, else the bpy module, installed now if need be.

    Raises `SystemExit` with one sentence when `$BLENDER` is unusable or the module cannot be installed.
    """
    named = os.environ.get("BLENDER")
    program = shutil.which(named or "blender")
    version = program_version(program) if program else None
    if program and version and version >= OLDEST:
        return Blender(f"Blender {'.'.join(map(str, version))} ({program})", program)
    if named:
        raise SystemExit(f"BLENDER={named} is not a Blender 4.2 or newer that starts; unset it to use the bpy module.")
    if subprocess.run(["sh", str(ROOT / "tools" / "environment.sh"), "blender"]).returncode:
        raise SystemExit("A Blender program, 4.2 or newer, does as well: set BLENDER=/path/to/blender.")
    return Blender("Blender as a Python module (.venv-blender)", None)


def program_version(program: str) -> tuple[int, ...] | None:
    """`(4, 3, 2)`; None for a program that does not start or is no Blender."""
    try:
        child = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^Blender (\d+)\.(\d+)\.(\d+)", child.stdout, re.MULTILINE)
    return tuple(map(int, found.groups())) if found and child.returncode == 0 else None
