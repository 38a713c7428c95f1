"""glTF in all its spellings: how data may be laid out, how scenes place it, what hostile files get."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omagen.io import mesh_parts
from omagen.io.glb_writer import write_glb
from omagen.io.images import encode_png
from omagen.io.meshes import read_mesh
from omagen.protocol import OmagenError
from omagen.shapes import Mesh, Texture
from omagen.shapes.material import UNMOVED
from sample_meshes import cube, noise, rich_material

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
CODES = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}


class Builder:
    """A glTF document put together by hand, one buffer view per array."""

    def __init__(self) -> None:
        self.data = b""
        self.root: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": []}],
            "accessors": [],
            "bufferViews": [],
        }

    def view(self, data: bytes, **fields: Any) -> int:
        self.root["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **fields})
        self.data += data + bytes(-len(data) % 4)
        return len(self.root["bufferViews"]) - 1

    def accessor(self, array: np.ndarray, **fields: Any) -> int:
        kind = "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}"
        entry = {"componentType": CODES[array.dtype.name], "count": len(array), "type": kind}
        self.root["accessors"].append({"bufferView": self.view(array.tobytes()), **entry, **fields})
        return len(self.root["accessors"]) - 1

    def primitive(self, attributes: dict[str, int], **fields: Any) -> None:
        self.root["meshes"][0]["primitives"].append({"attributes": attributes, **fields})

    def save(self, folder: Path) -> Path:
        """As `.gltf` with its buffer in a data URI."""
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        self.root["buffers"] = [{"byteLength": len(self.data), "uri": uri}]
        path = folder / "scene.gltf"
        path.write_text(json.dumps(self.root))
        return path


@pytest.fixture
def square() -> Builder:
    """Two triangles, indexed."""
    builder = Builder()
    builder.primitive(
        {"POSITION": builder.accessor(SQUARE)}, indices=builder.accessor(np.array([0, 1, 2, 0, 2, 3], np.uint16))
    )
    return builder


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_indices_of_every_width_are_read(tmp_path: Path, dtype: type) -> None:
    builder = Builder()
    builder.primitive({"POSITION": builder.accessor(SQUARE)}, indices=builder.accessor(np.array([2, 3, 0], dtype)))
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert np.array_equal(mesh.vertices[mesh.faces[0]], SQUARE[[2, 3, 0]])


@pytest.mark.parametrize(("mode", "order"), [(4, [0, 1, 2, 0, 2, 3]), (5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])])
def test_lists_strips_and_fans_all_face_the_same_way(tmp_path: Path, mode: int, order: list[int]) -> None:
    builder = Builder()
    builder.primitive({"POSITION": builder.accessor(SQUARE[order])}, mode=mode)
    mesh, _ = read_mesh(builder.save(tmp_path))
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert np.array_equal(np.cross(b - a, c - a), [[0, 0, 1]] * 2)


def test_interleaved_attributes_are_read_by_their_stride(tmp_path: Path) -> None:
    builder = Builder()
    uv = np.random.default_rng(0).random((4, 2), np.float32)
    view = builder.view(np.hstack([SQUARE, uv]).tobytes(), byteStride=20)
    shared = {"bufferView": view, "componentType": 5126, "count": 4}
    builder.root["accessors"] = [{**shared, "type": "VEC3"}, {**shared, "type": "VEC2", "byteOffset": 12}]
    builder.primitive({"POSITION": 0, "TEXCOORD_0": 1}, mode=6)
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.uv is not None
    assert np.array_equal(mesh.vertices, SQUARE)
    assert np.allclose(mesh.uv[0], uv[:3] * [1, -1] + [0, 1])


def test_quantised_positions_and_normalised_uvs_are_read(tmp_path: Path) -> None:
    builder = Builder()
    builder.root["extensionsRequired"] = ["KHR_mesh_quantization"]
    position = builder.accessor((SQUARE * 100).astype(np.int16))
    uv = builder.accessor((SQUARE[:, :2] * 255).astype(np.uint8), normalized=True)
    builder.primitive({"POSITION": position, "TEXCOORD_0": uv}, mode=6)
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.uv is not None
    assert np.array_equal(mesh.vertices, SQUARE * 100)
    assert np.allclose(mesh.uv[0], [[0, 1], [1, 1], [1, 0]])


def test_sparse_accessor_replaces_single_vertices(tmp_path: Path, square: Builder) -> None:
    moved = np.array([[5, 5, 5]], np.float32)
    square.root["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": square.view(np.array([2], np.uint16).tobytes()), "componentType": 5123},
        "values": {"bufferView": square.view(moved.tobytes())},
    }
    assert read_mesh(square.save(tmp_path))[0].vertices.max() == 5


@pytest.mark.parametrize("channels", [3, 4])
def test_vertex_colours_may_lack_opacity(tmp_path: Path, channels: int) -> None:
    builder = Builder()
    colors = builder.accessor(np.full((4, channels), 51, np.uint8), normalized=True)
    builder.primitive({"POSITION": builder.accessor(SQUARE), "COLOR_0": colors}, mode=6)
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.colors is not None
    assert np.allclose(mesh.colors, [[0.2, 0.2, 0.2, 0.2 if channels == 4 else 1]] * 4)


def test_nested_nodes_place_and_mirror_the_mesh_and_keep_it_facing_outwards(tmp_path: Path, square: Builder) -> None:
    square.root["nodes"] = [
        {"children": [1], "translation": [10, 0, 0], "rotation": [0, 0, 2**-0.5, 2**-0.5]},  # 90 degrees about z
        {"mesh": 0, "scale": [-2, 1, 1]},
    ]
    mesh, _ = read_mesh(square.save(tmp_path))
    assert np.allclose(mesh.vertices.min(0), [9, -2, 0]) and np.allclose(mesh.vertices.max(0), [10, 0, 0])
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_normals_follow_uneven_scale(tmp_path: Path) -> None:
    builder = Builder()
    slope = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1]], np.float32)
    normal = np.tile(np.array([[1, -1, 0]], np.float32) / np.float32(2**0.5), (3, 1))
    builder.primitive({"POSITION": builder.accessor(slope), "NORMAL": builder.accessor(normal)})
    builder.root["nodes"] = [{"mesh": 0, "matrix": [4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}]
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.normals is not None
    assert np.allclose(mesh.normals[0, 0], np.array([1, -4, 0]) / 17**0.5, atol=1e-6)


def test_texture_transform_moves_the_uvs(tmp_path: Path) -> None:
    builder = Builder()
    attributes = {"POSITION": builder.accessor(SQUARE), "TEXCOORD_0": builder.accessor(SQUARE[:, :2].copy())}
    builder.primitive(attributes, mode=6, material=0)
    builder.root |= {
        "images": [{"bufferView": builder.view(encode_png(noise(0))), "mimeType": "image/png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    moved = {"KHR_texture_transform": {"offset": [0.5, 0.25], "scale": [2, 3], "rotation": np.pi / 2}}
    builder.root["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["extensions"] = moved
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.uv is not None
    top_down = mesh.uv[0] * [1, -1] + [0, 1]
    # counter-clockwise as seen, with v down: u' = v * 3 + 0.5, v' = -u * 2 + 0.25
    assert np.allclose(top_down, [[0.5, 0.25], [0.5, -1.75], [3.5, -1.75]], atol=1e-5)


def textured(*infos: dict[str, Any]) -> tuple[Builder, dict[str, Any]]:
    """A square with two sets of UVs, and its material; `infos` are of base colour, normal and occlusion texture."""
    builder = Builder()
    attributes = {"POSITION": builder.accessor(SQUARE), "TEXCOORD_0": builder.accessor(SQUARE[:, :2].copy())}
    attributes["TEXCOORD_1"] = builder.accessor(SQUARE[:, :2] / 4)
    builder.primitive(attributes, mode=6, material=0)
    material: dict[str, Any] = {"pbrMetallicRoughness": {}}
    owners = (material["pbrMetallicRoughness"], material, material)
    for owner, key, info in zip(owners, ("baseColorTexture", "normalTexture", "occlusionTexture"), infos, strict=False):
        owner[key] = {"index": 0} | info
    view = builder.view(encode_png(noise(0)))
    builder.root |= {"images": [{"bufferView": view}], "textures": [{"source": 0}], "materials": [material]}
    return builder, material


def moved(**fields: Any) -> dict[str, Any]:
    return {"extensions": {"KHR_texture_transform": fields}}


def seen(mesh: Mesh, texture: Texture | None) -> np.ndarray:
    """(F, 3, 2): where in `texture` the corners lie, counted from the top."""
    assert texture is not None
    uv = mesh.second_uv if texture.uv_set else mesh.uv
    assert uv is not None
    matrix = np.reshape(texture.transform, (2, 3))
    return (uv @ matrix[:, :2].T + matrix[:, 2]) * [1, -1] + [0, 1]


PLACED = [
    ({}, moved(scale=[2, 3]), [[0, 0], [2, 0], [2, 3]]),
    (moved(offset=[0.5, 0], scale=[4, 2]), {}, [[0, 0], [1, 0], [1, 1]]),
    (moved(scale=[0, 0]), {"texCoord": 1}, [[0, 0], [0.25, 0], [0.25, 0.25]]),
    ({}, {"texCoord": 1}, [[0, 0], [0.25, 0], [0.25, 0.25]]),
    ({}, {"texCoord": 1} | moved(offset=[0.5, 0.25], rotation=np.pi / 2), [[0.5, 0.25], [0.5, 0], [0.75, 0]]),
    ({"texCoord": 1}, moved(texCoord=0, offset=[0, 1]), [[0, 1], [1, 1], [1, 2]]),
]


@pytest.mark.parametrize(("base", "normal", "corners"), PLACED)
def test_each_texture_keeps_its_own_place(tmp_path: Path, base: dict, normal: dict, corners: list) -> None:
    mesh, warnings = read_mesh(textured(base, normal)[0].save(tmp_path))
    assert warnings == ()
    material = mesh.materials[0]
    assert material.base_color_texture is not None and material.base_color_texture.transform == UNMOVED
    assert np.allclose(seen(mesh, material.normal_texture)[0], corners, atol=1e-6)
    write_glb(mesh, tmp_path / "again.glb", {})
    again, _ = read_mesh(tmp_path / "again.glb")
    for role in ("base_color_texture", "normal_texture"):
        ours, theirs = (seen(m, getattr(m.materials[0], role)) for m in (again, mesh))
        assert np.allclose(ours, theirs, atol=1e-5)


def test_a_third_set_of_uvs_is_not_kept_and_that_is_said(tmp_path: Path) -> None:
    builder, _ = textured({}, {"texCoord": 1}, {"texCoord": 2})
    mesh, warnings = read_mesh(builder.save(tmp_path))
    assert any("more than two UVs" in warning for warning in warnings)
    assert mesh.materials[0].occlusion_texture is not None and mesh.materials[0].occlusion_texture.uv_set == 0


def test_strengths_of_normal_and_occlusion_textures_come_back(tmp_path: Path) -> None:
    builder, _ = textured({}, {"scale": 1.5}, {"strength": 0.25})
    mesh, warnings = read_mesh(builder.save(tmp_path))
    write_glb(mesh, tmp_path / "again.glb", {})
    for material in (mesh.materials[0], read_mesh(tmp_path / "again.glb")[0].materials[0]):
        assert (material.normal_scale, material.occlusion_strength) == (1.5, 0.25)
    assert warnings == ()


def test_second_uvs_stay_with_their_faces_when_a_node_mirrors_them(tmp_path: Path) -> None:
    builder, _ = textured({}, {"texCoord": 1})
    builder.root["nodes"][0]["scale"] = [-1, 1, 1]
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.uv is not None and mesh.second_uv is not None
    assert np.allclose((mesh.second_uv * [1, -1] + [0, 1]) * 4, mesh.uv * [1, -1] + [0, 1])


def test_primitive_without_uv_joins_one_with_uv(tmp_path: Path) -> None:
    builder = Builder()
    position = builder.accessor(SQUARE)
    builder.primitive({"POSITION": position, "TEXCOORD_0": builder.accessor(SQUARE[:, :2].copy())}, mode=6)
    builder.primitive({"POSITION": position}, mode=6)
    mesh, _ = read_mesh(builder.save(tmp_path))
    assert mesh.uv is not None and mesh.uv.shape == (4, 3, 2) and not mesh.uv[2:].any()


def test_skinned_mesh_stands_in_its_bind_pose_not_where_its_node_is(tmp_path: Path, square: Builder) -> None:
    inverse = np.eye(4, dtype=np.float32) / 100
    inverse[3, 3] = 1
    view = square.view(inverse.tobytes())
    square.root["accessors"].append({"bufferView": view, "componentType": 5126, "count": 1, "type": "MAT4"})
    square.root["skins"] = [{"joints": [1], "inverseBindMatrices": len(square.root["accessors"]) - 1}]
    square.root["nodes"] = [{"mesh": 0, "skin": 0, "scale": [7, 7, 7]}, {"scale": [100, 100, 100]}]
    square.root["scenes"] = [{"nodes": [0, 1]}]
    assert np.allclose(read_mesh(square.save(tmp_path))[0].vertices, SQUARE)


def test_companion_files_are_read_from_beside_the_file(tmp_path: Path, square: Builder) -> None:
    path = square.save(tmp_path)
    (tmp_path / "data folder").mkdir()
    (tmp_path / "data folder" / "scene.bin").write_bytes(square.data)
    square.root["buffers"][0]["uri"] = "data%20folder/scene.bin"
    path.write_text(json.dumps(square.root))
    assert len(read_mesh(path)[0].faces) == 2


@pytest.mark.parametrize(
    "uri", ["../secret.bin", "link.bin", "/etc/hostname", "..\\secret.bin", "%2e%2e/secret.bin", "a\0b"]
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, square: Builder, uri: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    path = square.save(folder)
    (tmp_path / "secret.bin").write_bytes(square.data)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    square.root["buffers"][0]["uri"] = uri
    path.write_text(json.dumps(square.root))
    with pytest.raises(OmagenError, match=r"outside its own folder|not a possible name"):
        read_mesh(path)


def _set(builder: Builder, where: str, value: Any) -> None:
    *route, last = where.split(".")
    target: Any = builder.root
    for key in route:
        target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
    target[int(last) if isinstance(target, list) else last] = value


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [
        ("accessors.0.count", 5, "beyond bufferViews"),
        ("accessors.0.count", 2**60, r"count of accessors\[0\]"),
        ("accessors.0.count", "4", r"count of accessors\[0\]"),
        ("accessors.0.byteOffset", -12, "byteOffset is -12"),
        ("accessors.0.type", "VEC7", "VEC7"),
        ("accessors.0.type", "VEC2", "2 components"),
        ("accessors.0.componentType", 5124, "component type 5124"),
        ("accessors.0.bufferView", 9, r"bufferViews\[9\]"),
        ("accessors.0.bufferView", True, "bufferViews"),
        ("accessors.1.componentType", 5126, "beyond bufferViews|not a list of indices"),
        ("bufferViews.0.byteLength", 10**6, "beyond its buffer"),
        ("bufferViews.0.byteStride", 2, "beyond bufferViews"),
        ("bufferViews", {"0": {}}, "bufferViews is missing or of a wrong type"),
        ("nodes.0.scale", [1, 2], "scale is not a list of 3"),
        ("nodes.0.scale", [1, "x", 2], "scale is x"),
        ("nodes.0.mesh", 4, r"meshes\[4\]"),
        ("nodes.0.children", [0], "must be a tree"),
        ("meshes.0.primitives", "none", "primitives is missing"),
        ("scene", 3, r"scenes\[3\]"),
        ("asset", [], "asset is missing"),
        ("extensionsRequired", ["ACME_cloud"], "ACME_cloud"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, square: Builder, where: str, value: Any, reason: str) -> None:
    _set(square, where, value)
    with pytest.raises(OmagenError, match=reason):
        read_mesh(square.save(tmp_path))


def test_deeply_nested_json_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "deep.gltf"
    path.write_text('{"asset":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(OmagenError, match="not JSON"):
        read_mesh(path)


def test_too_many_json_values_are_refused_before_parsing(tmp_path: Path) -> None:
    path = tmp_path / "many.gltf"
    path.write_text('{"nodes":[' + "{}," * 3_000_000 + "{}]}")
    with pytest.raises(OmagenError, match="description is too large"):
        read_mesh(path)


@pytest.mark.parametrize(("limit", "reason"), [("MAX_PARTS", "parts"), ("MAX_TRIANGLES", "triangles")])
def test_one_mesh_in_too_many_places_is_refused(
    tmp_path: Path, square: Builder, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    monkeypatch.setattr(mesh_parts, limit, 99)
    square.root["meshes"][0]["primitives"] *= 10
    square.root["nodes"] = [{"mesh": 0} for _ in range(10)]
    square.root["scenes"] = [{"nodes": list(range(10))}]
    with pytest.raises(OmagenError, match=f"more than 99 {reason}"):
        read_mesh(square.save(tmp_path))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "cube.glb"
    write_glb(cube(materials=(rich_material(),), colors=np.ones((8, 4), np.float32)), path, {})
    return path.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), noise=st.binary(min_size=1, max_size=12))
def test_damage_anywhere_gives_a_mesh_or_an_error(sound: bytes, tmp_path: Path, place: float, noise: bytes) -> None:
    length = struct.unpack_from("<I", sound, 12)[0] + 20  # only the description: the rest is numbers and pictures
    start = int(place * length)
    path = tmp_path / "damaged.glb"
    path.write_bytes(sound[:start] + noise + sound[start + len(noise) :])
    try:
        mesh, _ = read_mesh(path)
    except OmagenError:
        return
    assert len(mesh.faces) and np.isfinite(mesh.vertices).all() and mesh.faces.max() < len(mesh.vertices)
