"""Decodes one image file of unknown content into RGBA pixels, with all limits checked before pixels are decoded.

The content decides the format, never the name. Two callers with different rules share it: pictures chosen by the user
(colour profiles and camera rotation are applied) and textures inside 3D files (both are ignored, as glTF 2.0 demands).
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from omagen.protocol import ErrorCode, OmagenError

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded. A closed list: Pillow knows some fifty formats, and one of them starts Ghostscript."""
MAX_PIXELS: Final = 64 * 2**20
"""8192 x 8192, above any common camera. Decoding peaks at 350 MB for most formats, 450 MB for progressive JPEG."""
MAX_PIXELS_COSTLY: Final = 24 * 2**20
"""For what needs more per pixel while it is decoded (measured: WebP 16 bytes, CMYK JPEG 9), to stay below 500 MB."""
MAX_SIDE: Final = 16384
MAX_DECODED_SIDE: Final = 4096
"""Longer pictures are scaled down while they are decoded: no engine looks closer, and memory stays bounded."""
STRIP_ROWS: Final = 512

_ROTATIONS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    rgba: np.ndarray
    """(H, W, 4) uint8, straight alpha, top row first"""
    size: tuple[int, int]
    """Width and height that the file states, before any scaling."""
    warnings: tuple[str, ...]


def file_title(path: Path, kind: str) -> str:
    """How messages name a file: `the picture "cup.png"`. An upload's name is its hash, which tells nobody anything."""
    return f"the {kind}" if re.fullmatch(r"[0-9a-f]{64}", path.name) else f'the {kind} "{path.name}"'


def decode_image(
    source: Path | bytes,
    title: str,
    *,
    photo: bool,
    max_side: int = MAX_DECODED_SIDE,
    check: Callable[[tuple[int, int]], None] | None = None,
) -> Decoded:
    """Decode `source`; `title` names it in messages. `photo` applies colour profile and camera rotation.

    The result is scaled down by a whole factor until no side is longer than `max_side`.
    `check` sees (width, height) before anything is decoded, and before the general limits, and may raise.
    Raises `OmagenError` (input): empty, damaged, too large, or none of `FORMATS`.
    """
    with _open(source, title) as image:
        if check is not None:
            check(image.size)
        _check_size(image, title)
        return _decode(image, title, photo, max_side)


def image_size(source: Path | bytes, title: str) -> tuple[int, int]:
    """(width, height) from the header alone, within the limits; same errors as `decode_image`."""
    with _open(source, title) as image:
        _check_size(image, title)
        return image.size


def _check_size(image: Image.Image, title: str) -> None:
    width, height = image.size
    limit = MAX_PIXELS_COSTLY if image.format == "WEBP" or image.mode == "CMYK" else MAX_PIXELS
    if width * height > limit or max(width, height) > MAX_SIDE:
        raise _too_large(title, f" ({width} x {height})", limit)


