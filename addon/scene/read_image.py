"""Blender's pictures as something that can be sent: a file, the packed file's bytes, or pixels still to be encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bpy
import numpy as np

from ...backend.omagen.bundle import pack
from ...backend.omagen.protocol import ErrorCode, OmagenError
from . import png

SENT_AS_IS: Final = {"PNG", "JPEG", "WEBP", "BMP", "TIFF", "TARGA"}
"""File formats that the backend reads itself; anything else is sent as a PNG of Blender's own pixels."""
COLOUR_INPUT: Final = "Base Color"
STRIP: Final = 256
"""Rows that are converted at a time, so that large pictures take little more memory than their pixels."""


@dataclass(frozen=True)
class Pixels:
    """An image's pixels as Blender holds them; all that is made of them is made by `png`, off the main thread."""

    values: np.ndarray
    """(H, W, C) float32, the bottom row first, C from 1 to 4"""
    is_linear: bool = False
    """True for floating-point images; the others are sRGB."""
    is_mask: bool = False
    """Only what belongs to the object counts: the transparency, or the brightness of a picture that is opaque."""

    def png(self) -> bytes:
        """The picture as a PNG file of 8 bits, RGBA or grey. Takes a while for large ones; fit for any thread."""
        height, width, channels = self.values.shape
        opaque = channels < 4 or float(self.values[..., 3].min()) >= 1.0
        tops = range(height, 0, -STRIP)
        return png.encode((self._strip(self.values[max(top - STRIP, 0) : top], opaque) for top in tops), height, width)

    def _strip(self, values: np.ndarray, opaque: bool) -> np.ndarray:
        """Some rows, turned upside down, as the bytes of the file."""
        values = values[::-1]
        return _mask_of(values, opaque)[..., None] if self.is_mask else _rgba_of(values, self.is_linear)


Sendable = Path | bytes | Pixels | Callable[[], bytes]
"""A file, its bytes, or what makes them off the main thread."""


def sendable(source: Sendable) -> Path | bytes:
    """What the client uploads. Raises `OmagenError` (input) for a mesh whose files cannot be read."""
    if isinstance(source, Pixels):
        return source.png()
    if callable(source):
        return source()
    try:
        return pack(source) if isinstance(source, Path) else source
    except OSError as error:
        reason = error.strerror or str(error)
        raise OmagenError(ErrorCode.INPUT, f"{error.filename} cannot be read: {reason}.", "Choose another.") from error


def picture_file(path: str) -> Path:
    """The file of a path in Blender's notation, `//` being the .blend's folder. Raises `OmagenError` (input)."""
    file = Path(bpy.path.abspath(path)).expanduser()
    if not path or not file.is_file():
        raise OmagenError(ErrorCode.INPUT, f"There is no file {str(file)!r}.", "Choose another file.")
    return file


def read_picture(image: bpy.types.Image) -> Sendable:
    """The picture of an image as its user sees it: unsaved changes count, sequences give their current frame."""
    plain_file = image.source == "FILE" and not image.is_dirty and image.file_format in SENT_AS_IS
    if plain_file and image.packed_file:
        return bytes(image.packed_file.data)
    if plain_file:
        file = Path(bpy.path.abspath(image.filepath, library=image.library))
        if file.is_file():
            return file
    return Pixels(read_pixels(image), is_linear=image.is_float)


def read_mask(image: bpy.types.Image) -> Pixels:
    """White = object: an image's transparency, or its brightness where it is opaque everywhere."""
    return Pixels(read_pixels(image), is_mask=True)


def base_colour_image(obj: bpy.types.Object | None) -> bpy.types.Image | None:
    """The image behind an object's active material's base colour, through mixes, reroutes and groups; else None."""
    material = obj.active_material if obj else None
    tree = material.node_tree if material else None
    shaders = [node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"] if tree else []
    return next((image for node in shaders if (image := image_behind(node.inputs[COLOUR_INPUT]))), None)


def image_behind(socket: bpy.types.NodeSocket, seen: set[bpy.types.Node] | None = None) -> bpy.types.Image | None:
    """The first image on the way back from `socket`, whatever lies between; None if there is none."""
    seen = set() if seen is None else seen
    for link in socket.links:
        node = link.from_node
        if node in seen:
            continue
        seen.add(node)
        if node.type == "TEX_IMAGE":
            return node.image
        inputs = list(node.inputs)
        if node.type == "GROUP" and node.node_tree:
            outputs = (n for n in node.node_tree.nodes if n.type == "GROUP_OUTPUT")
            inputs += [i for n in outputs for i in n.inputs if i.identifier == link.from_socket.identifier]
        found = next((image for i in inputs if (image := image_behind(i, seen))), None)
        if found:
            return found
    return None


def read_pixels(image: bpy.types.Image) -> np.ndarray:
    """float32 (H, W, C), the bottom row first. The one part that needs the main thread: it copies, no more."""
    width, height = image.size
    if (not image.has_data and not width * height) or image.channels == 0:
        raise OmagenError(
            ErrorCode.INPUT,
            f"The image {image.name!r} has no pixels.",
            f"Its file may be missing: {bpy.path.abspath(image.filepath)}"
            if image.filepath
            else "Choose another image.",
        )
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(height, width, image.channels)


def _rgba_of(values: np.ndarray, is_linear: bool) -> np.ndarray:
    """(H, W, C) float32 -> (H, W, 4) uint8 sRGB."""
    channels = values.shape[2]
    full = np.ones((*values.shape[:2], 4), np.float32)
    full[..., :3] = values[..., :1] if channels < 3 else values[..., :3]
    if channels == 4:
        full[..., 3] = values[..., 3]
    full.clip(0.0, 1.0, out=full)
    if is_linear:
        colour = full[..., :3]
        full[..., :3] = np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * colour ** (1 / 2.4) - 0.055)
    return _eight_bit(full)


def _mask_of(values: np.ndarray, opaque: bool) -> np.ndarray:
    """(H, W, C) float32 -> (H, W) uint8, white = object."""
    return _eight_bit((values[..., :3].mean(axis=-1) if opaque else values[..., 3]).clip(0.0, 1.0))


def _eight_bit(values: np.ndarray) -> np.ndarray:
    """float32 from 0 to 1 -> uint8"""
    return (values * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
