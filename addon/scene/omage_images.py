"""An omage's maps between its files and Blender's images, which users paint on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import bpy
import numpy as np

from ...backend.omagen import omage_layout
from ...backend.omagen.omage_layout import Header
from ...backend.omagen.protocol import ErrorCode, OmagenError
from . import png
from .read_image import read_pixels

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
        try:
            width, height = png.size(data)
        except ValueError as error:
            raise _unreadable(name, str(error)) from error
        # Blender reserves what a picture claims to have before it reads any of it.
        if max(width, height) > omage_layout.MAX_RESOLUTION:
            raise _unreadable(name, f"it is {width} x {height}, and {omage_layout.MAX_RESOLUTION} is the most")
        if name == omage_layout.GEOMETRY_FILE and width != height:
            raise _unreadable(name, f"it is {width} x {height}, and not a square")
    if omage_layout.HEADER_FILE in files:
        return Header.decoded(files[omage_layout.HEADER_FILE]), maps
    return Header(png.size(maps[omage_layout.GEOMETRY_FILE])[0]), maps


def write_image(kind: MapKind, png_file: bytes, name: str) -> bpy.types.Image:
    """An image with a map's file packed into it. Raises `OmagenError` (input) where Blender cannot read it."""
    image = bpy.data.images.new(f"{name} {kind.title}", 1, 1, alpha=True, is_data=not kind.is_color)
    # Set before the file is read: else Blender multiplies colours with the transparency, and they are lost under it.
    image.alpha_mode = "CHANNEL_PACKED"
    image.source = "FILE"
    image.pack(data=png_file, data_len=len(png_file))
    if tuple(image.size) != png.size(png_file) or not image.has_data:
        bpy.data.images.remove(image)
        raise _unreadable(kind.file, "Blender cannot open it")
    return image


def read_map(kind: MapKind, image: bpy.types.Image, has_opacity: bool) -> bytes | MapPixels:
    """What an image holds now, unsaved strokes included: its own file where nothing was painted, else its pixels."""
    if image.packed_file and not image.is_dirty and image.source == "FILE" and image.file_format == "PNG":
        data = bytes(image.packed_file.data)
        if data.startswith(png.SIGNATURE):
            return data
    channels = 4 if kind.name == "albedo" and has_opacity else kind.channels
    return MapPixels(read_pixels(image), channels, kind.dtype)


def keep_strokes(kind: MapKind, image: bpy.types.Image, has_opacity: bool) -> None:
    """Pack what was painted, so that it is saved with the file, in as many bits as the map needs."""
    source = read_map(kind, image, has_opacity)
    if isinstance(source, MapPixels):
        data = source.png()
        image.pack(data=data, data_len=len(data))
        image.buffers_free()  # read again from the file, it is no longer unsaved


def prepare(kind: MapKind, image: bpy.types.Image) -> None:
    """Have Blender read the values of a map that the user has opened as they are. Painted ones are left alone."""
    if image.is_dirty or image.source != "FILE":
        return
    if not kind.is_color:
        image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"


def named_like(geometry: bpy.types.Image, images: Sequence[bpy.types.Image]) -> dict[str, bpy.types.Image]:
    """The other maps of a geometry image, by their names: `chair geometry.png` goes with `Chair Albedo`."""
    stem = _stem(geometry.name)
    if not stem.endswith(GEOMETRY.name):
        return {}
    wanted = {stem.removesuffix(GEOMETRY.name) + kind.name: kind.name for kind in OTHERS}
    return {wanted[_stem(image.name)]: image for image in images if _stem(image.name) in wanted}


def _stem(name: str) -> str:
    name = name.casefold()
    for suffix in (".png", ".exr", ".tif", ".tiff"):
        name = name.removesuffix(suffix)
    return name


def _unreadable(name: str, problem: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{name} cannot be read: {problem}.", "Choose another omage.")
