"""PNG files of 8 and 16 bits: written several times faster than common encoders do, and read as hostile input.

Every row is filtered with Up, which numpy does for whole rows, and compressed with ISA-L. Measured at 1024 x 1024 on
one core: a geometry picture of 16-bit RGBA takes 20 ms where OpenCV takes 95 ms at level 1, in a file that is not
larger. Files written here are read the same way; all other PNGs go through OpenCV, stripped to the chunks that hold
the pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from isal import isal_zlib

from omagen.protocol import ErrorCode, OmagenError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS: Final = 2**16
"""Common encoders cut the pixels into pieces of 8 KiB at least, so 2**14 of them hold the largest picture."""
_NO_FILTER: Final = 0
_UP: Final = 2
_COLOR_TYPES: Final = {1: 0, 3: 2, 4: 6}
"""Number of channels -> colour type in the file's header."""
_CHANNELS: Final = {color_type: channels for channels, color_type in _COLOR_TYPES.items()}


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG of `pixels`, (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, top row first."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = 8 * pixels.dtype.itemsize
    stored = np.ascontiguousarray(pixels, ">u2" if depth == 16 else np.uint8)
    rows = stored.reshape(height, width * channels).view(np.uint8)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[channels], 0, 0, 0)
    pieces = (_chunk(b"IHDR", header), _chunk(b"IDAT", isal_zlib.compress(filtered, 1)), _chunk(b"IEND", b""))
    return SIGNATURE + b"".join(pieces)


def decode_png(data: bytes, title: str, max_side: int) -> np.ndarray:
    """The pixels of the PNG `data`: (H, W, 1, 3 or 4), uint8 or uint16, top row first; palettes become colours.

    Raises `OmagenError` (input), naming the file by `title`: damaged, or a side longer than `max_side`.
    """
    parts = _parts(data, title)
    if max(parts.width, parts.height) > max_side or 0 in (parts.width, parts.height):
        size = f"{parts.width} x {parts.height}"
        raise _error(f"{title} is {size} pixels large; the limit is {max_side} a side", "Scale it down.")
    pixels = _decode_own(parts, title)
    return _decode_any(parts, title) if pixels is None else pixels


@dataclass(frozen=True)
class _Parts:
    width: int
    height: int
    depth: int
    color_type: int
    interlaced: bool
    chunks: tuple[memoryview, ...]
    """What holds the pixels: IHDR, PLTE, tRNS and IDAT, whole."""
    compressed: bytes
    """The contents of all IDAT."""
    transparent_color: bool


def _parts(data: bytes, title: str) -> _Parts:
    """Walk the file's chunks without decoding anything; text, colour profiles and animations are left behind."""
    view, chunks, compressed, header, position = memoryview(data), [], [], b"", len(SIGNATURE)
    transparent = False
    for _ in range(_MOST_CHUNKS):
        if position + 12 > len(data):
            raise _damaged(title, "it ends too early")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data) or (not header and (kind, length) != (b"IHDR", 13)):
            raise _damaged(title, "it ends too early" if header else "it has no header")
        content = view[position + 8 : end - 4]
        if kind == b"IHDR":
            header = bytes(content)
        elif kind == b"IDAT":
            compressed.append(content)
        transparent = transparent or kind == b"tRNS"
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
            chunks.append(view[position:end])
        if kind == b"IEND":
            break
        position = end
    else:
        raise _damaged(title, "it is in too many pieces")
    width, height, depth, color_type, _, _, interlace = struct.unpack(">IIBBBBB", header)
    joined = b"".join(compressed)
    return _Parts(width, height, depth, color_type, bool(interlace), tuple(chunks), joined, transparent)


def _decode_own(parts: _Parts, title: str) -> np.ndarray | None:
    """Pixels of a PNG whose rows are filtered with Up or not at all, as `encode_png` writes them; else None."""
    channels = _CHANNELS.get(parts.color_type)
    if channels is None or parts.depth not in (8, 16) or parts.interlaced or parts.transparent_color:
        return None
    row = parts.width * channels * parts.depth // 8
    decoder = isal_zlib.decompressobj()
    try:
        raw = decoder.decompress(parts.compressed, max_length=parts.height * (row + 1))
    except isal_zlib.error as error:  # type: ignore[misc]
        raise _damaged(title, str(error)) from error
    if len(raw) != parts.height * (row + 1):
        raise _damaged(title, "it holds fewer pixels than its header says")
    filtered = np.frombuffer(raw, np.uint8).reshape(parts.height, row + 1)
    if not np.isin(filtered[:, 0], (_NO_FILTER, _UP)).all():
        return None
    rows = np.ascontiguousarray(filtered[:, 1:])
    for i in np.flatnonzero(filtered[1:, 0] == _UP) + 1:
        np.add(rows[i], rows[i - 1], out=rows[i])
    pixels = rows if parts.depth == 8 else rows.view(np.uint16).byteswap(inplace=True)
    return pixels.reshape(parts.height, parts.width, channels)


def _decode_any(parts: _Parts, title: str) -> np.ndarray:
    file = b"".join([SIGNATURE, *parts.chunks, _chunk(b"IEND", b"")])
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (parts.height, parts.width):
        raise _damaged(title, "its pixels cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", isal_zlib.crc32(content, isal_zlib.crc32(kind)))
    )


def _damaged(title: str, reason: str) -> OmagenError:
    return _error(f"{title} is damaged: {reason}", "Save it again from the program it came from.")


def _error(problem: str, remedy: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{problem[:1].upper()}{problem[1:]}.", remedy)
