"""An omage's maps as Blender's images, which users paint on."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from . import map_names, png
from .omage_files import GEOMETRY, OTHERS, MapKind, MapPixels, unreadable
from .read_image import read_pixels


def write_image(kind: MapKind, png_file: bytes, name: str) -> bpy.types.Image:
    """An image with a map's file packed into it. Raises `OmagenError` (input) where Blender cannot read it."""
    image = bpy.data.images.new(f"{name} {kind.title}", 1, 1, alpha=True, is_data=not kind.is_color)
    # Set before the file is read: else Blender multiplies colours with the transparency, and they are lost under it.
    image.alpha_mode = "CHANNEL_PACKED"
    image.source = "FILE"
    image.pack(data=png_file, data_len=len(png_file))
    if tuple(image.size) != png.size(png_file) or not image.has_data:
        bpy.data.images.remove(image)
        raise unreadable(kind.file, "Blender cannot open it")
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
    beginning, kind = map_names.parts(map_names.without_suffix(geometry.name))
    if kind is not GEOMETRY:
        return {}
    wanted = {map_names.plain(beginning + kind.name): kind.name for kind in OTHERS}
    named = {map_names.plain(map_names.without_suffix(image.name)): image for image in images}
    return {wanted[name]: image for name, image in named.items() if name in wanted}
