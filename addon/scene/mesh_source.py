"""A mesh on its way to the backend: arrays as Blender holds them, made into a GLB file off the main thread."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from ...backend.omagen.protocol import ErrorCode, OmagenError
from . import png
from .material_source import UNMOVED, MaterialSource, Matrix, TextureSource

FLOAT, UNSIGNED_INT = 5126, 5125
WRAPS: Final = {"REPEAT": 10497, "EXTEND": 33071, "MIRROR": 33648}
ACTIVE: Final = "*"
"""In place of a colour attribute's name: the active one."""


@dataclass(frozen=True)
class Piece:
    """One object's surface. L corners of polygons, F triangles, V vertices. Frame: Blender's, of the object itself."""

    positions: np.ndarray
    """(V, 3) float32"""
    corner_vertex: np.ndarray
    """(L,) int32"""
    triangle_corners: np.ndarray | None
    """(3F,) int32 into the corners; None = the polygons are triangles, in order"""
    triangle_material: np.ndarray | None
    """(F,) int32 into `materials`; None = all 0"""
    normals: np.ndarray
    """(L, 3) float32"""
    uv: Mapping[str, np.ndarray]
    """Layer -> (L, 2) float32; the one that renders also under the empty name"""
    colors: Mapping[str, np.ndarray]
    """Attribute -> (L, 4) float32, linear; the active one also as `ACTIVE`"""
    materials: Sequence[MaterialSource]
    matrix: np.ndarray
    """(4, 4) float64, from the object's own frame to that of the whole"""
    region: np.ndarray | None = None
    """(V,) float32, 0 to 1: how much each vertex takes part; None = all do"""

    @property
    def triangles(self) -> int:
        corners = self.corner_vertex if self.triangle_corners is None else self.triangle_corners
        return len(corners) // 3

    def finite(self) -> Piece:
        """Without the triangles at vertices whose position is not a number, as broken modifiers leave them."""
        valid = np.all(np.isfinite(self.positions), axis=1)
        if valid.all():
            return self
        corners = self.triangle_corners
        if corners is None:
            corners = np.arange(len(self.corner_vertex), dtype=np.int32)
        kept = np.all(valid[self.corner_vertex[corners]].reshape(-1, 3), axis=1)
        return replace(
            self,
            positions=np.where(valid[:, None], self.positions, np.float32(0)),
            triangle_corners=corners.reshape(-1, 3)[kept].reshape(-1),
            triangle_material=None if self.triangle_material is None else self.triangle_material[kept],
        )

    def corners_of(self, material: int) -> np.ndarray:
        """(3N,) corners of the triangles that have a material, turned around where `matrix` mirrors."""
        corners = self.triangle_corners
        if corners is None:
            corners = np.arange(len(self.corner_vertex), dtype=np.int32)
        if self.triangle_material is not None:
            corners = corners.reshape(-1, 3)[self.triangle_material == material].reshape(-1)
        if np.linalg.det(self.matrix[:3, :3]) < 0:
            corners = corners.reshape(-1, 3)[:, ::-1].reshape(-1)
        return corners


@dataclass(frozen=True)
class MeshSource:
    name: str
    pieces: Sequence[Piece]
    is_numbered: bool = False
    """Whether every vertex tells its number, by which it is found again in the result"""

    def glb(self) -> bytes:
        """A glTF 2.0 binary in glTF's frame, vertices shared as in Blender. Takes a while; fit for any thread.

        Raises `OmagenError` (input) where a texture's file cannot be read.
        """
        writer = _Writer()
        weld_start = 0
        primitives = []
        for piece in self.pieces:
            primitives += _primitives(piece, weld_start, writer, self.is_numbered)
            weld_start += len(piece.positions)
        return writer.file(self.name, primitives)


