"""The files of an omage that lies in a folder as pictures, with omage.json or as any program has saved them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...backend.omagen import omage_layout
from ...backend.omagen.protocol import ErrorCode, OmagenError
from . import map_names, png
from .map_names import PICTURES
from .omage_files import GEOMETRY, MAPS


def read_folder(path: Path) -> dict[str, bytes]:
    """The files by the names that they have in an omage, whatever they are called and of whatever format.

    `path`: the folder, its omage.json, or any of the pictures: `chair geometry.tif` goes with `Chair_Albedo.png`. A
    picture that is not named like a map is taken as the geometry, alone. Raises OSError, and
    `OmagenError` (input) without a geometry picture or with too large a file.
    """
    names = dict(_names(path))
    if GEOMETRY.file not in names and path.is_dir():
        found = [file for file in path.iterdir() if _is_picture(file) and map_names.parts(file.stem)[1] is GEOMETRY]
        names = dict(_names(found[0])) if len(found) == 1 else {}
    if GEOMETRY.file not in names:
        missing = f"{_beginning(path)}{GEOMETRY.name}"
        raise OmagenError(
            ErrorCode.INPUT,
            f"There is no picture {missing!r} in the folder {_folder(path).name!r}.",
            f"Choose the geometry picture itself, or name it {missing}.png.",
        )
    return {name: _read(file, name) for name, file in names.items()}


def title_of(path: Path) -> str:
    """What the object is called: what the pictures' names begin with, else the folder's name."""
    return (map_names.title(path.stem) if _is_picture(path) else "") or _folder(path).name


def is_ready(files: dict[str, bytes]) -> bool:
    """Whether Blender can show and paint the pictures as they are; others are for the backend to convert first.

    Without omage.json nothing says how the pictures are meant, and geometry without transparency would count as
    occupied everywhere once it is painted.
    """
    if omage_layout.HEADER_FILE not in files:
        return False
    pictures = [data for name, data in files.items() if name != omage_layout.HEADER_FILE]
    return all(data.startswith(png.SIGNATURE) for data in pictures) and png.has_alpha(files[GEOMETRY.file])


def _names(path: Path) -> Iterator[tuple[str, Path]]:
    folder, beginning = _folder(path), _beginning(path)
    header = folder / omage_layout.HEADER_FILE
    if not beginning and header.is_file():
        yield header.name, header
    pictures = [file for file in folder.iterdir() if _is_picture(file)]
    # Of two pictures of one map the better one counts: it comes last.
    pictures.sort(key=lambda file: (PICTURES.index(file.suffix.lower()), file.name), reverse=True)
    named = {map_names.plain(file.stem): file for file in pictures}
    for kind in MAPS:
        if (file := named.get(map_names.plain(beginning + kind.name))) is not None:
            yield kind.file, file
    if _is_picture(path) and map_names.parts(path.stem)[1] is None:
        yield GEOMETRY.file, path


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _beginning(path: Path) -> str:
    """What the names of the pictures begin with."""
    return map_names.parts(path.stem)[0] if _is_picture(path) else ""


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in PICTURES


def _read(file: Path, name: str) -> bytes:
    limit = omage_layout.MAX_HEADER_BYTES if name == omage_layout.HEADER_FILE else omage_layout.MAX_PICTURE_BYTES
    if file.stat().st_size > limit:
        raise OmagenError(
            ErrorCode.INPUT, f"{file.name} is too large; the limit is {limit // 2**20} MiB.", "Choose another omage."
        )
    return file.read_bytes()
