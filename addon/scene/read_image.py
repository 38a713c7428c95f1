"""Blender's pictures as something that can be sent: a file, the packed file's bytes, or pixels still to be encoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import bpy
import numpy as np

from ...backend.omagen.bundle import pack
from ...backend.omagen.protocol import ErrorCode, OmagenError
from .pixels import Pixels

SENT_AS_IS: Final = {"PNG", "JPEG", "WEBP", "BMP", "TIFF", "TARGA"}
"""File formats that the backend reads itself; anything else is sent as a PNG of Blender's own pixels."""
COLOUR_INPUT: Final = "Base Color"


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
