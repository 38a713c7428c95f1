"""Writes PNG files of 8 and 16 bits without any library, and reads the size of one before Blender opens it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""Number of channels -> PNG's code."""
SUB: Final = 1
"""The row filter that stores differences to the pixel on the left: smooth pictures shrink to a fraction."""
COMPRESSION: Final = 2


def encode(strips: Iterable[np.ndarray], height: int, width: int) -> bytes:
    """A PNG of the rows in `strips`, from the top down: each (n, width, C) uint8 or uint16, C from 1 to 4.

    Strips are taken one by one, so a large picture need not exist as a whole. Fit for any thread.
    """
    compress = zlib.compressobj(COMPRESSION)
    body, channels, depth = [], 0, 0
    for strip in strips:
        channels, depth = strip.shape[2], 8 * strip.itemsize
        body.append(compress.compress(_filtered(strip).data))
    body.append(compress.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, COLOR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b"".join(body)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def size(data: bytes) -> tuple[int, int]:
    """Width and height that a PNG file claims to have. Raises ValueError where it is none."""
    if len(data) < 33 or not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        raise ValueError("it is no PNG picture")
    return struct.unpack_from(">II", data, 16)


def has_alpha(data: bytes) -> bool:
    """Whether a PNG file says that every pixel has a transparency of its own."""
    return len(data) > 25 and data[25] in (4, 6)


def _filtered(strip: np.ndarray) -> np.ndarray:
    """The bytes of a strip's rows, each with its filter's number before it."""
    rows, pixel = len(strip), strip.shape[2] * strip.itemsize
    raw = np.ascontiguousarray(strip, f">u{strip.itemsize}").view(np.uint8).reshape(rows, -1)
    filtered = np.empty((rows, 1 + raw.shape[1]), np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1 : 1 + pixel] = raw[:, :pixel]
    np.subtract(raw[:, pixel:], raw[:, :-pixel], out=filtered[:, 1 + pixel :])
    return filtered


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
