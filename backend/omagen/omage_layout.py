"""How an omage lies on disk: a folder of pictures with a small `omage.json`, or one `.omage` file, a zip of the same.

    geometry.png    16-bit RGBA: position (p + 1) / 2, opaque where occupied
    normal.png      16-bit RGB: object-space normal n / 2 + 0.5
    albedo.png      8-bit sRGB, RGBA where the object has opacity
    metalness.png   8-bit grey, linear; roughness.png likewise
    emission.png    8-bit sRGB, times `emission_strength`; only where something glows
    omage.json      `Header`

Pictures are upright: their top row is v = 1. Only geometry.png must be there. Common to the backend and the add-on:
standard library only.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from .protocol import ErrorCode, OmagenError

FORMAT: Final = "omage"
VERSION: Final = 1
FRAME: Final = "right-handed, +Z up, front -Y"
SUFFIX: Final = ".omage"

HEADER_FILE: Final = "omage.json"
GEOMETRY_FILE: Final = "geometry.png"
NORMAL_FILE: Final = "normal.png"
ALBEDO_FILE: Final = "albedo.png"
METALNESS_FILE: Final = "metalness.png"
ROUGHNESS_FILE: Final = "roughness.png"
EMISSION_FILE: Final = "emission.png"
PICTURE_FILES: Final = (GEOMETRY_FILE, NORMAL_FILE, ALBEDO_FILE, METALNESS_FILE, ROUGHNESS_FILE, EMISSION_FILE)
FILES: Final = (HEADER_FILE, *PICTURE_FILES)

MIN_RESOLUTION: Final = 32
MAX_RESOLUTION: Final = 4096
MAX_HEADER_BYTES: Final = 64 * 2**20
MAX_HEADER_VALUES: Final = 2000
"""Brackets and commas in `omage.json`, in names too: a few bytes of them cost a hundred once they are read."""
MAX_PICTURE_BYTES: Final = 144 * 2**20
"""A geometry picture of 4096 x 4096 that does not compress at all."""
MAX_TOTAL_BYTES: Final = 320 * 2**20
MAX_ENTRIES: Final = 64
MAX_DIRECTORY_BYTES: Final = 2**20
_TAIL_BYTES: Final = 22 + 2**16
_END_MARK: Final = b"PK\5\6"
_END_RECORD: Final = struct.Struct("<4s4H2LH")
"""The end of a zip file's directory; its sixth number is the directory's length in bytes."""

ALPHA_MODES: Final = ("OPAQUE", "MASK", "BLEND")


@dataclass(frozen=True)
class Header:
    """The content of `omage.json`. `centre` and `scale` as in `omagen.shapes.Omage`."""

    resolution: int
    name: str = "object"
    generator: str = ""
    """What wrote the files, e.g. "Omagen 0.3.0"."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    emission_strength: float = 1.0
    charts: str = ""
    """Chart numbers of all pixels in the text form of `omagen.omage.side_data`, for `resolution`; empty: not stored."""
    seams: str = ""
    """Seam numbers of the boundary pixels, likewise. Charts and seams may be dropped: decoding does without."""

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, "frame": FRAME} | asdict(self)

    def encoded(self) -> bytes:
        """The bytes of `omage.json`."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False).encode()

    @classmethod
    def decoded(cls, data: bytes) -> Header:
        """Read the bytes of `omage.json`. Raises `OmagenError` (input), naming what does not fit."""
        try:
            small = len(data) <= MAX_HEADER_BYTES and sum(map(data.count, b"{[,")) <= MAX_HEADER_VALUES
            content = json.loads(data.decode("utf-8-sig")) if small else None
        except (ValueError, RecursionError) as error:
            raise _error(f"{HEADER_FILE} is damaged: {str(error)[:100]}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _error(f"{HEADER_FILE} does not describe an omage")
        return cls.from_json(content)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Header:
        version = content.get("version")
        if version != VERSION or isinstance(version, bool):
            raise OmagenError(
                ErrorCode.INPUT,
                f"The omage has format version {json.dumps(version)[:20]}; this Omagen reads version {VERSION}.",
                "Update Omagen, or save the omage again with the Omagen that wrote it, as .npz.",
            )
        if content.get("frame", FRAME) != FRAME:
            raise _error(f"the frame of {HEADER_FILE} is not {FRAME!r}")
        values = {key: value for key, value in content.items() if key not in ("format", "version", "frame")}
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise _error(f"{HEADER_FILE} has unknown fields: {', '.join(sorted(unknown))[:100]}")
        for key, value in values.items():
            if not _CHECKS[key](value):
                raise _error(f"the field {key!r} of {HEADER_FILE} cannot be {str(value)[:40]!r}")
        if "resolution" not in values:
            raise _error(f"{HEADER_FILE} names no resolution")
        if "centre" in values:
            values["centre"] = tuple(map(float, values["centre"]))
        return cls(**values)


PART_START_LENGTH: Final = 17


def part_start(name: str) -> str:
    """How the names begin of the files, ending in `.part`, that are written before they are renamed to `name`."""
    return "." + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[: PART_START_LENGTH - 1]


def pack(files: Mapping[str, bytes]) -> bytes:
    """One `.omage` file of the omage's `files` by name. The same files make the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in FILES:
            if name in files:
                archive.writestr(zipfile.ZipInfo(name), files[name])
    return buffer.getvalue()


