"""Reads the GLB files that Omagen's backend writes, into arrays that Blender takes as they are.

Strict: whatever `write_glb` does not write is refused. All conversion to Blender's conventions (Z up, front -Y, v from
the bottom, shared vertices with values per corner) happens here with numpy and without bpy, so it can run outside the
main thread.
"""

from __future__ import annotations

import json
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .quads import join_quads
from .surface import Surface, read_surfaces
from .topology import edges_of, faulty_triangles

FLOAT, UNSIGNED_INT = 5126, 5125
WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
DTYPES: Final = {FLOAT: np.dtype("<f4"), UNSIGNED_INT: np.dtype("<u4")}
JSON_LIMIT: Final = 64 * 2**20


@dataclass(frozen=True)
class ObjectArrays:
    """One mesh in Blender's frame with its materials. Arrays are C-contiguous. V vertices, F triangles.

    Where pairs of triangles have become quads there are fewer than 3F corners, and what is per triangle is per face.
    """

    name: str
    positions: np.ndarray
    """(V, 3) float32, metres"""
    corner_vertex: np.ndarray
    """(3F,) int32"""
    edges: np.ndarray
    """(E, 2) int32"""
    corner_edge: np.ndarray
    """(3F,) int32, the edge from each corner to the next"""
    uv: np.ndarray | None = None
    """(3F, 2) float32 per corner, origin bottom-left"""
    vertex_normals: np.ndarray | None = None
    """(V, 3) float32, where all corners of each vertex agree"""
    corner_normals: np.ndarray | None = None
    """(3F, 3) float32, where they do not; at most one of the two is present"""
    colors: np.ndarray | None = None
    """(V, 4) float32, linear"""
    material_index: np.ndarray | None = None
    """(F,) int32; None = all 0"""
    patches: np.ndarray | None = None
    """(F,) int32 from 0, the largest first: the chart that each triangle came from; None = not decoded from an omage"""
    materials: tuple[Surface, ...] = ()
    face_start: np.ndarray | None = None
    """(P,) int32, the first corner of each face; None = all are triangles"""
    numbers: np.ndarray | None = None
    """(V,) int64: which vertex of the mesh that was sent each one is; None = not told"""
    provenance: dict[str, Any] = field(default_factory=dict)
    left_out: int = 0
    """Triangles of the file that no mesh can hold: collapsed, or repeated over the same vertices."""

    @property
    def triangles(self) -> int:
        if self.face_start is None:
            return len(self.corner_vertex) // 3
        return len(self.corner_vertex) - 2 * len(self.face_start)


@dataclass(frozen=True)
class Primitive:
    """The triangles of one material as the file holds them: views into its bytes, glTF's conventions."""

    indices: np.ndarray
    weld: np.ndarray
    material: int
    position: np.ndarray
    normal: np.ndarray | None
    uv: np.ndarray | None
    color: np.ndarray | None
    number: np.ndarray | None
    patch: np.ndarray | None
    """Of each triangle"""
    quads: np.ndarray | None
    """The first triangle of each quad, whose other half is the next one"""


def read_object(data: bytes) -> ObjectArrays:
    """The object in the GLB file `data`, valid in Blender's sense, so that `Mesh.validate` would find nothing to mend.

    Raises `OmagenError` (geometry) for everything that Omagen did not write and for a file without a valid triangle.
    """
    try:
        return _read_object(data)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, struct.error) as error:
        raise OmagenError(
            ErrorCode.GEOMETRY,
            f"The result file is damaged or was not written by Omagen ({error}).",
            "Run the job again; if it happens again, report it with the job's log.",
        ) from error


def _read_object(data: bytes) -> ObjectArrays:
    document, binary = _chunks(data)
    reader = _Accessors(document, binary)
    (mesh,) = document["meshes"]
    primitives = [reader.primitive(entry) for entry in mesh["primitives"]]
    _require(bool(primitives), "it holds no triangles")
    vertex_count = 1 + max(int(p.weld.max()) for p in primitives)
    _require(vertex_count <= sum(len(p.weld) for p in primitives), "its welded indices have gaps")
    # numpy lets go of the interpreter while it sorts and gathers, so the two halves of the work run side by side.
    with ThreadPoolExecutor(1) as aside:
        attributes = aside.submit(_attributes, primitives, vertex_count)
        corner_vertex = _joined([np.take(p.weld.view("<i4"), p.indices) for p in primitives])
        faulty = faulty_triangles(corner_vertex)
        keep = _Kept(faulty)
        corner_vertex = keep.corners(corner_vertex)
        _require(len(corner_vertex) > 0, "all its triangles are collapsed")
        edges, corner_edge = edges_of(corner_vertex, vertex_count)
        positions, (vertex_normals, corner_normals), uv = attributes.result()
    arrays = ObjectArrays(
        name=str(mesh.get("name", "object")),
        positions=positions,
        corner_vertex=corner_vertex,
        edges=edges,
        corner_edge=corner_edge,
        uv=keep.corners(uv),
        vertex_normals=vertex_normals,
        corner_normals=keep.corners(corner_normals),
        colors=_welded(primitives, "color", vertex_count),
        material_index=keep.triangles(_material_index(primitives)),
        patches=keep.triangles(_patches(primitives)),
        materials=read_surfaces(document, reader.bytes_of),
        numbers=_numbers(primitives, vertex_count),
        provenance=dict(document["asset"].get("extras", {}).get("omagen", {})),
        left_out=0 if faulty is None else int(faulty.sum()),
    )
    quads = _quads(primitives, faulty)
    return arrays if quads is None else join_quads(arrays, quads)


