"""A mesh with files beside it travels as one: packed by the client, unpacked as hostile input."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from omagen.bundle import companions, pack
from omagen.io.images import encode_png
from omagen.io.meshes import read_mesh
from omagen.protocol import OmagenError

TRIANGLE = "mtllib sub/skin.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl skin\nf 1/1 2/2 3/3\n"


@pytest.fixture
def obj(tmp_path: Path) -> Path:
    """An OBJ whose materials are in a folder below it and whose texture is below that."""
    (tmp_path / "sub" / "maps").mkdir(parents=True)
    (tmp_path / "triangle.obj").write_text(TRIANGLE)
    (tmp_path / "sub" / "skin.mtl").write_text("newmtl skin\nmap_Kd -s 1 1 1 maps/red.png\n")
    red = np.full((4, 4, 3), (200, 20, 20), np.uint8)
    (tmp_path / "sub" / "maps" / "red.png").write_bytes(encode_png(red))
    return tmp_path / "triangle.obj"


def _packed(path: Path, target: Path) -> Path:
    data = pack(path)
    assert isinstance(data, bytes)
    target.write_bytes(data)
    return target


def _zip(target: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target


def test_an_obj_arrives_with_its_materials_and_textures(obj: Path, tmp_path: Path) -> None:
    mesh, warnings = read_mesh(_packed(obj, tmp_path / "upload"))
    assert warnings == ()
    texture = mesh.materials[0].base_color_texture
    assert texture is not None
    assert tuple(texture.pixels[0, 0, :3]) == (200, 20, 20)


def test_a_gltf_arrives_with_its_buffers(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    (tmp_path / "a b.bin").write_bytes(points.tobytes())
    document = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "a%20b.bin", "byteLength": 36}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]}
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        "scene": 0,
    }
    (tmp_path / "triangle.gltf").write_text(json.dumps(document))
    mesh, _ = read_mesh(_packed(tmp_path / "triangle.gltf", tmp_path / "upload"))
    assert len(mesh.faces) == 1


def test_the_same_files_make_the_same_bundle(obj: Path) -> None:
    first = pack(obj)
    obj.touch()
    assert pack(obj) == first


def test_a_file_that_names_no_others_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain.obj"
    path.write_text("v 0 0 0\n")
    assert pack(path) == path


@pytest.mark.parametrize(
    "name", ["../secret.mtl", "/etc/passwd", "sub/../../secret.mtl", "missing.mtl", "a\0b", "x" * 5000]
)
def test_files_elsewhere_are_not_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl secret\n")
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "mesh.obj"
    path.write_text(f"mtllib {name}\nv 0 0 0\n")
    assert companions(path) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"buffers": 5}', '{"buffers": [5]}', '{"images": [{"uri": 3}]}', "[" * 9999]
)
def test_a_broken_gltf_is_left_to_the_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.gltf"
    path.write_text(text)
    assert pack(path) == path


@pytest.mark.parametrize("name", ["../out.mtl", "/out.mtl", "a/../../out.mtl", "C:out.mtl", "..\\out.mtl"])
def test_a_bundle_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    upload = _zip(tmp_path / "upload", [("mesh.obj", TRIANGLE.encode()), (name, b"newmtl x\n")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OmagenError, match="archive"):
        read_mesh(upload)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bundle_that_unpacks_to_more_than_was_sent_is_refused(tmp_path: Path) -> None:
    entries = [("mesh.obj", TRIANGLE.encode()), ("bomb.mtl", bytes(10_000_000))]
    with pytest.raises(OmagenError, match="compressed"):
        read_mesh(_zip(tmp_path / "upload", entries, zipfile.ZIP_DEFLATED))


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmagenError, match="does not begin with"):
        read_mesh(_zip(tmp_path / "upload", [("readme.txt", b"hello")]))


def test_a_bundle_cut_off_anywhere_is_refused_in_words(obj: Path, tmp_path: Path) -> None:
    data = pack(obj)
    assert isinstance(data, bytes)
    for length in range(4, len(data), max(len(data) // 60, 1)):
        (tmp_path / "upload").write_bytes(data[:length])
        with pytest.raises(OmagenError):
            read_mesh(tmp_path / "upload")


def test_damaged_bundles_never_crash(obj: Path, tmp_path: Path) -> None:
    data = pack(obj)
    assert isinstance(data, bytes)
    choose = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for place in choose.integers(0, len(data), 3):
            damaged[place] = choose.integers(256)
        (tmp_path / "upload").write_bytes(bytes(damaged))
        try:
            read_mesh(tmp_path / "upload")
        except OmagenError as error:
            assert error.remedy
    assert zipfile.is_zipfile(io.BytesIO(data))