def _primitives(piece: Piece, weld_start: int, writer: _Writer, is_numbered: bool) -> list[dict[str, Any]]:
    linear = piece.matrix[:3, :3]
    positions = _y_up(piece.positions @ linear.T + piece.matrix[:3, 3])
    # Normals go with the cofactors, which exist also where the matrix has no inverse.
    cofactors = np.stack([np.cross(linear[(i + 1) % 3], linear[(i + 2) % 3]) for i in range(3)])
    normals = _y_up(_unit(piece.normals @ (cofactors * np.sign(np.linalg.det(linear) or 1.0)).T))
    primitives = []
    for number, material in enumerate(piece.materials):
        corners = piece.corners_of(number)
        if not len(corners):
            continue
        vertex = piece.corner_vertex[corners]
        columns = [vertex.view(np.uint32)[:, None], normals[corners].view(np.uint32)]
        layers = [piece.uv.get(name) for name in ("", material.second_uv)[: 2 if material.second_uv else 1]]
        uvs = [_top_down(uv[corners]) for uv in layers if uv is not None]
        columns += [uv.view(np.uint32) for uv in uvs]
        color = piece.colors.get(material.color_layer) if material.color_layer else None
        if color is not None:
            color = color[corners]
            columns.append(color.view(np.uint32))
        first, index = _distinct(np.concatenate(columns, axis=1))
        attributes = {
            "POSITION": writer.accessor(positions[vertex[first]], "VEC3", bounds=True),
            "NORMAL": writer.accessor(normals[corners[first]], "VEC3"),
        }
        attributes |= {f"TEXCOORD_{i}": writer.accessor(uv[first], "VEC2") for i, uv in enumerate(uvs)}
        if color is not None:
            attributes["COLOR_0"] = writer.accessor(color[first].clip(0.0, 1.0), "VEC4")
        if is_numbered:
            attributes["_VERTEX"] = writer.accessor((vertex[first] + weld_start).astype(np.float32), "SCALAR")
        if piece.region is not None:
            attributes["_REGION"] = writer.accessor(piece.region[vertex[first]], "SCALAR")
        primitive = {
            "attributes": attributes,
            "indices": writer.accessor(index.astype(np.uint32), "SCALAR"),
            "material": writer.material(material),
        }
        if color is None:  # colours may differ at the corners of one vertex, and the backend keeps them per vertex
            weld = (vertex[first] + weld_start).astype(np.uint32)
            primitive["extras"] = {"omagen_weld": writer.accessor(weld, "SCALAR")}
        primitives.append(primitive)
    return primitives


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the first of each group of equal rows is, and for each row its group. `rows` (N, K) uint32."""
    keys = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    if not np.array_equal(rows[first[index]], rows):  # two rows share a key, once in 10^5 meshes of 10^7 corners
        return np.arange(len(rows)), np.arange(len(rows))
    return first, index


def _top_down(uv: np.ndarray) -> np.ndarray:
    """(N, 2) float32, counted from the top as glTF does."""
    return np.ascontiguousarray(np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1), np.float32)


def _transform(matrix: Matrix) -> dict[str, Any]:
    """KHR_texture_transform for `matrix`, which moves UVs that are counted from the bottom."""
    a, b, x, c, d, y = matrix
    angle, width = math.atan2(c, a), math.hypot(a, c)
    height = d * math.cos(angle) - b * math.sin(angle)
    return {"offset": [b + x, 1.0 - d - y], "rotation": angle, "scale": [width, height]}


def _y_up(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) float32 from Blender's frame (Z up, front -Y) to glTF's (Y up, front Z)."""
    return np.ascontiguousarray(np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1), np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


