"""Make `.venv` (the backend) or `.venv-blender` (Blender as a Python module); started by environment.sh.

An environment records what was installed in it: a second run returns at once, and changed dependencies are noticed.
Standard library only: nothing is installed yet.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any, Final

import blender_libraries

ROOT: Final = Path(__file__).resolve().parent.parent
BACKEND: Final = ROOT / ".venv"
BLENDER: Final = ROOT / ".venv-blender"
BLENDER_MODULE: Final = "bpy==4.5.15"
CONSTRAINTS: Final = ROOT / "tools" / "constraints.txt"
STAMP: Final = "omagen.json"
LOG: Final = "install.log"
CANCELLED: Final = 130


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=("backend", "blender"))
    parser.add_argument("extras", nargs="*", help="extras of pyproject.toml, for the backend")
    arguments = parser.parse_args()
    if arguments.environment == "backend":
        return prepare_backend(BACKEND, set(arguments.extras))
    return prepare_blender(BLENDER)


def prepare_backend(folder: Path, extras: set[str]) -> int:
    """Install this repository, editable, with `extras` and those that are already in `folder`."""
    project = (ROOT / "pyproject.toml").read_bytes()
    wanted = {
        "project": fingerprint([tomllib.loads(project.decode())["project"], CONSTRAINTS.read_text()]),
        "place": str(ROOT),
    }
    have = read_stamp(folder)
    extras |= set(have.get("extras", ()))
    stamp = {**wanted, "extras": sorted(extras)}
    if have == stamp and works(folder):
        return prepare_kernels(folder)
    target = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    packages = ["--constraint", str(CONSTRAINTS), "--editable", target]
    size = "3 GB on disk, more with CUDA" if "networks" in extras else "800 MB on disk"
    status = install(folder, packages, stamp, f"the backend (about {size})")
    return status or prepare_kernels(folder)


def prepare_kernels(folder: Path) -> int:
    """Compile what the backend would compile when it is used first. Code that does not run yet is no reason to fail."""
    status = subprocess.run([str(python_of(folder)), "-m", "omagen", "prepare"]).returncode
    if status == CANCELLED:
        return status
    if status:
        say("The kernels could not be compiled now: what needs them will try again.")
    return 0


def prepare_blender(folder: Path) -> int:
    """Install the bpy module and whatever shared libraries it needs and this system lacks."""
    stamp = {"module": BLENDER_MODULE, "place": str(ROOT)}
    if read_stamp(folder) == stamp and works(folder):
        return 0
    what = f"Blender as a Python module, {BLENDER_MODULE} (about 1 GB on disk)"
    return install(folder, [BLENDER_MODULE], stamp, what, finish=blender_libraries.complete)


def install(folder: Path, packages: list[str], stamp: dict[str, Any], what: str, finish: Any = None) -> int:
    """Run pip for `packages` in `folder`, then `finish(folder)`; the stamp is written only when both went well."""
    start = time.monotonic()
    say(f"Installing {what} in {folder.name}/ …")
    if not works(folder):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (folder / STAMP).unlink(missing_ok=True)
    status = run_pip(folder, packages)
    if status:
        say(f"The installation failed; everything pip said is in {folder.name}/{LOG}. Its last lines:")
        say("".join((folder / LOG).read_text(errors="replace").splitlines(keepends=True)[-12:]).rstrip())
        return status
    problem = finish(folder) if finish else ""
    if problem:
        say(problem)
        return 1
    (folder / STAMP).write_text(json.dumps(stamp, indent=1) + "\n")
    say(f"  ready after {time.monotonic() - start:.0f} s.")
    return 0


def run_pip(folder: Path, packages: list[str]) -> int:
    """pip's exit status; large downloads are announced, the rest goes to the log."""
    command = [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    with (
        (folder / LOG).open("w") as log,
        subprocess.Popen(
            [*command, *packages], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as pip,
    ):
        assert pip.stdout
        for line in pip.stdout:
            log.write(line)
            large = re.match(r"\s*Downloading (?:\S*/)?(\S+?)-\d\S* \((\d{2,}\.?\d*) MB\)", line)
            if large:
                say(f"  downloading {large[1]} ({large[2]} MB)")
            elif line.startswith("Installing collected packages"):
                say("  unpacking")
        return pip.wait()


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def works(folder: Path) -> bool:
    """False for an environment that is missing, half-made, or whose Python has been removed or cannot run pip."""
    python = python_of(folder)
    return python.exists() and subprocess.run([str(python), "-c", "import pip"], capture_output=True).returncode == 0


def read_stamp(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return {}


def fingerprint(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
