"""Where compiled kernels are kept."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent.parent
VARIABLE: Final = "NUMBA_CACHE_DIR"


@cache
def cache_folder() -> Path | None:
    """The folder of compiled kernels, which exists; None where nothing can be written.

    In $NUMBA_CACHE_DIR where that is set, else beside the package (`__pycache__/kernels`, so that it goes with the
    environment), else in the user's folder for caches; in the last two cases below a name made of the package's path,
    so that installations do not share it. Beside the package it may be read-only if somebody has prepared it there, as
    an administrator does for others.
    """
    name = f"omagen-{hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:12]}"
    if os.environ.get(VARIABLE):
        places = [Path(os.environ[VARIABLE]) / name]
    else:
        beside = PACKAGE / "__pycache__" / "kernels"
        if not is_writable(beside) and _is_complete(beside):
            return beside
        places = [beside, _user_cache() / "omagen" / name]
    return next((place for place in places if is_writable(place)), None)


def is_writable(folder: Path) -> bool:
    """Whether `folder` can be made and written into; makes it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _is_complete(folder: Path) -> bool:
    from omagen.kernels.stamp import is_stamped

    return is_stamped(folder)


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
