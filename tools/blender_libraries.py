"""The shared libraries that the bpy module needs from the system, even without a window, and minimal systems lack.

Where apt is, the missing ones are unpacked from the system's own signed package source into the environment: this needs
no administrator and changes nothing outside the environment. Elsewhere one sentence says what to install.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "libmd.so.0": "libmd0",
    "libbsd.so.0": "libbsd0",
    "libXau.so.6": "libxau6",
    "libXdmcp.so.6": "libxdmcp6",
    "libxcb.so.1": "libxcb1",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libGLdispatch.so.0": "libglvnd0",
    "libGLX.so.0": "libglx0",
    "libGL.so.1": "libgl1",
}
"""Library -> Debian's package of it; each after those it needs itself."""

DIRECT: Final = ("libX11", "libXext", "libXrender", "libXfixes", "libXi", "libxkbcommon", "libICE", "libSM", "libGL.so")
FOLDER: Final = "system-libraries"
PRELOAD: Final = "omagen_system_libraries.pth"


def complete(environment: Path) -> str:
    """Make `import bpy` work in `environment`; returns what is in the way, as a sentence for the user, or nothing."""
    error = import_error(environment)
    if not error or sys.platform != "linux":
        return error
    lacking = missing(PACKAGES)
    if not lacking:
        return error
    say(f"  this system lacks {len(lacking)} libraries that Blender needs even without a window ({', '.join(lacking)})")
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return remedy(lacking)
    say(f"  unpacking them from the system's package source into {environment.name}/{FOLDER}/")
    target = environment / FOLDER
    problem = unpack([PACKAGES[name] for name in lacking], target)
    if problem:
        return f"{problem}\n{remedy(lacking)}"
    preload(environment, [found for name in lacking for found in target.glob(f"usr/lib/*/{name}")])
    return import_error(environment)


def import_error(environment: Path) -> str:
    """The last line of what `import bpy` says in `environment`; empty when it works."""
    # The child leaves without clean-up, because some versions of the module crash at exit.
    code = "import os, bpy; os._exit(0)"
    child = subprocess.run([str(environment / "bin/python"), "-c", code], capture_output=True, text=True)
    return "" if child.returncode == 0 else (child.stderr.strip().splitlines() or [f"status {child.returncode}"])[-1]


def missing(libraries: Iterable[str]) -> list[str]:
    """Those of `libraries` that the dynamic linker cannot find."""
    return [name for name in libraries if not loadable(name)]


def loadable(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def unpack(packages: list[str], target: Path) -> str:
    """Unpack Debian `packages` into `target` with a package list of our own; returns what went wrong, or nothing."""
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        for folder in ("lists/partial", "archives/partial"):
            (Path(work) / folder).mkdir(parents=True)
        options = {
            "Dir::State::lists": f"{work}/lists",
            "Dir::Cache": work,
            "Debug::NoLocking": "1",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
        }
        apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        # A source that fails to update is no harm as long as the packages themselves arrive.
        subprocess.run([*apt, "update"], cwd=work, capture_output=True)
        child = subprocess.run([*apt, "download", *packages], cwd=work, capture_output=True, text=True)
        if child.returncode:
            return f"apt-get could not fetch them: {(child.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        target.mkdir(exist_ok=True)
        for archive in sorted(Path(work).glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(target)], check=True)
    return ""


def preload(environment: Path, libraries: list[Path]) -> None:
    """Let the environment's Python load `libraries`, in this order, at every start.

    A library that is already loaded satisfies everyone who needs it by name, so nobody has to set LD_LIBRARY_PATH.
    """
    site = next((environment / "lib").glob("python3.*/site-packages"))
    paths = [os.fspath(path) for path in libraries]
    (site / PRELOAD).write_text(f"import ctypes; list(map(ctypes.CDLL, {paths!r}))\n")


def remedy(lacking: list[str]) -> str:
    wanted = [name for name in lacking if name.startswith(DIRECT)]
    return (
        f"Blender cannot start without {', '.join(wanted)}: install them (Debian, Ubuntu: sudo apt install "
        f"{' '.join(PACKAGES[name] for name in wanted)}; elsewhere the packages with the same libraries), "
        "then run the command again."
    )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(complete(Path(sys.argv[1])))
