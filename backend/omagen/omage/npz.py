"""The array file of the published data: `arr_0`, uint16 (R, R, 12), row 0 at v = 0 (arXiv 2408.03178, data release).

Channels: position (p + 1) / 2, occupancy, object normal n / 2 + 0.5, base colour in linear light, metalness, roughness.
The published encoder truncates to 16 bits; this one rounds. Centre, scale, opacity and emission have no place in it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from omagen.omage_layout import MAX_RESOLUTION, MIN_RESOLUTION, open_archive
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Omage

ARRAY: Final = "arr_0"
GEOMETRY_CHANNELS: Final = 4
MATERIAL_CHANNELS: Final = 5
LAYOUTS: Final = {4: "geometry", 9: "geometry and material", 12: "geometry, normal and material"}
MAX_BYTES: Final = MAX_RESOLUTION * MAX_RESOLUTION * 12 * 2
_TYPES: Final = ("uint8", "uint16", "float16", "float32", "float64")
_STEPS: Final = np.float32(65535)
_BLOCK: Final = 2**20


def npz_bytes(omage: Omage) -> bytes:
    """The published file of `omage`. Without any material it has the four channels of the geometry only.

    Materials that are missing beside others are white, not metallic and rough; missing normals are zeros, as published.
    """
    bare = all(plane is None for plane in (omage.normal, omage.albedo, omage.metalness, omage.roughness))
    stack = np.zeros((*omage.occupancy.shape, GEOMETRY_CHANNELS if bare else 12), "<u2")
    stack[..., :3] = _quantised((omage.position + np.float32(1)) * np.float32(0.5))
    stack[..., 3] = np.where(omage.occupancy, np.uint16(65535), np.uint16(0))
    if not bare:
        if omage.normal is not None:
            stack[..., 4:7] = _quantised((omage.normal + np.float32(1)) * np.float32(0.5))
        stack[..., 7:10] = 65535 if omage.albedo is None else _quantised(omage.albedo)
        stack[..., 10] = 0 if omage.metalness is None else _quantised(omage.metalness)
        stack[..., 11] = 65535 if omage.roughness is None else _quantised(omage.roughness)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo(f"{ARRAY}.npy")
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, stack, allow_pickle=False)
    return buffer.getvalue()


def is_array_file(source: Path | bytes) -> bool:
    """Whether a zip file holds arrays, not pictures. Raises whatever zipfile raises for a damaged one."""
    if isinstance(source, Path) and source.is_dir():
        return False
    with open_archive(source) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def omage_of_npz(source: Path | bytes, title: str, warn: Callable[[str], None]) -> Omage:
    """The omage in a published array file: (R, R, 4, 9 or 12) of integers of full range or of floats 0 to 1.

    Normals keep the length that the file gives them, so that reading and writing published data changes nothing.
    Raises `OmagenError` (input), naming the file by `title`: damaged, pickled, too large, or of another layout.
    """
    try:
        array = _read_array(source, title)
    except OmagenError:
        raise
    except Exception as error:  # a damaged archive makes zipfile, zlib and numpy raise almost anything
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise _error(title, f"is damaged ({reason})") from error
    occupancy = _occupancy(array, title)
    if array.dtype == np.uint8:
        warn(f"{title[:1].upper()}{title[1:]} has 8 bits per channel: positions are rounded to 1/255 of the size.")
    unit = _unit(array[..., :3], title)
    planes: dict[str, Any] = {"position": unit * np.float32(2) - np.float32(1), "occupancy": occupancy}
    if array.shape[2] == 12 and array[..., 4:7].any():
        planes["normal"] = _unit(array[..., 4:7], title) * np.float32(2) - np.float32(1)
    if array.shape[2] > GEOMETRY_CHANNELS:
        material = array[..., -MATERIAL_CHANNELS:]
        planes["albedo"] = _unit(material[..., :3], title)
        planes["metalness"], planes["roughness"] = (_unit(material[..., i], title) for i in (3, 4))
    return Omage(**planes)


def _read_array(source: Path | bytes, title: str) -> np.ndarray:
    with open_archive(source) as archive:
        entries = {entry.filename: entry for entry in archive.infolist() if entry.filename.endswith(".npy")}
        entry = entries.get(f"{ARRAY}.npy") or (next(iter(entries.values())) if len(entries) == 1 else None)
        if entry is None:
            raise _error(title, f"holds no array {ARRAY!r} but {', '.join(entries)[:100] or 'none'}")
        with archive.open(entry) as opened:
            file: Any = opened  # its type does not know readinto
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            _check_layout(shape, dtype, title)
            order = "F" if fortran else "C"
            array = np.empty(shape, dtype, order)
            view = (array.T if fortran else array).reshape(-1).view(np.uint8)
            filled = 0
            while filled < len(view):
                count = file.readinto(view[filled : filled + _BLOCK])
                if not count:
                    raise _error(title, "is damaged: it holds fewer values than it says")
                filled += count
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_layout(shape: tuple[int, ...], dtype: np.dtype, title: str) -> None:
    if dtype.hasobject:
        raise _error(title, "holds pickled objects, which are never opened")
    if dtype.name not in _TYPES:
        raise _error(title, f"holds values of type {dtype.name[:20]}, not one of {', '.join(_TYPES)}")
    square = len(shape) == 3 and shape[0] == shape[1]
    if not square or shape[2] not in LAYOUTS or not MIN_RESOLUTION <= shape[0] <= MAX_RESOLUTION:
        known = ", ".join(f"{count} ({name})" for count, name in LAYOUTS.items())
        sides = f"{MIN_RESOLUTION} to {MAX_RESOLUTION}"
        raise _error(title, f"has the shape {str(shape)[:60]}, not a square of {sides} pixels with {known} channels")
    if shape[0] * shape[1] * shape[2] * dtype.itemsize > MAX_BYTES:
        raise _error(title, f"is too large; the limit is {MAX_BYTES // 2**20} MiB")


def _occupancy(array: np.ndarray, title: str) -> np.ndarray:
    """Above one half, as published; a value that is not a number is not."""
    half = 0.5 if array.dtype.kind == "f" else np.iinfo(array.dtype).max / 2
    occupancy = array[..., 3] > half
    if not occupancy.any():
        raise _error(title, "has no occupied pixel, so there is no surface")
    return occupancy


def _unit(values: np.ndarray, title: str) -> np.ndarray:
    """0..1 float32, C-contiguous."""
    if values.dtype.kind == "u":
        return np.ascontiguousarray(values) / np.float32(np.iinfo(values.dtype).max)
    if not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):  # NaN fails as well
        raise _error(title, "holds values outside 0 to 1; arrays of networks (-1 to 1) have to be halved and shifted")
    return np.clip(values, 0, 1, dtype=np.float32, casting="unsafe")


def _quantised(unit: np.ndarray) -> np.ndarray:
    return np.clip(unit * _STEPS + np.float32(0.5), 0, _STEPS).astype(np.uint16)


def _error(title: str, problem: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT, f"{title[:1].upper()}{title[1:]} {problem}.", "Choose an array file of the published layout."
    )
