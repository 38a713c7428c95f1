"""A mesh file together with the files it names, as one upload: a zip whose first entry is the mesh file.

glTF and OBJ files may keep buffers, materials and images beside them; an upload is one file. Standard library only,
because Blender's Python imports this module too. `omagen.io.meshes` reads what `pack` makes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

_TEXT_LIMIT: Final = 64 * 2**20
"""Bytes of a file that are searched for names."""
_MOST_FILES: Final = 1000
_MTLLIB = re.compile(r"^[ \t]*mtllib[ \t]+(.+?)[ \t]*$", re.MULTILINE)
_MAP = re.compile(r"^[ \t]*(?:map_\w+|norm|bump|disp|decal|refl)[ \t].*?(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def pack(path: Path) -> Path | bytes:
    """What to upload for the mesh file `path`: the file itself, or a bundle where it names others in its own folder.

    Files that are missing or lie elsewhere are left out; reading the mesh says so. Raises `OSError`.
    """
    files = companions(path)
    if not files:
        return path
    folder = path.resolve().parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for file in (path.resolve(), *files):
            # A fixed date: the same files make the same bundle, and so the same upload.
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            bundle.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def companions(path: Path) -> list[Path]:
    """The files that a glTF or OBJ file names and that exist in its folder or below, each once."""
    names = {".gltf": _gltf_names, ".obj": _obj_names}.get(path.suffix.lower())
    if names is None:
        return []
    folder = path.resolve().parent
    found = (file for name in names(path) if (file := _inside(folder, name)) is not None)
    return list(dict.fromkeys(file for file in found if file != path.resolve()))[:_MOST_FILES]


def _gltf_names(path: Path) -> Iterator[str]:
    try:
        document = json.loads(_text(path))
        for key in ("buffers", "images"):
            for entry in document.get(key, ()):
                uri = entry.get("uri")
                if isinstance(uri, str) and not uri.startswith("data:"):
                    yield unquote(uri)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return  # not glTF: the reader says what is wrong with it


def _obj_names(path: Path) -> Iterator[str]:
    for library in dict.fromkeys(_MTLLIB.findall(_text(path))):
        yield library
        materials = _inside(path.resolve().parent, library)
        if materials is not None:
            below = Path(library.replace("\\", "/")).parent
            yield from ((below / name.replace("\\", "/")).as_posix() for name in _MAP.findall(_text(materials)))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_TEXT_LIMIT).decode("utf-8", "replace")


def _inside(folder: Path, name: str) -> Path | None:
    """The existing file `name` relative to `folder` and inside it, else None."""
    try:
        file = (folder / name.replace("\\", "/")).resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None
    except (OSError, ValueError):
        return None
