"""Writes a `Mesh` as one binary glTF 2.0 file: one node, one mesh, a primitive per material, PNG images inside.

glTF has no corner attributes, so a vertex whose corners differ is split. To let a reader restore the shared vertices
exactly, every primitive carries `extras.omagen_weld`: an accessor with the welded vertex of each of its vertices.
Where a mesh has them, the attributes `_VERTEX` and `_REGION`, float32 scalars, hold its vertices' numbers and region.
Where a mesh has patches, `extras.omagen_patch` is an accessor with the patch of each triangle. Where it has four-sided
faces, `extras.omagen_quad` is one with the first triangle of each in the primitive; the next one is its other half, and
the quad's corners are those of the first and the last one of the second.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from omagen import __version__
from omagen.geometry.distinct import distinct_rows
from omagen.io.gltf_materials import MaterialTable
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh

FLOAT, UNSIGNED_INT = 5126, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
MAX_BYTES: Final = 2**32 - 2**16
"""A GLB states its lengths in 32 bits."""
MAX_NUMBERED: Final = 2**24 + 1
"""Vertices whose numbers float32 can hold"""
UP: Final = np.array([0, 1, 0], np.float32)


class Buffer:
    """The binary chunk as it grows: every view starts at a multiple of four."""

    def __init__(self) -> None:
        self.parts: list[bytes | memoryview] = []
        self.size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add_view(self, data: bytes | memoryview, target: int | None = None) -> int:
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": len(data)}
        self.views.append(view if target is None else view | {"target": target})
        padding = -len(data) % 4
        self.parts += [data, bytes(padding)]
        self.size += len(data) + padding
        return len(self.views) - 1

    def add_accessor(self, array: np.ndarray, target: int | None = None, *, bounds: bool = False) -> int:
        """`array`: (N,) or (N, 2..4), float32 or uint32."""
        array = np.ascontiguousarray(array)
        kind = "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}"
        component = FLOAT if array.dtype == np.float32 else UNSIGNED_INT
        view = self.add_view(array.data.cast("B"), target)
        accessor = {"bufferView": view, "componentType": component, "count": len(array), "type": kind}
        if bounds:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(mesh: Mesh, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write `mesh` to `path`, whole or not at all. `provenance` (plain JSON) goes to `asset.extras.omagen`.

    Vertices that no face uses are left out, and welded indices count the remaining ones, in their order.
    Raises `OmagenError` (geometry) for a mesh without faces, with non-finite numbers or with indices out of range.
    """
    _check(mesh)
    buffer = Buffer()
    primitives, used = _primitives(mesh, buffer)
    materials = MaterialTable(buffer.add_view)
    for primitive, index in zip(primitives, used, strict=True):
        primitive["material"] = materials.add(mesh.materials[index] if mesh.materials else Material())
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"Omagen {__version__}", "extras": {"omagen": dict(provenance)}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": mesh.name}],
        "meshes": [{"name": mesh.name, "primitives": primitives}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": buffer.size}],
    } | materials.to_json()
    _save(document, buffer, path)


def _check(mesh: Mesh) -> None:
    problem = ""
    if len(mesh.faces) == 0:
        problem = "it has no faces"
    elif mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        problem = "a face names a vertex that does not exist"
    elif mesh.material_index is not None and not (
        mesh.material_index.min() >= 0 and mesh.material_index.max() < max(len(mesh.materials), 1)
    ):
        problem = "a face names a material that does not exist"
    elif mesh.patches is not None and mesh.patches.min() < 0:
        problem = "a face has a negative patch number"
    elif mesh.region is not None and mesh.region.shape != (len(mesh.vertices),):
        problem = "its region does not fit its vertices"
    elif not all(
        np.isfinite(a).all()
        for a in (mesh.vertices, mesh.uv, mesh.second_uv, mesh.normals, mesh.colors)
        if a is not None
    ):
        problem = "it contains infinite or undefined numbers"
    if problem:
        raise OmagenError(ErrorCode.GEOMETRY, f"The object {mesh.name!r} cannot be saved: {problem}.")


def _primitives(mesh: Mesh, buffer: Buffer) -> tuple[list[dict[str, Any]], list[int]]:
    """One primitive per material that has faces, and the indices of those materials."""
    is_used = np.zeros(len(mesh.vertices), bool)
    is_used[mesh.faces] = True
    compact = np.cumsum(is_used, dtype=np.uint32) - np.uint32(1)
    if mesh.material_index is None:
        return [_primitive(mesh, slice(None), compact, buffer)], [0]
    used = np.unique(mesh.material_index).tolist()
    return [_primitive(mesh, np.flatnonzero(mesh.material_index == i), compact, buffer) for i in used], used


