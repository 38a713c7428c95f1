"""Unpacks a mesh file that travelled together with the files it names (see `omagen.bundle`), as hostile input."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from omagen.protocol import ErrorCode, OmagenError

SIGNATURE: Final = b"PK\x03\x04"
MOST_FILES: Final = 1001
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_MESHES: Final = {".gltf", ".obj"}


def unpack(path: Path, folder: Path) -> Path:
    """Write the bundle's files below `folder`; returns the mesh file, which is the first of them.

    Entries must be stored uncompressed, so that nothing unpacks to more than was sent. Raises `OmagenError` (input) for
    archives that are damaged, compressed, or name places outside `folder`.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            entries = bundle.infolist()
            if not entries or len(entries) > MOST_FILES:
                raise _error(f"It is an archive of {len(entries)} files.")
            first = PurePosixPath(entries[0].filename)
            if len(first.parts) != 1 or first.suffix.lower() not in _MESHES:
                raise _error("It is an archive that does not begin with a glTF or OBJ file.")
            for entry in entries:
                _write(bundle, entry, folder)
            return folder / first.name
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise _error(f"It is a damaged archive: {error}.") from error
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise _error("It is a damaged archive.") from error  # offsets and names that no file system takes


def _write(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    name = PurePosixPath(entry.filename)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
        raise _error("It is a compressed or encrypted archive.")
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename:
        raise _error(f"It is an archive with a file outside its folder, {entry.filename[:100]!r}.")
    target = folder / name
    if target.exists() or not target.resolve().is_relative_to(folder.resolve()):
        raise _error(f"It is an archive that holds {entry.filename[:100]!r} twice.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(bundle.read(entry))


def _error(message: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, message, "Save the mesh as GLB, which holds everything in one file.")
