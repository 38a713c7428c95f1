"""Cut-outs: the picture with its background made transparent, as an image that the user corrects by painting.

A cut-out keeps the picture's colours under its transparent parts, so erasing and restoring are brush strokes on the
alpha channel. Its alpha is the mask that goes to the engine.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..backend.omagen.protocol import ErrorCode, OmagenError
from . import timers
from .scene.read_image import base_colour_image

if TYPE_CHECKING:
    from .properties import OmagenSettings

PREVIEW_SIZE: Final = 256
OF: Final = "omagen_cutout_of"
"""Custom property of a cut-out: the key of the picture that it was made from."""
RENEWAL_S: Final = 0.5
"""Previews are renewed at most this often: reading a large image's pixels takes tens of milliseconds."""

_touched: dict[str, float] = {}
"""Cut-outs whose previews are to be renewed, and when the first stroke since the last renewal ended."""


def picture_key(settings: OmagenSettings, context: bpy.types.Context) -> str:
    """What tells the chosen picture from others; empty while none is chosen."""
    if settings.source == "FILE":
        return "file:" + bpy.path.abspath(settings.filepath) if settings.filepath else ""
    image = picture_image(settings, context)
    return "image:" + image.name_full if image else ""


def picture_image(settings: OmagenSettings, context: bpy.types.Context) -> bpy.types.Image | None:
    """The chosen picture where it is an image of this file."""
    return base_colour_image(context.object) if settings.source == "TEXTURE" else settings.image


def picture_title(settings: OmagenSettings, context: bpy.types.Context) -> str:
    """What results are named after."""
    if settings.source == "FILE":
        return PurePath(bpy.path.basename(settings.filepath)).stem
    image = picture_image(settings, context)
    return PurePath(image.name).stem if image else ""


def find(key: str) -> bpy.types.Image | None:
    """The newest cut-out of a picture, if one was made."""
    made = [image for image in bpy.data.images if key and image.get(OF) == key]
    return made[-1] if made else None


def write(key: str, title: str, png: bytes) -> bpy.types.Image:
    """Make, or renew, the cut-out of a picture from an RGBA PNG. Raises `OmagenError` (environment)."""
    old = find(key)
    image = bpy.data.images.new(f"{title} cut-out", 1, 1, alpha=True)
    image.source = "FILE"
    image.pack(data=png, data_len=len(png))
    if not image.size[0] or image.channels != 4:
        bpy.data.images.remove(image)
        raise OmagenError(ErrorCode.ENVIRONMENT, "The cut-out could not be read.", "Try again.")
    image[OF] = key
    draw_preview(image)
    if old is not None:
        old.user_remap(image)
        name = old.name
        bpy.data.images.remove(old)
        image.name = name
    return image


def draw_preview(image: bpy.types.Image) -> None:
    """Make a cut-out's preview show its transparency; Blender's own shows the colours beneath."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    step = max(1, max(width, height) // PREVIEW_SIZE)
    small = values.reshape(height, width, image.channels)[::step, ::step].copy()
    small[..., :3] *= small[..., 3:]
    preview = image.preview_ensure()
    preview.image_size = (small.shape[1], small.shape[0])
    preview.image_pixels_float.foreach_set(small.ravel())


def install(stack: ExitStack) -> None:
    handlers = bpy.app.handlers.depsgraph_update_post
    handlers.append(_on_update)
    stack.callback(handlers.remove, _on_update)
    stack.callback(_touched.clear)


@bpy.app.handlers.persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """After a brush stroke on a cut-out, renew its preview in a later tick."""
    for update in depsgraph.updates:
        if isinstance(update.id, bpy.types.Image) and is_cutout(update.id) and not bpy.app.background:
            name = update.id.name
            if name not in _touched:
                _touched[name] = time.monotonic()
                timers.retry(lambda name=name: _renew_preview(name))


def _renew_preview(name: str) -> bool:
    if time.monotonic() - _touched[name] < RENEWAL_S:
        return False
    del _touched[name]
    image = bpy.data.images.get(name)
    if image is not None and is_cutout(image):
        draw_preview(image)
    return True


def is_cutout(image: bpy.types.Image) -> bool:
    return OF in image


def adopt_editor_image(context: bpy.types.Context) -> None:
    """In an image editor, its image is the picture, unless it is a cut-out."""
    space = context.space_data
    image = space.image if space and space.type == "IMAGE_EDITOR" else None
    if image is not None and not is_cutout(image):
        context.scene.omagen.source = "IMAGE"
        context.scene.omagen.image = image
