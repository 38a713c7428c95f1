"""Whether all kernels have been compiled: a note in their folder, so that knowing costs milliseconds and no numba."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import uuid4

from omagen.kernels.folder import PACKAGE, cache_folder

FILE: Final = "prepared.json"
_MOST: Final = 8
"""Machines and versions that a folder remembers: a shared one serves several kinds of processors."""
_CPU_TEXT: Final = 8192
"""Bytes of /proc/cpuinfo that hold the first processor."""


def is_prepared() -> bool:
    """Whether every kernel of this code has been compiled for this processor, Python and numba."""
    folder = cache_folder()
    return folder is not None and is_stamped(folder)


def is_stamped(folder: Path) -> bool:
    known = _read(folder)
    return bool(known) and fingerprint() in known


def mark_prepared() -> None:
    """Note that all kernels are there. Does nothing where nothing can be written."""
    folder = cache_folder()
    if folder is None:
        return
    known = [text for text in _read(folder) if text != fingerprint()]
    part = folder / f"{FILE}.{uuid4().hex}"
    with contextlib.suppress(OSError):
        part.write_text(json.dumps([*known, fingerprint()][-_MOST:]))
        part.replace(folder / FILE)


@cache
def fingerprint() -> str:
    """Changes with whatever makes compiled kernels useless: our code, numba, llvmlite, Python, processor, settings."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    for library in ("numba", "llvmlite", "numpy"):
        digest.update(_version_text(library))
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_CPU"))
    digest.update(repr((sys.version, platform.machine(), _processor(), settings)).encode())
    return digest.hexdigest()


def _version_text(library: str) -> bytes:
    """The file that holds the version, found without importing the library."""
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return b""
    folder = Path(spec.origin).parent
    return b"".join(path.read_bytes() for path in (folder / "_version.py", folder / "version.py") if path.exists())


def _processor() -> str:
    """What tells processors apart that need other code, as far as it can be had at once."""
    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            lines = file.read(_CPU_TEXT).decode(errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return os.environ.get("PROCESSOR_IDENTIFIER", "")
    named = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(line for line in lines if line.startswith(named))


def _read(folder: Path) -> list[str]:
    try:
        found = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