def _attributes(
    primitives: list[Primitive], vertex_count: int
) -> tuple[np.ndarray, tuple[np.ndarray | None, np.ndarray | None], np.ndarray | None]:
    """Positions, normals (per vertex, per corner) and UVs, before faulty triangles are left out."""
    positions = _welded(primitives, "position", vertex_count)
    assert positions is not None
    return _z_up(positions), _normals(primitives, vertex_count), _corner_uv(primitives)


class _Kept:
    """Leaves the faulty triangles out of arrays; without any it passes the arrays through."""

    def __init__(self, faulty: np.ndarray | None) -> None:
        self._triangles = None if faulty is None else ~faulty
        self._corners = None if faulty is None else np.repeat(~faulty, 3)

    def triangles(self, array: Any) -> Any:
        return array if array is None or self._triangles is None else array[self._triangles]

    def corners(self, array: Any) -> Any:
        return array if array is None or self._corners is None else array[self._corners]


def _chunks(data: bytes) -> tuple[dict[str, Any], memoryview]:
    magic, version, length = struct.unpack_from("<4sII", data)
    _require(magic == b"glTF" and version == 2, "it is no GLB file")
    _require(length == len(data), f"it has {len(data)} bytes instead of {length}")
    text_length, text_kind = struct.unpack_from("<I4s", data, 12)
    binary_at = 20 + text_length
    _require(text_kind == b"JSON" and text_length <= JSON_LIMIT and binary_at + 8 <= length, "its chunks do not fit")
    binary_length, binary_kind = struct.unpack_from("<I4s", data, binary_at)
    _require(binary_kind == b"BIN\0" and binary_at + 8 + binary_length == length, "its chunks do not fit")
    view = memoryview(data)
    return json.loads(bytes(view[20:binary_at])), view[binary_at + 8 :]


class _Accessors:
    """Typed, bounds-checked views into the binary chunk; nothing is copied."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self._views = document["bufferViews"]
        self._accessors = document["accessors"]
        self._materials = len(document.get("materials", ()))
        self._binary = binary

    def bytes_of(self, view_index: int) -> memoryview:
        view = self._views[_index(view_index)]
        start, length = _index(view.get("byteOffset", 0)), _index(view["byteLength"])
        _require(start + length <= len(self._binary), "a part of it is missing")
        return self._binary[start : start + length]

    def array(self, index: int, kind: str, component: int) -> np.ndarray:
        accessor = self._accessors[_index(index)]
        fits = accessor["type"] == kind and accessor["componentType"] == component and "sparse" not in accessor
        _require(fits and not accessor.get("byteOffset"), "an array in it has another form")
        array = np.frombuffer(self.bytes_of(accessor["bufferView"]), DTYPES[component])
        width = WIDTHS[kind]
        _require(len(array) == _index(accessor["count"]) * width, "an array in it has another length")
        _require(component != FLOAT or bool(np.isfinite(array).all()), "it contains infinite or undefined numbers")
        return array if width == 1 else array.reshape(-1, width)

    def primitive(self, entry: dict[str, Any]) -> Primitive:
        attributes, extras = entry["attributes"], entry["extras"]
        _require(entry.get("mode", 4) == 4, "it holds something other than triangles")

        def optional(key: str, kind: str) -> np.ndarray | None:
            return self.array(attributes[key], kind, FLOAT) if key in attributes else None

        primitive = Primitive(
            indices=self.array(entry["indices"], "SCALAR", UNSIGNED_INT),
            weld=self.array(extras["omagen_weld"], "SCALAR", UNSIGNED_INT),
            material=_index(entry["material"]),
            position=self.array(attributes["POSITION"], "VEC3", FLOAT),
            normal=optional("NORMAL", "VEC3"),
            uv=optional("TEXCOORD_0", "VEC2"),
            color=optional("COLOR_0", "VEC4"),
            number=optional("_VERTEX", "SCALAR"),
            patch=self.array(extras["omagen_patch"], "SCALAR", UNSIGNED_INT) if "omagen_patch" in extras else None,
            quads=self.array(extras["omagen_quad"], "SCALAR", UNSIGNED_INT) if "omagen_quad" in extras else None,
        )
        count, corners = len(primitive.position), len(primitive.indices)
        arrays = (primitive.weld, primitive.normal, primitive.uv, primitive.color, primitive.number)
        _require(all(len(a) == count for a in arrays if a is not None), "its arrays differ in length")
        _require(corners > 0 and corners % 3 == 0 and int(primitive.indices.max()) < count, "a triangle is incomplete")
        _require(primitive.patch is None or len(primitive.patch) == corners // 3, "its patches differ in length")
        _require(int(primitive.weld.max()) < 2**31 and primitive.material < self._materials, "an index is out of range")
        return primitive


def _welded(primitives: list[Primitive], attribute: str, vertex_count: int) -> np.ndarray | None:
    """The attribute per shared vertex, (V, N) float32; None unless every primitive has it."""
    arrays = [getattr(p, attribute) for p in primitives]
    if any(array is None for array in arrays):
        return None
    welded = np.full((vertex_count, arrays[0].shape[1]), np.nan, np.float32)
    for primitive, array in zip(primitives, arrays, strict=True):
        welded[primitive.weld] = array
    _require(not np.isnan(welded[:, 0]).any(), "its welded indices have gaps")
    return welded


def _normals(primitives: list[Primitive], vertex_count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Normals per vertex if the corners of every vertex agree, else per corner."""
    welded = _welded(primitives, "normal", vertex_count)
    if welded is None:
        return None, None
    split = [(p, p.normal) for p in primitives if p.normal is not None]
    if all(np.array_equal(np.take(welded, p.weld, axis=0), normal) for p, normal in split):
        return _z_up(welded), None
    return None, _joined([np.take(_z_up(normal), p.indices, axis=0) for p, normal in split])


