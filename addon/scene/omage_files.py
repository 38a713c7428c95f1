"""An omage's files: those that come, checked before Blender opens them, and those that are made of painted pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...backend.omagen import omage_layout
from ...backend.omagen.omage_layout import Header
from ...backend.omagen.protocol import ErrorCode, OmagenError
from . import png

STRIP: Final = 256
"""Rows that are converted at a time."""


@dataclass(frozen=True)
class MapKind:
    """One map of an omage. `name` is its property's; `file` as `omage_layout` calls it."""

    name: str
    title: str
    file: str
    channels: int
    dtype: type
    is_color: bool = False


GEOMETRY: Final = MapKind("geometry", "Geometry", omage_layout.GEOMETRY_FILE, 4, np.uint16)
OTHERS: Final = (
    MapKind("normal", "Normal", omage_layout.NORMAL_FILE, 3, np.uint16),
    MapKind("albedo", "Albedo", omage_layout.ALBEDO_FILE, 3, np.uint8, is_color=True),
    MapKind("metalness", "Metalness", omage_layout.METALNESS_FILE, 1, np.uint8),
    MapKind("roughness", "Roughness", omage_layout.ROUGHNESS_FILE, 1, np.uint8),
    MapKind("emission", "Emission", omage_layout.EMISSION_FILE, 3, np.uint8, is_color=True),
)
MAPS: Final = (GEOMETRY, *OTHERS)


@dataclass(frozen=True)
class MapPixels:
    """A map as it is painted now: a copy, made into a file by `png` off the main thread."""

    values: np.ndarray
    """(H, W, C) float32 as stored, the bottom row first"""
    channels: int
    dtype: type

    def png(self) -> bytes:
        """A PNG file; values are rounded to the nearest step."""
        height, width, _ = self.values.shape
        tops = range(height, 0, -STRIP)
        return png.encode((self._strip(self.values[max(top - STRIP, 0) : top]) for top in tops), height, width)

    def _strip(self, values: np.ndarray) -> np.ndarray:
        values = values[::-1]
        given = values.shape[2]
        if self.channels == 1:
            values = values[..., : min(given, 3)].mean(axis=-1, keepdims=True)
        elif given < 3:  # a grey image in the place of a coloured one
            alpha = values[..., 1:] if given == 2 else np.ones_like(values[..., :1])
            values = np.concatenate([values[..., :1]] * 3 + [alpha], axis=-1)
        elif given < self.channels:
            values = np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
        steps = np.float32(np.iinfo(self.dtype).max)
        scaled = np.nan_to_num(values[..., : self.channels]).clip(0.0, 1.0) * steps + np.float32(0.5)
        return scaled.astype(self.dtype)


@dataclass(frozen=True)
class OmageFiles:
    """The files of an omage, some still to be made of pixels; `packed` is for any thread."""

    header: Header | None
    maps: Mapping[str, bytes | MapPixels]
    """File name -> its bytes, or what becomes them"""

    def packed(self) -> bytes:
        """One `.omage` file."""
        files = {name: source if isinstance(source, bytes) else source.png() for name, source in self.maps.items()}
        if self.header is not None:
            files[omage_layout.HEADER_FILE] = self.header.encoded()
        return omage_layout.pack(files)


def read_files(data: bytes) -> tuple[Header, dict[str, bytes]]:
    """Header and pictures of a `.omage` file, of a size that Blender can open; fit for any thread.

    Raises `OmagenError` (input) for anything else.
    """
    return checked(omage_layout.unpack(data))


def checked(files: Mapping[str, bytes]) -> tuple[Header, dict[str, bytes]]:
    """The same for the files of a folder."""
    maps = {kind.file: files[kind.file] for kind in MAPS if kind.file in files}
    for name, data in maps.items():
        if not data.startswith(png.SIGNATURE):
            raise unreadable(name, "it is no PNG picture")
        check_size(name, data)
    if omage_layout.HEADER_FILE in files:
        return Header.decoded(files[omage_layout.HEADER_FILE]), maps
    return Header(png.size(maps[omage_layout.GEOMETRY_FILE])[0]), maps


def check_size(name: str, data: bytes) -> None:
    """Raise `OmagenError` (input) for a PNG picture that is too large, or that cannot be a geometry.

    Blender reserves what a picture claims to have before it reads any of it.
    """
    try:
        width, height = png.size(data)
    except ValueError as error:
        raise unreadable(name, str(error)) from error
    if max(width, height) > omage_layout.MAX_RESOLUTION:
        raise unreadable(name, f"it is {width} x {height}, and {omage_layout.MAX_RESOLUTION} is the most")
    if name == omage_layout.GEOMETRY_FILE and width != height:
        raise unreadable(name, f"it is {width} x {height}, and not a square")


def unreadable(name: str, problem: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{name} cannot be read: {problem}.", "Choose another omage.")
