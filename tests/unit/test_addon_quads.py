"""Quads cross from the backend to the add-on as pairs of triangles, and come out as quads."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omagen.io.glb_writer import write_glb
from omagen.shapes import Material, Mesh
from omagen_extension.addon.scene.glb import read_object
from omagen_extension.backend.omagen.protocol import OmagenError

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0], [0, 2, 0]], np.float32)
QUAD_TRIANGLE_QUAD = np.array([[0, 1, 2], [0, 2, 3], [3, 2, 6], [1, 4, 5], [1, 5, 2]], np.int32)
MESH = Mesh(
    VERTICES,
    QUAD_TRIANGLE_QUAD,
    uv=VERTICES[QUAD_TRIANGLE_QUAD][..., :2] / 2,
    quads=np.array([0, 3]),
)


def read(mesh: Mesh, folder: Path):
    write_glb(mesh, folder / "object.glb", {})
    return read_object((folder / "object.glb").read_bytes())


def test_pairs_of_triangles_become_quads(tmp_path: Path) -> None:
    arrays = read(MESH, tmp_path)
    np.testing.assert_array_equal(arrays.face_start, [0, 4, 7])
    np.testing.assert_array_equal(arrays.corner_vertex, [0, 1, 2, 3, 3, 2, 6, 1, 4, 5, 2])
    assert arrays.triangles == 5
    np.testing.assert_array_equal(arrays.uv, VERTICES[arrays.corner_vertex][:, :2] / 2)
    following = np.array([1, 2, 3, 0, 5, 6, 4, 8, 9, 10, 7])
    ends = np.sort(np.stack([arrays.corner_vertex, arrays.corner_vertex[following]], axis=1), axis=1)
    np.testing.assert_array_equal(arrays.edges[arrays.corner_edge], ends)
    assert len(arrays.edges) == 9 == len(np.unique(ends, axis=0))  # without the diagonals


def test_materials_of_quads_stay_with_them(tmp_path: Path) -> None:
    mesh = replace(MESH, materials=(Material("a"), Material("b")), material_index=np.array([1, 1, 0, 0, 0], np.int32))
    arrays = read(mesh, tmp_path)
    sizes = np.diff(np.append(arrays.face_start, len(arrays.corner_vertex)))
    assert sorted(zip(sizes.tolist(), arrays.material_index.tolist(), strict=True)) == [(3, 0), (4, 0), (4, 1)]


def test_a_quad_with_a_broken_half_is_left_as_what_remains(tmp_path: Path) -> None:
    faces = QUAD_TRIANGLE_QUAD.copy()
    faces[4] = [1, 5, 5]
    arrays = read(replace(MESH, faces=faces, uv=None), tmp_path)
    np.testing.assert_array_equal(np.diff(np.append(arrays.face_start, len(arrays.corner_vertex))), [4, 3, 3])
    assert arrays.left_out == 1


def test_halves_that_do_not_touch_are_refused(tmp_path: Path) -> None:
    write_glb(MESH, tmp_path / "object.glb", {})
    data = (tmp_path / "object.glb").read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["extras"]["omagen_quad"]]
    start = 28 + length + document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    for wrong in ([1, 3], [0, 1], [0, 4], [3, 0]):
        broken = data[:start] + struct.pack("<2I", *wrong) + data[start + 8 :]
        with pytest.raises(OmagenError, match="damaged"):
            read_object(broken)