def _corner_uv(primitives: list[Primitive]) -> np.ndarray | None:
    if any(p.uv is None for p in primitives):
        return None
    corners = []
    for primitive in primitives:
        uv = np.array(primitive.uv)
        np.subtract(1.0, uv[:, 1], out=uv[:, 1])
        # A pair of float32 travels as one 8-byte number: several times as fast as gathering rows.
        corners.append(np.take(uv.view(np.uint64).reshape(-1), primitive.indices).view(np.float32).reshape(-1, 2))
    return _joined(corners)


def _material_index(primitives: list[Primitive]) -> np.ndarray | None:
    if all(p.material == 0 for p in primitives):
        return None
    materials = np.array([p.material for p in primitives], np.int32)
    return np.repeat(materials, [len(p.indices) // 3 for p in primitives])


def _patches(primitives: list[Primitive]) -> np.ndarray | None:
    arrays = [p.patch for p in primitives if p.patch is not None]
    if len(arrays) < len(primitives):
        return None
    _require(all(int(patch.max()) < 2**31 for patch in arrays), "an index is out of range")
    return _joined(arrays).astype(np.int32)


def _numbers(primitives: list[Primitive], vertex_count: int) -> np.ndarray | None:
    told = [(p.weld, p.number) for p in primitives if p.number is not None]
    if len(told) < len(primitives):
        return None
    numbers = np.full(vertex_count, -1, np.int64)
    for weld, number in told:
        numbers[weld] = number
    _require(len(np.unique(numbers)) == vertex_count and int(numbers.min()) >= 0, "its vertices are numbered wrongly")
    return numbers


def _quads(primitives: list[Primitive], faulty: np.ndarray | None) -> np.ndarray | None:
    """(Q,) int64: first halves of the quads, counted over all triangles that are not `faulty`; None without any."""
    firsts, begin = [], 0
    for primitive in primitives:
        count = len(primitive.indices) // 3
        if primitive.quads is not None:
            first = primitive.quads.astype(np.int64)
            _require(bool((np.diff(first) > 1).all()) and int(first.max(initial=-1)) + 1 < count, "its quads overlap")
            halves = primitive.weld[primitive.indices].reshape(-1, 3)
            shared = (halves[first, 0] == halves[first + 1, 0]) & (halves[first, 2] == halves[first + 1, 1])
            _require(bool(shared.all()), "halves of its quads do not touch")
            firsts.append(first + begin)
        begin += count
    if not firsts:
        return None
    first = _joined(firsts)
    if faulty is not None:
        first = first[~faulty[first] & ~faulty[first + 1]]
        first = (np.cumsum(~faulty) - 1)[first]
    return first


def _z_up(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) from glTF's frame (Y up, front Z) to Blender's (Z up, front -Y)."""
    turned = np.empty_like(vectors)
    turned[:, 0] = vectors[:, 0]
    np.negative(vectors[:, 2], out=turned[:, 1])
    turned[:, 2] = vectors[:, 1]
    return turned


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _index(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no index")
    return value


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)
