"""Omages on disk, written whole or not at all and read as hostile input: folder, `.omage` or the published `.npz`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np

from omagen import __version__, omage_layout
from omagen.io.decoding import decode_image, file_title
from omagen.omage import png
from omagen.omage.cores import on_cores
from omagen.omage.npz import is_array_file, npz_bytes, omage_of_npz
from omagen.omage.pictures import pictures_of, planes_of
from omagen.omage.side_data import decode_charts, decode_seams, encode_charts, encode_seams, fit_charts
from omagen.omage_layout import GEOMETRY_FILE, HEADER_FILE, PICTURE_FILES, SUFFIX, Header
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Omage

NPZ_SUFFIX: Final = ".npz"


def write_omage(omage: Omage, path: Path) -> None:
    """Write `omage` to `path`: one file where it ends in `.omage` or `.npz`, else a folder of pictures.

    What exists is replaced in one step per file; other files in the folder stay. Raises `OmagenError` (environment)
    where nothing can be written, e.g. on a full disk; what was there before is then unchanged.
    """
    suffix = path.suffix.lower()
    with _disk_errors(path):
        if suffix == NPZ_SUFFIX:
            _write_file(path, npz_bytes(omage))
        elif suffix == SUFFIX:
            _write_file(path, omage_layout.pack(omage_files(omage)))
        else:
            _write_folder(path, omage_files(omage))


def read_omage(path: Path) -> tuple[Omage, tuple[str, ...]]:
    """The omage at `path` (folder, its omage.json, `.omage` or `.npz`: content decides), and warnings for the user.

    Raises `OmagenError` (input): nothing readable there, damaged, too large, or of an unknown version.
    """
    title = file_title(path, "omage")
    warnings: list[str] = []
    folder = path.parent if path.name in (HEADER_FILE, GEOMETRY_FILE) else path
    if folder.is_dir():
        return omage_of_files(_read_folder(folder, title), warnings), tuple(warnings)
    if not path.is_file():
        raise _unreadable(f"There is no omage at {path.name!r}.")
    try:
        arrays = is_array_file(path)
    except OmagenError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        raise _unreadable(f"{title[:1].upper()}{title[1:]} is damaged or not an omage.") from error
    if arrays:
        omage = replace(omage_of_npz(path, title, warnings.append), name=path.stem[:200])
    else:
        omage = omage_of_files(omage_layout.unpack(path), warnings)
    return omage, tuple(warnings)


def omage_files(omage: Omage) -> dict[str, bytes]:
    """The files of an omage's folder by name, omage.json last."""
    pictures, strength = pictures_of({field.name: getattr(omage, field.name) for field in fields(omage)})
    header = Header(
        resolution=omage.resolution,
        name=omage.name[:200].encode("utf-8", "replace").decode(),
        generator=f"Omagen {__version__}",
        centre=omage.centre,
        scale=omage.scale,
        alpha_mode=omage.alpha_mode,
        alpha_cutoff=omage.alpha_cutoff,
        double_sided=omage.double_sided,
        emission_strength=strength,
        charts="" if omage.chart is None else encode_charts(omage.chart),
        seams="" if omage.seam is None else encode_seams(omage.seam),
    )
    encoded = on_cores(png.encode_png, pictures.values())
    return dict(zip(pictures, encoded, strict=True)) | {HEADER_FILE: header.encoded()}


def omage_of_files(files: Mapping[str, bytes], warnings: list[str]) -> Omage:
    """The omage that the `files` of a folder are, by name; geometry.png alone is enough. Adds to `warnings`."""
    header = Header.decoded(files[HEADER_FILE]) if HEADER_FILE in files else None
    if header is None:
        warnings.append(f"There is no {HEADER_FILE}: size and place of the object are unknown, it is 2 m large.")
    pictures = {name: _picture(files[name], name, warnings) for name in PICTURE_FILES if name in files}
    if GEOMETRY_FILE not in pictures:
        raise _unreadable(f"The omage has no {GEOMETRY_FILE}.")
    planes: dict[str, Any] = planes_of(pictures, 1.0 if header is None else header.emission_strength, warnings.append)
    if header is None:
        return Omage(**planes, alpha_mode="MASK" if "opacity" in planes else "OPAQUE")
    if "opacity" in planes and header.alpha_mode == "OPAQUE":
        warnings.append(f"{omage_layout.ALBEDO_FILE} is transparent in places, but alpha_mode is OPAQUE: not shown.")
    return Omage(
        **planes,
        **_side_data(header, planes["occupancy"], warnings),
        centre=header.centre,
        scale=header.scale,
        alpha_mode=header.alpha_mode,  # type: ignore[arg-type]
        alpha_cutoff=header.alpha_cutoff,
        double_sided=header.double_sided,
        name=header.name,
    )


def _picture(data: bytes, name: str, warnings: list[str]) -> np.ndarray:
    if data.startswith(png.SIGNATURE):
        return png.decode_png(data, name, omage_layout.MAX_RESOLUTION)
    decoded = decode_image(data, name, photo=False)  # another format under a PNG's name, 8 bits per channel at best
    warnings.extend(decoded.warnings)
    opaque = decoded.rgba[..., 3].min() == 255
    return decoded.rgba[..., :3] if opaque else decoded.rgba


def _side_data(header: Header, occupancy: np.ndarray, warnings: list[str]) -> dict[str, np.ndarray]:
    """Charts and seams, fitted to an occupancy that may have been edited."""
    if header.resolution != occupancy.shape[0]:
        if header.charts or header.seams:
            warnings.append(f"{GEOMETRY_FILE} has another size than {HEADER_FILE} says: charts and seams are dropped.")
        return {}
    found = {}
    try:
        if header.charts:
            found["chart"] = fit_charts(decode_charts(header.charts, header.resolution), occupancy)
        if header.seams:
            seam = decode_seams(header.seams, header.resolution)
            found["seam"] = np.where(occupancy, seam, np.int32(-1))
    except ValueError as error:
        warnings.append(f"The charts and seams in {HEADER_FILE} are damaged and dropped: {error}.")
        return {}
    return found


def _read_folder(folder: Path, title: str) -> dict[str, bytes]:
    files = {}
    for name in omage_layout.FILES:
        path = folder / name
        if not path.is_file():
            continue
        limit = omage_layout.MAX_HEADER_BYTES if name == HEADER_FILE else omage_layout.MAX_PICTURE_BYTES
        try:
            with path.open("rb") as file:
                files[name] = file.read(limit + 1)
        except OSError as error:
            raise _unreadable(f"{name} cannot be read: {error.strerror or error}.") from error
        if len(files[name]) > limit:
            raise _unreadable(f"{name} is too large; the limit is {limit // 2**20} MiB.")
    if GEOMETRY_FILE not in files:
        raise _unreadable(f"{title[:1].upper()}{title[1:]} has no {GEOMETRY_FILE}.")
    return files


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """All files are written beside their places first, so that a full disk is met before anything is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = _part(folder)
    part.mkdir()
    try:
        for name, data in files.items():
            (part / name).write_bytes(data)
        if not folder.exists():
            part.rename(folder)
            return
        for name in files:
            (part / name).replace(folder / name)
        for name in set(omage_layout.FILES) - files.keys():
            (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Where to write before renaming to `path`: beside it, under a name that no one else uses."""
    return path.with_name(f"{omage_layout.part_start(path.name)}-{uuid4().hex}.part")


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The omage {path.name!r} cannot be written: {error.strerror or error}.",
            "Free some space or choose another folder.",
        ) from error


def _unreadable(message: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, message, "Choose a folder or a file that holds an omage.")
