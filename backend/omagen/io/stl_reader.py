"""Reads STL, binary and text: triangles without shared vertices, UVs or materials."""

from __future__ import annotations

import struct

import numpy as np

from omagen.io.mesh_parts import Part, check_triangles
from omagen.protocol import ErrorCode, OmagenError

HEADER = 84
RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def is_binary_stl(data: bytes) -> bool:
    """True where the stated number of triangles explains the length; binary headers may start with `solid` too."""
    return len(data) >= HEADER and len(data) == HEADER + RECORD.itemsize * _count(data)


def read_stl(data: bytes) -> Part:
    """The triangles of `data`, three vertices each. Raises `OmagenError` (input)."""
    if is_binary_stl(data):
        check_triangles(_count(data))
        corners = np.frombuffer(data, RECORD, offset=HEADER)["corners"]
    elif data.lstrip()[:5].lower() == b"solid":
        corners = _text_corners(data)
    elif len(data) >= HEADER and HEADER + RECORD.itemsize * _count(data) > len(data):
        raise _broken(
            f"it states {_count(data):,} triangles and has room for {(len(data) - HEADER) // RECORD.itemsize:,}"
        )
    else:
        raise _broken("its length does not fit its number of triangles")
    return Part(corners.reshape(-1, 3).astype(np.float32), np.arange(len(corners) * 3).reshape(-1, 3))


def _count(data: bytes) -> int:
    return struct.unpack_from("<I", data, HEADER - 4)[0]


def _text_corners(data: bytes) -> np.ndarray:
    """(F, 3, 3) float32 from the lines `vertex x y z`."""
    words = np.array(data.lower().split())
    places = np.flatnonzero(words == b"vertex")
    if len(places) % 3 or (len(places) and places[-1] + 3 >= len(words)):
        raise _broken("a triangle has not three vertices")
    check_triangles(len(places) // 3)
    try:
        return words[places[:, None] + [1, 2, 3]].astype(np.float32).reshape(-1, 3, 3)
    except ValueError as error:
        raise _broken(f"a coordinate is not a number ({str(error)[:80]})") from error


def _broken(problem: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"It is not a readable STL file: {problem}.", "Save it again as STL or GLB.")
