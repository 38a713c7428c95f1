"""The add-on's reader against the backend's writer, and against damage."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omagen.io.glb_writer import write_glb
from omagen.shapes import Material, Mesh, Texture
from omagen_extension.addon.scene.glb import read_object
from omagen_extension.backend.omagen.protocol import ErrorCode, OmagenError

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
UV = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0.25], [1, 1], [0, 1]]], np.float32)
SMOOTH = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32)[FACES]
COLORS = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)


def written(mesh: Mesh, tmp_path: Path, **provenance: Any) -> bytes:
    path = tmp_path / "object.glb"
    write_glb(mesh, path, provenance)
    return path.read_bytes()


def z_up(vectors: np.ndarray) -> np.ndarray:
    return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], -1)


def test_vertices_stay_shared_and_turn_z_up(tmp_path: Path) -> None:
    arrays = read_object(written(Mesh(VERTICES, FACES, UV, SMOOTH, COLORS, name="cup"), tmp_path, seed=7))
    assert arrays.name == "cup"
    assert arrays.provenance == {"seed": 7}
    assert arrays.triangles == 2
    np.testing.assert_array_equal(arrays.positions, z_up(VERTICES))
    np.testing.assert_array_equal(arrays.corner_vertex, FACES.reshape(-1))
    np.testing.assert_array_equal(arrays.uv, UV.reshape(-1, 2))
    np.testing.assert_array_equal(arrays.colors, COLORS)
    for array, dtype in ((arrays.positions, np.float32), (arrays.corner_vertex, np.int32), (arrays.uv, np.float32)):
        assert array is not None and array.dtype == dtype and array.flags.c_contiguous


def test_normals_are_per_vertex_where_corners_agree_and_per_corner_where_not(tmp_path: Path) -> None:
    smooth = read_object(written(Mesh(VERTICES, FACES, normals=SMOOTH), tmp_path))
    assert smooth.corner_normals is None and smooth.vertex_normals is not None
    np.testing.assert_array_equal(smooth.vertex_normals[smooth.corner_vertex], z_up(SMOOTH).reshape(-1, 3))

    flat = np.repeat(np.array([[[0, 0, 1]], [[0, 1, 0]]], np.float32), 3, axis=1)
    sharp = read_object(written(Mesh(VERTICES, FACES, normals=flat), tmp_path))
    assert sharp.vertex_normals is None
    np.testing.assert_array_equal(sharp.corner_normals, z_up(flat).reshape(-1, 3))

    assert read_object(written(Mesh(VERTICES, FACES), tmp_path)).vertex_normals is None


def test_materials_split_the_file_but_not_the_vertices(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    first = Material("glass", (1, 0.5, 0, 0.25), 0.5, 0.125, (2, 4, 0), "MASK", 0.75, True)
    second = Material("wood", base_color_texture=Texture(pixels, "clamp", "mirror"), occlusion_texture=Texture(pixels))
    mesh = Mesh(VERTICES, FACES, UV, material_index=np.array([1, 0], np.int32), materials=(first, second))
    arrays = read_object(written(mesh, tmp_path))
    assert len(arrays.positions) == 4
    assert arrays.material_index is not None
    by_name = {arrays.materials[index].name: face for face, index in enumerate(arrays.material_index)}
    corners = arrays.corner_vertex.reshape(-1, 3)
    np.testing.assert_array_equal(corners[by_name["wood"]], FACES[0])
    np.testing.assert_array_equal(corners[by_name["glass"]], FACES[1])

    glass, wood = sorted(arrays.materials, key=lambda m: m.name)
    assert glass.base_color == (1, 0.5, 0, 0.25)
    assert (glass.metallic, glass.roughness, glass.emissive) == (0.5, 0.125, (2, 4, 0))
    assert (glass.alpha_mode, glass.alpha_cutoff, glass.double_sided) == ("MASK", 0.75, True)
    texture, occlusion = wood.base_color_texture, wood.occlusion_texture
    assert texture is not None and occlusion is not None
    assert (texture.wrap_u, texture.wrap_v) == ("EXTEND", "MIRROR")
    assert texture.image == occlusion.image
    assert texture.png.startswith(b"\x89PNG")


def edited(data: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The file with its JSON part changed and its lengths mended."""
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    edit(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("meshes"),
        lambda d: d["meshes"].append(d["meshes"][0]),
        lambda d: d["meshes"][0]["primitives"].clear(),
        lambda d: d["meshes"][0]["primitives"][0].pop("extras"),
        lambda d: d["meshes"][0]["primitives"][0].update(mode=1),
        lambda d: d["meshes"][0]["primitives"][0].update(indices=-1),
        lambda d: d["meshes"][0]["primitives"][0].update(material=9),
        lambda d: d["meshes"][0]["primitives"][0].update(material=True),
        lambda d: d["accessors"][0].update(count=10**12),
        lambda d: d["accessors"][0].update(count="3"),
        lambda d: d["accessors"][0].update(componentType=5123),
        lambda d: d["bufferViews"][0].update(byteOffset=10**12),
        lambda d: d["bufferViews"][0].update(byteLength=5),
        lambda d: d["materials"][0]["pbrMetallicRoughness"].update(metallicFactor=10**400),
        lambda d: d["materials"][0]["pbrMetallicRoughness"].update(baseColorFactor=[1, 2]),
        lambda d: d["materials"][0].update(alphaMode="GLOW"),
        lambda d: d["images"][0].update(bufferView=0),
        lambda d: d.update(materials=3),
        lambda d: d["asset"].update(extras={"omagen": 3}),
    ],
)
def test_a_damaged_document_is_an_error(edit: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    material = Material(base_color_texture=Texture(np.zeros((2, 2, 3), np.uint8)))
    data = written(Mesh(VERTICES, FACES, UV, SMOOTH, materials=(material,)), tmp_path)
    read_object(edited(data, lambda document: None))
    with pytest.raises(OmagenError) as caught:
        read_object(edited(data, edit))
    assert caught.value.code is ErrorCode.GEOMETRY
    assert caught.value.remedy


def test_patches_arrive_with_their_triangles(tmp_path: Path) -> None:
    materials = (Material("a"), Material("b"))
    mesh = Mesh(
        VERTICES,
        FACES,
        material_index=np.array([1, 0], np.int32),
        materials=materials,
        patches=np.array([5, 3], np.int32),
    )
    patches = read_object(written(mesh, tmp_path)).patches
    assert patches is not None and patches.dtype == np.int32
    np.testing.assert_array_equal(patches, [3, 5])  # a file's triangles are grouped by material
    assert read_object(written(Mesh(VERTICES, FACES), tmp_path)).patches is None


def test_patches_of_left_out_triangles_are_left_out(tmp_path: Path) -> None:
    faces = np.array([[0, 1, 2], [0, 1, 2], [0, 2, 3]], np.int32)
    arrays = read_object(written(Mesh(VERTICES, faces, patches=np.array([7, 8, 9], np.int32)), tmp_path))
    assert arrays.left_out == 1
    np.testing.assert_array_equal(arrays.patches, [7, 9])


@pytest.mark.parametrize("offset", [0, 4, 8, 12, 16, 20, 40])
def test_a_damaged_head_is_an_error(offset: int, tmp_path: Path) -> None:
    data = bytearray(written(Mesh(VERTICES, FACES), tmp_path))
    data[offset : offset + 4] = b"\xff\xfe\xfd\xfc"
    with pytest.raises(OmagenError):
        read_object(bytes(data))


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    data = written(Mesh(VERTICES, FACES, UV), tmp_path)
    for length in range(0, len(data), 7):
        with pytest.raises(OmagenError):
            read_object(data[:length])


@pytest.mark.parametrize(
    ("accessor", "values"),
    [
        ("indices", [0, 1, 77]),
        ("weld", [2**32 - 1]),
        ("weld", [2**20]),
        ("weld", [0, 0, 0, 0, 3]),
        ("position", [np.nan]),
        ("patch", [2**31]),
    ],
)
def test_numbers_out_of_range_are_an_error(accessor: str, values: list[float], tmp_path: Path) -> None:
    data = bytearray(written(Mesh(VERTICES, FACES, UV, patches=np.zeros(2, np.int32)), tmp_path))
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    primitive = document["meshes"][0]["primitives"][0]
    index = {
        "indices": primitive["indices"],
        "weld": primitive["extras"]["omagen_weld"],
        "patch": primitive["extras"]["omagen_patch"],
        "position": primitive["attributes"]["POSITION"],
    }[accessor]
    entry = document["accessors"][index]
    start = 28 + length + document["bufferViews"][entry["bufferView"]]["byteOffset"]
    raw = np.array(values, "<f4" if entry["componentType"] == 5126 else "<u4").tobytes()
    data[start : start + len(raw)] = raw
    with pytest.raises(OmagenError) as caught:
        read_object(bytes(data))
    assert caught.value.code is ErrorCode.GEOMETRY