@dataclass
class _Writer:
    """The parts of a GLB file as they come; materials and textures that are the same object are written once."""

    document: dict[str, Any] = field(default_factory=lambda: {"asset": {"version": "2.0", "generator": "Omagen"}})
    chunks: list[bytes | memoryview] = field(default_factory=list)
    length: int = 0
    known: dict[int, int] = field(default_factory=dict)
    extensions: set[str] = field(default_factory=set)

    def accessor(self, array: np.ndarray, kind: str, bounds: bool = False) -> int:
        component = FLOAT if array.dtype == np.float32 else UNSIGNED_INT
        view = self._view(np.ascontiguousarray(array).data.cast("B"))
        entry = {"bufferView": view, "componentType": component, "count": len(array), "type": kind}
        if bounds:
            entry |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        return self._append("accessors", entry)

    def material(self, source: MaterialSource) -> int:
        if id(source) not in self.known:
            self.known[id(source)] = self._append("materials", self._material(source))
        return self.known[id(source)]

    def file(self, name: str, primitives: list[dict[str, Any]]) -> bytes:
        self.document |= {
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "name": name}],
            "meshes": [{"name": name, "primitives": primitives}],
            "buffers": [{"byteLength": self.length}],
        }
        if self.extensions:
            self.document["extensionsUsed"] = sorted(self.extensions)
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + self.length, len(text), b"JSON")
        return b"".join([head, text, struct.pack("<I4s", self.length, b"BIN\0"), *self.chunks])

    def _material(self, source: MaterialSource) -> dict[str, Any]:
        strength = max(*source.emissive, 1.0)
        surface: dict[str, Any] = {
            "baseColorFactor": list(source.base_color),
            "metallicFactor": source.metallic,
            "roughnessFactor": source.roughness,
        }
        entry: dict[str, Any] = {
            "name": source.name,
            "pbrMetallicRoughness": surface,
            "emissiveFactor": [value / strength for value in source.emissive],
            "alphaMode": source.alpha_mode,
            "doubleSided": source.double_sided,
        }
        if source.alpha_mode == "MASK":
            entry["alphaCutoff"] = source.alpha_cutoff
        if strength > 1.0:
            entry["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": strength}}
            self.extensions.add("KHR_materials_emissive_strength")
        for owner, key, texture in (
            (surface, "baseColorTexture", source.base_color_texture),
            (surface, "metallicRoughnessTexture", source.metallic_roughness_texture),
            (entry, "normalTexture", source.normal_texture),
            (entry, "emissiveTexture", source.emissive_texture),
        ):
            if texture is not None:
                owner[key] = self._reference(texture)
        if source.normal_texture is not None and source.normal_scale != 1.0:
            entry["normalTexture"]["scale"] = source.normal_scale
        return entry

    def _reference(self, texture: TextureSource) -> dict[str, Any]:
        reference: dict[str, Any] = {"index": self._texture(texture), "texCoord": int(bool(texture.uv_layer))}
        if texture.matrix != UNMOVED:
            reference["extensions"] = {"KHR_texture_transform": _transform(texture.matrix)}
            self.extensions.add("KHR_texture_transform")
        return reference

    def _texture(self, source: TextureSource) -> int:
        if id(source) not in self.known:
            image = source.image
            if id(image) not in self.known:
                self.known[id(image)] = self._image(source)
            sampler = self._append("samplers", {"wrapS": WRAPS[source.wrap_u], "wrapT": WRAPS[source.wrap_v]})
            self.known[id(source)] = self._append("textures", {"source": self.known[id(image)], "sampler": sampler})
        return self.known[id(source)]

    def _image(self, source: TextureSource) -> int:
        try:
            data = source.encoded()
        except OSError as error:
            reason = error.strerror or str(error)
            raise OmagenError(
                ErrorCode.INPUT, f"The texture {error.filename} cannot be read: {reason}.", "Reload or pack it."
            ) from error
        kind = "image/png" if data.startswith(png.SIGNATURE) else "image/jpeg"
        return self._append("images", {"bufferView": self._view(data), "mimeType": kind})

    def _view(self, data: bytes | memoryview) -> int:
        view = self._append("bufferViews", {"buffer": 0, "byteOffset": self.length, "byteLength": len(data)})
        padding = bytes(-len(data) % 4)
        self.chunks += [data, padding]
        self.length += len(data) + len(padding)
        return view

    def _append(self, table: str, entry: dict[str, Any]) -> int:
        entries = self.document.setdefault(table, [])
        entries.append(entry)
        return len(entries) - 1
