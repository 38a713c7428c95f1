"""Reads a mesh file of any supported format, told by its content, as one checked `Mesh`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from omagen.geometry.cleaning import keep_faces
from omagen.geometry.quality import is_degenerate
from omagen.io.bundle_reader import SIGNATURE, unpack
from omagen.io.decoding import file_title
from omagen.io.gltf_reader import read_gltf
from omagen.io.mesh_parts import MeshBuilder
from omagen.io.obj_reader import read_obj
from omagen.io.stl_reader import is_binary_stl, read_stl
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh

MAX_BYTES: Final = 512 * 2**20
MAX_COORDINATE: Final = 1e9
"""Metres; beyond it 32-bit numbers cannot tell apart points of one object, and squares overflow soon after."""
MAX_WARNINGS: Final = 20
_OBJ_LINE = re.compile(rb"^[ \t]*(v|vt|vn|f|o|g|s|usemtl|mtllib|#)([ \t]|$)", re.MULTILINE)


def read_mesh(path: Path) -> tuple[Mesh, tuple[str, ...]]:
    """The mesh in `path` (GLB, glTF, OBJ, PLY or STL) and what was odd about it, in words for the user.

    glTF keeps its frame (+Y up, metres); OBJ, PLY and STL have none and stay as they are. Vertices are shared as
    in the file. Faces with infinite or undefined corners are dropped. Companions are read from its own folder only;
    `path` may also be a bundle of a mesh with its companions (see `omagen.bundle`).
    Raises `OmagenError` (input): not a mesh, damaged, unsupported, too large, or without any surface.
    """
    title = file_title(path, "mesh")
    warnings: list[str] = []

    def warn(message: str) -> None:
        if message not in warnings and len(warnings) < MAX_WARNINGS:
            warnings.append(message)

    try:
        mesh = _dispatch(path, warn)
        mesh = _without_undefined(mesh, warn)
        _check_surface(mesh)
    except OmagenError as error:
        message = f"{title[0].upper()}{title[1:]} cannot be read. {error.message}"
        raise OmagenError(error.code, message, error.remedy) from error
    except MemoryError as error:
        raise OmagenError(ErrorCode.MEMORY, f"There is not enough memory for {title}.", "Simplify it first.") from error
    stem = "" if title == "the mesh" else path.stem
    return replace(mesh, name=mesh.name or stem or "object"), tuple(warnings)


def _dispatch(path: Path, warn: Callable[[str], None]) -> Mesh:
    size = path.stat().st_size
    if size == 0:
        raise OmagenError(ErrorCode.INPUT, "It is empty.", "Choose another file.")
    if size > MAX_BYTES:
        raise OmagenError(ErrorCode.INPUT, f"It is larger than {MAX_BYTES // 2**20} MB.", "Simplify it first.")
    data = path.read_bytes()
    if data.startswith(SIGNATURE):
        with tempfile.TemporaryDirectory() as folder:
            unpacked = unpack(path, Path(folder))
            return _read(unpacked, unpacked.read_bytes(), warn)
    return _read(path, data, warn)


def _read(path: Path, data: bytes, warn: Callable[[str], None]) -> Mesh:
    """The mesh in `data`, the content of `path`; the path says where companions are."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:4] == b"glTF" or start[:1] == b"{":
        return read_gltf(path, data, warn)
    builder = MeshBuilder("")
    if re.match(rb"ply\s", start):
        from omagen.io.ply_reader import read_ply  # trimesh takes a while to import

        builder.add(read_ply(data))
    elif is_binary_stl(data) or re.match(rb"solid\b", start) or path.suffix.lower() == ".stl":
        builder.add(read_stl(data))
    elif _OBJ_LINE.search(data, 0, 2**16) and b"\0" not in data[: 2**16]:
        return read_obj(path, data, warn)
    else:
        raise OmagenError(ErrorCode.INPUT, "It is not a mesh file that is known.", "Use GLB, glTF, OBJ, PLY or STL.")
    return builder.build()


def _without_undefined(mesh: Mesh, warn: Callable[[str], None]) -> Mesh:
    """`mesh` without faces whose corners are infinite or undefined; attributes that are become 0."""
    is_finite = np.all(np.isfinite(mesh.vertices), axis=1)
    attributes = {
        key: np.nan_to_num(array, nan=0, posinf=0, neginf=0)
        for key in ("uv", "second_uv", "normals", "colors")
        if (array := getattr(mesh, key)) is not None and not np.isfinite(array).all()
    }
    if attributes:
        names = " and ".join(key.replace("_", " ") for key in attributes)
        warn(f"Undefined numbers in its {names} are taken as 0.")
        mesh = replace(mesh, **attributes)
    if is_finite.all():
        return mesh
    kept = np.all(is_finite[mesh.faces], axis=1)
    if not kept.all():
        warn(f"{int((~kept).sum()):,} faces with undefined coordinates are dropped.")
    return keep_faces(replace(mesh, vertices=np.where(is_finite[:, None], mesh.vertices, 0)), kept)


def _check_surface(mesh: Mesh) -> None:
    """Refuse what nobody can use: no faces, faces without area, coordinates out of all proportion."""
    if len(mesh.faces) and float(np.abs(mesh.vertices[mesh.faces]).max()) > MAX_COORDINATE:
        raise OmagenError(
            ErrorCode.INPUT,
            f"Its coordinates go beyond {MAX_COORDINATE:.0e} metres.",
            "Scale it down and save it again.",
        )
    if len(mesh.faces) == 0 or bool(is_degenerate(mesh.vertices, mesh.faces).all()):
        raise OmagenError(ErrorCode.INPUT, "It has no usable surface.", "Choose a file that contains faces.")
