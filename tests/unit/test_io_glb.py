"""What `write_glb` writes is valid glTF 2.0 and comes back from `read_mesh` as it was."""

from __future__ import annotations

import json
import struct
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from omagen.io.glb_writer import split_corners, write_glb
from omagen.io.meshes import read_mesh
from omagen.protocol import OmagenError
from omagen.shapes import Material, Mesh, Texture
from sample_meshes import cube, noise, rich_material

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def _parsed(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk, with the container's own rules checked (glTF 2.0 §4.4)."""
    data = path.read_bytes()
    magic, version, total, length, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
    size, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0" and 28 + length + size == total and length % 4 == 0 and size % 4 == 0
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def _round_trip(mesh: Mesh, folder: Path) -> Mesh:
    write_glb(mesh, folder / "object.glb", {})
    read, warnings = read_mesh(folder / "object.glb")
    assert warnings == ()
    return read


def _assert_same(read: Mesh, mesh: Mesh) -> None:
    """Equal, up to the order of vertices, which is free where faces of several materials are regrouped."""
    order = np.argsort(mesh.material_index, kind="stable") if mesh.material_index is not None else slice(None)
    assert np.array_equal(read.vertices[read.faces], mesh.vertices[mesh.faces[order]])
    assert len(np.unique(read.faces)) == len(np.unique(mesh.faces)) == len(read.vertices)
    for name, tolerance in (("uv", 1e-6), ("normals", 1e-6)):
        ours, theirs = getattr(read, name), getattr(mesh, name)
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assert np.allclose(ours, theirs[order], atol=tolerance)
    if mesh.colors is not None:
        assert read.colors is not None and np.array_equal(read.colors[read.faces], mesh.colors[mesh.faces[order]])


def test_cube_comes_back_with_shared_vertices_uv_and_normals(tmp_path: Path) -> None:
    read = _round_trip(cube(), tmp_path)
    _assert_same(read, cube())
    assert np.array_equal(read.faces, cube().faces) and np.array_equal(read.vertices, cube().vertices)
    assert read.name == "cube"


def test_unused_vertices_are_left_out(tmp_path: Path) -> None:
    mesh = cube()
    padded = replace(mesh, vertices=np.vstack([[[9, 9, 9]], mesh.vertices]).astype(np.float32), faces=mesh.faces + 1)
    assert np.array_equal(_round_trip(padded, tmp_path).vertices, mesh.vertices)


def test_vertex_colours_come_back_unchanged(tmp_path: Path) -> None:
    colors = np.random.default_rng(0).random((8, 4), np.float32)
    mesh = cube(colors=colors, uv=None, normals=None)
    _assert_same(_round_trip(mesh, tmp_path), mesh)


def test_every_field_of_a_material_comes_back(tmp_path: Path) -> None:
    material = rich_material()
    read = _round_trip(cube(materials=(material,)), tmp_path).materials[0]
    for field in fields(Material):
        ours, theirs = getattr(read, field.name), getattr(material, field.name)
        if isinstance(theirs, Texture):
            assert np.array_equal(ours.pixels, theirs.pixels) and (ours.wrap_u, ours.wrap_v) == (
                theirs.wrap_u,
                theirs.wrap_v,
            )
        elif field.name == "emissive":
            assert ours == pytest.approx(theirs)
        else:
            assert ours == theirs, field.name


def test_faces_keep_their_materials_and_unused_materials_vanish(tmp_path: Path) -> None:
    materials = tuple(Material(name=name, metallic=0.5) for name in "abc")
    mesh = cube(materials=materials, material_index=np.array([2, 0] * 6, np.int32))
    read = _round_trip(mesh, tmp_path)
    _assert_same(read, mesh)
    assert [material.name for material in read.materials] == ["a", "c"]
    assert read.material_index is not None and read.material_index.tolist() == [0] * 6 + [1] * 6


def test_document_keeps_the_rules_of_the_specification(tmp_path: Path) -> None:
    mesh = cube(materials=(rich_material(), Material()), material_index=np.array([0, 1] * 6, np.int32))
    write_glb(mesh, tmp_path / "object.glb", {"seed": 7, "engine": "inflate"})
    document, binary = _parsed(tmp_path / "object.glb")
    assert document["asset"]["extras"]["omagen"] == {"seed": 7, "engine": "inflate"}
    assert document["buffers"] == [{"byteLength": len(binary)}]
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    for accessor in document["accessors"]:
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteLength"] == accessor["count"] * WIDTHS[accessor["type"]] * 4 > 0
    for primitive in document["meshes"][0]["primitives"]:
        position = document["accessors"][primitive["attributes"]["POSITION"]]
        offset = document["bufferViews"][position["bufferView"]]["byteOffset"]
        points = np.frombuffer(binary, "<f4", position["count"] * 3, offset).reshape(-1, 3)
        assert np.array_equal(np.float32(position["min"]), points.min(0))
        assert np.array_equal(np.float32(position["max"]), points.max(0))
        assert document["accessors"][primitive["extras"]["omagen_weld"]]["count"] == position["count"]
    assert all(value <= 1 for material in document["materials"] for value in material["emissiveFactor"])
    assert document["extensionsUsed"] == ["KHR_materials_emissive_strength"]
    assert [] not in document.values()


def test_one_image_used_twice_is_stored_once(tmp_path: Path) -> None:
    pixels = noise(0)
    packed = Material(metallic_roughness_texture=Texture(pixels), occlusion_texture=Texture(pixels, "clamp"))
    write_glb(cube(materials=(packed,)), tmp_path / "object.glb", {})
    document, _ = _parsed(tmp_path / "object.glb")
    assert (len(document["images"]), len(document["textures"]), len(document["samplers"])) == (1, 2, 2)


def test_vertices_are_split_only_where_corners_differ(tmp_path: Path) -> None:
    write_glb(cube(normals=None, uv=None), tmp_path / "object.glb", {})
    assert _parsed(tmp_path / "object.glb")[0]["accessors"][0]["count"] == 8
    write_glb(cube(), tmp_path / "object.glb", {})
    assert _parsed(tmp_path / "object.glb")[0]["accessors"][0]["count"] == 24


@pytest.mark.parametrize(
    "mesh",
    [
        cube(faces=np.zeros((0, 3), np.int32), uv=None, normals=None),
        cube(faces=cube().faces + 1),
        cube(vertices=cube().vertices * np.float32(np.nan)),
        cube(uv=np.full((12, 3, 2), np.inf, np.float32)),
        cube(material_index=np.full(12, 3, np.int32)),
    ],
    ids=["no faces", "vertex out of range", "undefined vertex", "infinite uv", "material out of range"],
)
def test_mesh_that_breaks_its_contract_is_refused_and_nothing_is_written(mesh: Mesh, tmp_path: Path) -> None:
    with pytest.raises(OmagenError, match="cannot be saved"):
        write_glb(mesh, tmp_path / "object.glb", {})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    write_glb(cube(), tmp_path / "object.glb", {})
    before = (tmp_path / "object.glb").read_bytes()
    with pytest.raises(ValueError, match="pixels must"):
        write_glb(
            cube(materials=(Material(base_color_texture=Texture(np.zeros((4, 4, 3)))),)), tmp_path / "object.glb", {}
        )
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("object.glb", before)]


@settings(max_examples=60)
@given(
    corners=arrays.arrays(np.int32, 30, elements=st.integers(0, 5)),
    uv=arrays.arrays(np.float32, (30, 2), elements=st.sampled_from([0.0, -0.0, 0.5, 1.0])),
)
def test_splitting_keeps_every_corner_and_makes_no_duplicate(corners: np.ndarray, uv: np.ndarray) -> None:
    keep, indices = split_corners(corners, uv)
    assert np.array_equal(corners[keep][indices], corners) and np.array_equal(uv[keep][indices], uv)
    rows = {(int(vertex), *pair) for vertex, pair in zip(corners[keep], (uv[keep] + 0).tolist(), strict=True)}
    assert len(rows) == len(keep)