def unpack(source: Path | bytes) -> dict[str, bytes]:
    """The omage's files in a `.omage` file, by name; files that are not part of an omage are left out.

    Raises `OmagenError` (input): damaged, too large, no geometry, or with names that are not plain file names.
    """
    try:
        with open_archive(source) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            return {entry.filename: archive.read(entry) for entry in entries if entry.filename in FILES}
    except OmagenError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and zlib raise almost anything
        raise _error(f"the file is a damaged archive ({str(error)[:100] or type(error).__name__})") from error


def open_archive(source: Path | bytes) -> zipfile.ZipFile:
    """Open a zip file, unless its directory is so long that merely listing it would take all memory.

    Raises `OmagenError` (input), and for damaged files whatever zipfile raises.
    """
    if isinstance(source, bytes):
        tail = source[-_TAIL_BYTES:]
    else:
        with source.open("rb") as file:
            file.seek(max(source.stat().st_size - _TAIL_BYTES, 0))
            tail = file.read()
    end = len(tail) - _END_RECORD.size  # where it is when the archive has no comment; else, as zipfile does, search
    if end < 0 or tail[end : end + 4] != _END_MARK or not tail.endswith(b"\0\0"):
        end = tail.rfind(_END_MARK)
    if 0 <= end <= len(tail) - _END_RECORD.size:
        directory_bytes = _END_RECORD.unpack_from(tail, end)[5]
        if directory_bytes > MAX_DIRECTORY_BYTES or tail[max(end - 20, 0) : end].startswith(b"PK\6\7"):
            raise _error("the archive holds too many files")
    return zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MAX_ENTRIES or len({name.lower() for name in names}) < len(names):
        raise _error("the archive holds too many files, or one of them twice")
    for name in names:
        if not name or len(name) > 100 or name in (".", "..") or any(mark in name for mark in "/\\:\0"):
            raise _error(f"the archive holds {name[:100]!r}, which is not a plain file name")
    if GEOMETRY_FILE not in names:
        raise _error(f"the archive holds no {GEOMETRY_FILE}")
    wanted = [entry for entry in entries if entry.filename in FILES]
    for entry in wanted:
        if entry.flag_bits & 1:
            raise _error("the archive is encrypted")
        if entry.file_size > (MAX_HEADER_BYTES if entry.filename == HEADER_FILE else MAX_PICTURE_BYTES):
            raise _error(f"{entry.filename} is too large ({entry.file_size // 2**20} MiB)")
    if sum(entry.file_size for entry in wanted) > MAX_TOTAL_BYTES:
        raise _error(f"the archive is too large; the limit is {MAX_TOTAL_BYTES // 2**20} MiB")


def _is_number(value: Any, low: float = -1e39, high: float = 1e39) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high and math.isfinite(value)


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit and not any("\ud800" <= mark <= "\udfff" for mark in value)


_CHECKS: Final = {
    "resolution": lambda value: type(value) is int and MIN_RESOLUTION <= value <= MAX_RESOLUTION,
    "name": lambda value: _is_text(value, 200),
    "generator": lambda value: _is_text(value, 200),
    "centre": lambda value: isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_number, value)),
    "scale": lambda value: _is_number(value, 1e-39),
    "alpha_mode": lambda value: value in ALPHA_MODES,
    "alpha_cutoff": lambda value: _is_number(value, 0, 1),
    "double_sided": lambda value: isinstance(value, bool),
    "emission_strength": lambda value: _is_number(value, 0),
    "charts": lambda value: isinstance(value, str) and value.isascii(),
    "seams": lambda value: isinstance(value, str) and value.isascii(),
}


def _error(problem: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT,
        f"The omage cannot be read: {problem}.",
        "Choose another file, or save the omage again with Omagen.",
    )