def _primitive(mesh: Mesh, faces: slice | np.ndarray, compact: np.ndarray, buffer: Buffer) -> dict[str, Any]:
    corners = mesh.faces[faces].reshape(-1)
    uv = None if mesh.uv is None else mesh.uv[faces].reshape(-1, 2)
    second_uv = None if mesh.second_uv is None else mesh.second_uv[faces].reshape(-1, 2)
    normals = None if mesh.normals is None else mesh.normals[faces].reshape(-1, 3)
    keep, indices = split_corners(corners, uv, normals, second_uv)
    vertices = corners[keep]
    attributes = {"POSITION": buffer.add_accessor(mesh.vertices[vertices], ARRAY_BUFFER, bounds=True)}
    if normals is not None:
        attributes["NORMAL"] = buffer.add_accessor(_unit(normals[keep]), ARRAY_BUFFER)
    if uv is not None:
        attributes["TEXCOORD_0"] = buffer.add_accessor(_top_down(uv[keep]), ARRAY_BUFFER)
    if second_uv is not None:
        attributes["TEXCOORD_1"] = buffer.add_accessor(_top_down(second_uv[keep]), ARRAY_BUFFER)
    if mesh.colors is not None:
        attributes["COLOR_0"] = buffer.add_accessor(mesh.colors[vertices].clip(0, 1), ARRAY_BUFFER)
    if mesh.numbered and len(mesh.vertices) <= MAX_NUMBERED:
        attributes["_VERTEX"] = buffer.add_accessor(vertices.astype(np.float32), ARRAY_BUFFER)
    if mesh.region is not None:
        attributes["_REGION"] = buffer.add_accessor(mesh.region[vertices], ARRAY_BUFFER)
    indices_accessor = buffer.add_accessor(indices, ELEMENT_ARRAY_BUFFER)
    extras = {"omagen_weld": buffer.add_accessor(compact[vertices])}
    if mesh.patches is not None:
        extras["omagen_patch"] = buffer.add_accessor(mesh.patches[faces].astype(np.uint32))
    quads = mesh.quads if isinstance(faces, slice) else _quads_among(mesh, faces)
    if quads is not None and len(quads):
        extras["omagen_quad"] = buffer.add_accessor(quads.astype(np.uint32))
    return {"attributes": attributes, "indices": indices_accessor, "mode": 4, "extras": extras}


def _quads_among(mesh: Mesh, faces: np.ndarray) -> np.ndarray | None:
    """(Q,) int64: which of `faces` (N,), ascending, begin a quad whose other half is the next of them."""
    if mesh.quads is None:
        return None
    begins = np.isin(faces, mesh.quads)
    begins[:-1] &= faces[1:] == faces[:-1] + 1
    begins[-1:] = False
    return np.flatnonzero(begins)


def split_corners(
    corners: np.ndarray,
    uv: np.ndarray | None = None,
    normals: np.ndarray | None = None,
    second_uv: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest set of vertices that can carry per-corner attributes.

    `corners` (C,) int32 vertex of each corner, `uv`, `second_uv` (C, 2) and `normals` (C, 3) float32. Returns `keep`
    (N,), the first corner of each distinct combination, and `indices` (C,) uint32: the combination of each corner.
    """
    attributes = [a + np.float32(0) for a in (uv, normals, second_uv) if a is not None]  # + 0: the same bits for -0
    table = np.hstack([corners[:, None].view(np.uint32), *(a.view(np.uint32) for a in attributes)])
    keep, indices = distinct_rows(table)
    return keep, indices.astype(np.uint32)


def _top_down(uv: np.ndarray) -> np.ndarray:
    """glTF counts v from the top."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)


def _unit(normals: np.ndarray) -> np.ndarray:
    """glTF demands unit length; a normal without a direction points up."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), UP).astype(np.float32)


def _save(document: dict[str, Any], buffer: Buffer, path: Path) -> None:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + buffer.size
    if total > MAX_BYTES:
        raise OmagenError(
            ErrorCode.GEOMETRY,
            "The object is too large for a GLB file (4 GB).",
            "Use fewer triangles or smaller textures.",
        )
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            file.write(struct.pack("<4sII", b"glTF", 2, total))
            file.write(struct.pack("<I4s", len(text), b"JSON") + text)
            file.write(struct.pack("<I4s", buffer.size, b"BIN\0"))
            file.writelines(buffer.parts)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
