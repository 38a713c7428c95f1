"""Which files become which, and which of them are done already: for commands that convert whole folders."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omagen import __version__, bundle, omage_layout
from omagen.protocol import ErrorCode, OmagenError

MESH_SUFFIXES: Final = frozenset({".glb", ".gltf", ".obj", ".ply", ".stl"})
OMAGE_SUFFIXES: Final = frozenset({omage_layout.SUFFIX, ".npz"})
RECORD_FILE: Final = ".omagen.jsonl"
"""In a folder of results: a JSON line for each, by which an interrupted run is resumed."""


@dataclass(frozen=True)
class Conversion:
    source: Path
    output: Path


def is_mesh(path: Path) -> bool:
    return path.suffix.lower() in MESH_SUFFIXES and path.is_file()


def is_omage(path: Path) -> bool:
    """Whether `path` looks like an omage: a file by its suffix, a folder by its geometry."""
    if path.is_dir():
        return (path / omage_layout.GEOMETRY_FILE).is_file()
    return path.suffix.lower() in OMAGE_SUFFIXES and path.is_file()


def plan_folder(
    sources: Sequence[str], folder: Path, suffix: str, is_source: Callable[[Path], bool]
) -> list[Conversion]:
    """One output in `folder` for each source; the arguments may be folders, whose subfolders are kept.

    Outputs are named after their sources; where several sources differ in their suffix only, it becomes part of the
    name (chair-obj), and what would still be one output is numbered (chair-obj-2) in the order of the sources. Raises
    `OmagenError` (input) where a folder holds no source.
    """
    found = dict.fromkeys(pair for source in sources for pair in _sources_in(Path(source).expanduser(), is_source))
    suffixes: dict[str, set[str]] = {}
    for _, place in found:
        suffixes.setdefault(_key(place.with_suffix("")), set()).add(place.suffix.lower())
    planned, taken = [], set()
    for path, place in found:
        alone = len(suffixes[_key(place.with_suffix(""))]) == 1 or not place.suffix
        name = place.stem if alone else f"{place.stem}-{place.suffix[1:].lower()}"
        output, number = place.with_name(name + suffix), 1
        while _key(output) in taken:
            number += 1
            output = place.with_name(f"{name}-{number}{suffix}")
        taken.add(_key(output))
        planned.append(Conversion(path, folder / output))
    return planned


def _key(place: Path) -> str:
    """The same for names that some file systems do not tell apart."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _sources_in(path: Path, is_source: Callable[[Path], bool]) -> Iterator[tuple[Path, Path]]:
    """(source, its place below the folder of results) for a source, or for all sources below a folder."""
    if is_source(path) or not path.is_dir():
        yield path, Path(path.name)
        return
    found = False
    for parent, folders, files in os.walk(path):
        folders.sort()
        inner = [name for name in folders if is_source(Path(parent, name))]
        folders[:] = [name for name in folders if name not in inner and not name.startswith(".")]
        for name in sorted([*inner, *files]):
            if not name.startswith(".") and is_source(Path(parent, name)):
                found = True
                yield Path(parent, name), Path(parent, name).relative_to(path)
    if not found:
        raise OmagenError(ErrorCode.INPUT, f"There is nothing to convert in {path}.", "Choose another folder.")


def check_outputs(conversions: Sequence[Conversion]) -> None:
    """Raise `OmagenError` (input) where an output is an input too, or lies below a file."""
    sources = {item.source.resolve() for item in conversions}
    for item in conversions:
        if item.output.resolve() in sources:
            raise OmagenError(ErrorCode.INPUT, f"{item.output} is an input too.", "Choose another output with -o.")
    for folder in {item.output.parent for item in conversions}:
        above = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if above.exists() and not above.is_dir():
            raise OmagenError(ErrorCode.INPUT, f"{above} is a file, not a folder.", "Choose another output with -o.")


def digest(source: Path) -> str:
    """SHA-256 of a source with the files that belong to it. Raises `OmagenError` (input) for what cannot be read."""
    try:
        if source.is_dir():
            total = hashlib.sha256()
            for name in omage_layout.FILES:
                if (source / name).is_file():
                    total.update(f"{name}\0".encode() + (source / name).read_bytes())
            return total.hexdigest()
        packed = bundle.pack(source)
        if isinstance(packed, bytes):
            return hashlib.sha256(packed).hexdigest()
        with packed.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise OmagenError(
            ErrorCode.INPUT, f"{source.name} cannot be read: {reason}.", "Check its name and permissions."
        ) from error


class Record:
    """What a folder of results was made from. A result is current while source, settings and Omagen are the same.

    A result that its user has edited stays current: it is never overwritten unasked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / RECORD_FILE
        self._entries: dict[str, dict[str, Any]] = {}
        with suppress(OSError):
            for line in self._path.read_text("utf-8", "replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # a line that a crash has cut off
                    entry = json.loads(line)
                    self._entries[entry["output"]] = entry

    def is_current(self, item: Conversion, settings: Mapping[str, Any]) -> bool:
        entry = self._entries.get(self._name(item))
        if entry is None or not item.output.exists() or not item.source.exists():
            return False
        return entry == self._entry(item, settings, digest(item.source))

    def add(self, item: Conversion, settings: Mapping[str, Any], source_digest: str) -> None:
        """Note a result. Where that cannot be written it will be made again another time, which harms nobody."""
        line = json.dumps(self._entry(item, settings, source_digest)) + "\n"
        with suppress(OSError), self._path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else "\n" + line  # a line that a crash has cut off
            file.write(line.encode())

    def _name(self, item: Conversion) -> str:
        return item.output.relative_to(self._folder).as_posix()

    def _entry(self, item: Conversion, settings: Mapping[str, Any], source_digest: str) -> dict[str, Any]:
        return {
            "output": self._name(item),
            "source": source_digest,
            "settings": dict(settings),
            "version": __version__,
        }


def discard_parts(outputs: Iterable[Path]) -> None:
    """Remove what processes that were killed while they wrote `outputs` have left beside them."""
    starts: dict[Path, set[str]] = {}
    for output in outputs:
        starts.setdefault(output.parent, set()).add(omage_layout.part_start(output.name))
    for folder, wanted in starts.items():
        with suppress(OSError):
            for path in list(folder.iterdir()):
                if path.name.endswith(".part") and path.name[: omage_layout.PART_START_LENGTH] in wanted:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
