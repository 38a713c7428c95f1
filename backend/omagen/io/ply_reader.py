"""Reads PLY through trimesh, after checking that what the header states can be in the file at all."""

from __future__ import annotations

import io
import re
from typing import Any, Final

import numpy as np

from omagen.geometry.color import to_linear
from omagen.io.mesh_parts import Part, check_triangles, unit_normals
from omagen.protocol import ErrorCode, OmagenError

SIZES: Final = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64"), 8),
}
UV_NAMES: Final = (("texture_u", "texture_v"), ("u", "v"), ("s", "t"))
NORMAL_NAMES: Final = (("nx", "ny", "nz"),)


def read_ply(data: bytes) -> Part:
    """Triangles, vertex colours and UVs of `data`. Raises `OmagenError` (input)."""
    _check_header(data)
    from trimesh.exchange.ply import load_ply  # slow to import
    from trimesh.geometry import triangulate_quads

    try:
        loaded = load_ply(io.BytesIO(data), fix_texture=False, skip_materials=True)
        vertices = np.asarray(loaded.get("vertices", []), np.float32).reshape(-1, 3)
        faces = loaded.get("faces")
        faces = np.zeros((0, 3), np.int64) if faces is None else triangulate_quads(np.asarray(faces, np.int64))
        corners = loaded["metadata"]["_ply_raw"]["vertex"]["data"]
    except Exception as error:  # the library checks little and fails in many ways on damaged files
        raise _broken("its data does not fit its header") from error
    check_triangles(len(faces))
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise _broken(f"a face uses vertex {int(faces.max())}, and there are {len(vertices)}")
    uv, normals = _columns(corners, UV_NAMES), _columns(corners, NORMAL_NAMES)
    return Part(
        vertices,
        faces,
        uv=None if uv is None else uv[faces],
        normals=None if normals is None else unit_normals(normals[faces]),
        colors=_colors(loaded.get("vertex_colors"), len(vertices)),
    )


def _columns(vertex_data: Any, choices: tuple[tuple[str, ...], ...]) -> np.ndarray | None:
    """(V, n) float32 of the first group of vertex properties that the file has."""
    names = vertex_data.keys() if isinstance(vertex_data, dict) else vertex_data.dtype.names or ()
    for group in choices:
        if all(name in names for name in group):
            return np.stack([np.asarray(vertex_data[name], np.float32).reshape(-1) for name in group], axis=1)
    return None


def _check_header(data: bytes) -> None:
    head, end, _ = data[: 2**16].partition(b"end_header")
    if not end:
        raise _broken("its header does not end")
    lines = [line.split() for line in head.decode("ascii", "replace").splitlines()]
    is_text = ["format", "ascii", "1.0"] in lines
    smallest, count, row = 0, 0, 0
    for line in [*lines, ["element", "end", "0"]]:
        if line[:1] == ["element"]:
            smallest += count * row
            if len(line) != 3 or not re.fullmatch(r"\d{1,18}", line[2]):
                raise _broken(f"its header has the line {' '.join(line)[:60]!r}")
            count, row = int(line[2]), 0
        elif line[:1] == ["property"]:
            row += 2 if is_text else SIZES.get(line[2 if line[1:2] == ["list"] else 1] if len(line) > 2 else "", 1)
    if smallest > len(data) - len(head):
        raise _broken("it is shorter than its header states")


def _colors(colors: np.ndarray | None, count: int) -> np.ndarray | None:
    """(V, 4) float32, linear. PLY stores sRGB bytes."""
    if colors is None or len(colors) != count:
        return None
    values = np.asarray(colors)
    values = values.astype(np.float32) / (255 if values.dtype.kind in "iu" else 1)
    rgba = np.ones((count, 4), np.float32)
    rgba[:, : min(values.shape[1], 4)] = values[:, :4].clip(0, 1)
    rgba[:, :3] = to_linear(rgba[:, :3])
    return rgba


def _broken(problem: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"It is not a readable PLY file: {problem}.", "Save it again as PLY or GLB.")