def _open(source: Path | bytes, title: str) -> Image.Image:
    if (len(source) if isinstance(source, bytes) else source.stat().st_size) == 0:
        raise _error(title, "is empty", "Choose another file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(title) from error
    except Exception as error:  # a damaged file makes Pillow's plug-ins raise almost anything
        known = ", ".join(FORMATS)
        raise _error(title, "is damaged or not an image that can be read", f"Save it as one of: {known}.") from error


def _decode(image: Image.Image, title: str, photo: bool, max_side: int) -> Decoded:
    size = image.size
    notes: list[str] = []
    with _clear_errors(title):
        if getattr(image, "is_animated", False) and image.format != "MPO":
            notes.append(f"{_sentence(title)} is animated; its first frame is used.")
        image.draft(None, (max_side, max_side))  # lets the JPEG decoder scale by 2, 4 or 8 for free; others ignore it
        image.load()
        orientation = image.getexif().get(0x0112, 1) if photo else 1
        profile = image.info.get("icc_profile") if photo else None
        if image.mode in {"I", "F"}:
            raise _error(title, "has 32-bit pixels, which are not supported", "Save it with 8 or 16 bits per channel.")
        rgba = _strips(image, -(-max(image.size) // max_side), _ColorProfile(profile, title, notes))
    if max(size) > max_side:
        notes.append(f"{_sentence(title)} is {size[0]} x {size[1]}; scaled to {rgba.shape[1]} x {rgba.shape[0]}.")
    rotation = _ROTATIONS.get(orientation)
    if rotation is not None:
        rgba = np.asarray(Image.fromarray(rgba).transpose(rotation))
    return Decoded(np.ascontiguousarray(rgba), size, tuple(notes))


@contextmanager
def _clear_errors(title: str) -> Iterator[None]:
    """Turns whatever Pillow raises on a damaged file, MemoryError included, into one error for the user."""
    try:
        yield
    except OmagenError:
        raise
    except Exception as error:
        log.info("cannot decode %s", title, exc_info=True)
        raise _error(title, f"is damaged ({_reason(error)})", "Save it again from the program it came from.") from error


def _strips(image: Image.Image, factor: int, profile: _ColorProfile) -> np.ndarray:
    """Convert strip by strip, so that the decoded image and the result are all that is ever held whole."""
    width, height = image.size
    rows = -(-STRIP_ROWS // factor) * factor
    rgba = np.empty((-(-height // factor), -(-width // factor), 4), np.uint8)
    for top in range(0, height, rows):
        strip = profile.apply(_eight_bit(image.crop((0, top, width, min(top + rows, height)))))
        strip = strip.convert("RGBA")
        if factor > 1:
            strip = strip.reduce(factor)
        rgba[top // factor : top // factor + strip.height] = np.asarray(strip)
    return rgba


def _eight_bit(strip: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits (Pillow's own conversion clips at 255); everything else unchanged."""
    if not strip.mode.startswith("I;16"):
        return strip
    table = np.round(np.arange(2**16) / 257).astype(np.uint8)
    return Image.fromarray(table[np.asarray(strip)])


class _ColorProfile:
    """Turns strips of an image with an embedded ICC profile into sRGB; without a usable profile, does nothing."""

    def __init__(self, profile: bytes | None, title: str, notes: list[str]) -> None:
        self._source: ImageCms.ImageCmsProfile | None = None
        self._transform: ImageCms.ImageCmsTransform | None = None
        self._title, self._notes = title, notes
        if profile:
            try:
                source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
                if "srgb" not in ImageCms.getProfileDescription(source).lower():
                    self._source = source
            except (OSError, ImageCms.PyCMSError) as error:
                self._give_up(error)

    def apply(self, strip: Image.Image) -> Image.Image:
        if self._source is None:
            return strip
        if strip.mode in {"P", "PA", "LA", "1"}:
            strip = strip.convert("RGBA")
        target = "RGBA" if strip.mode == "RGBA" else "RGB"
        try:
            if self._transform is None:
                srgb = ImageCms.createProfile("sRGB")
                self._transform = ImageCms.buildTransform(self._source, srgb, strip.mode, target)
            return self._transform.apply(strip)
        except (OSError, ValueError, KeyError, ImageCms.PyCMSError) as error:
            self._give_up(error)
            return strip

    def _give_up(self, error: Exception) -> None:
        self._source = None
        log.info("colour profile of %s: %s", self._title, error)
        self._notes.append(f"The colour profile of {self._title} cannot be used; its colours are taken as sRGB.")


def _too_large(title: str, size: str = "", limit: int = MAX_PIXELS) -> OmagenError:
    problem = f"is too large{size}; the limit is {limit // 2**20} megapixels and {MAX_SIDE} pixels a side"
    return _error(title, problem, "Scale it down and try again.")


def _error(title: str, problem: str, remedy: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{_sentence(title)} {problem}.", remedy)


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]


def _reason(error: Exception) -> str:
    return (str(error).strip().rstrip(".") or type(error).__name__)[:120]
