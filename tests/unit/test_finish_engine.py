"""The engine `finish` as the worker runs it, levels of detail as results, and quads through GLB."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omagen.engines import describe_engines
from omagen.engines.finish.engine import PARAMETERS, FinishEngine
from omagen.finish.settings import FinishSettings
from omagen.finish.writing import write_shape
from omagen.geometry.cleaning import keep_faces
from omagen.io.glb_writer import write_glb
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import ball
from omagen.protocol import Request
from omagen.shapes import LodChain, Material, Mesh


class Listener:
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.fractions: list[float] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert stage
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def run(folder: Path, **parameters: Any) -> tuple[Any, dict[str, Any]]:
    write_glb(ball(48, 24), folder / "ball.glb", {})
    engine = FinishEngine()
    engine.load("cpu")
    request = Request("finish", {"mesh": "blob"}, parameters, name="pebble").checked(engine.describe())
    return engine.run(request, {"mesh": folder / "ball.glb"}, Listener())


def test_the_engine_is_registered_and_its_defaults_are_those_of_the_settings() -> None:
    assert any(info.id == "finish" for info in describe_engines())
    settings = FinishSettings()
    for parameter in PARAMETERS:
        if parameter.id != "occlusion":
            assert parameter.default == getattr(settings, parameter.id)


def test_levels_are_files_beside_the_object(tmp_path: Path) -> None:
    shape, making = run(tmp_path, faces=600, texture=64, lods=3)
    assert isinstance(shape, LodChain) and shape.name == "pebble"
    out = tmp_path / "out"
    out.mkdir()
    report = write_shape(shape, out, {"seed": 0}, Listener()) | making
    assert {path.name for path in out.iterdir()} == {"object.glb", "object_lod1.glb", "object_lod2.glb", "preview.png"}
    assert report["level_triangles"] == [600, 300, 150] and report["finish"]["simplify"]["delivered"] == 600
    assert [len(read_mesh(out / f"object{end}.glb")[0].faces) for end in ("", "_lod1", "_lod2")] == [600, 300, 150]
    assert read_mesh(out / "object_lod1.glb")[0].name == "pebble LOD1"
    json.dumps(report, allow_nan=False)


def test_occlusion_is_baked_where_it_is_wanted(tmp_path: Path) -> None:
    mesh, making = run(tmp_path, faces=600, texture=64, occlusion=True)
    assert isinstance(mesh, Mesh) and mesh.materials[0].occlusion_texture is not None
    assert making["finish"]["bake"]["maps"] == ["normal", "occlusion"]


def two_quads_and_a_triangle() -> Mesh:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0], [3, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2], [4, 6, 5]], np.int32)
    return Mesh(vertices, faces, quads=np.array([0, 2], np.int32))


def quads_in(path: Path) -> list[list[int]]:
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    document, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    found = []
    for primitive in document["meshes"][0]["primitives"]:
        at = primitive["extras"].get("omagen_quad")
        if at is None:
            found.append([])
            continue
        accessor = document["accessors"][at]
        start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
        found.append(np.frombuffer(binary, np.uint32, accessor["count"], start).tolist())
    return found


def test_quads_are_said_in_the_file_by_primitive(tmp_path: Path) -> None:
    mesh = two_quads_and_a_triangle()
    write_glb(mesh, tmp_path / "one.glb", {})
    assert quads_in(tmp_path / "one.glb") == [[0, 2]]
    index = np.array([1, 1, 0, 0, 1], np.int32)
    both = replace(mesh, material_index=index, materials=(Material("a"), Material("b")))
    write_glb(both, tmp_path / "two.glb", {})
    assert quads_in(tmp_path / "two.glb") == [[0], [0]]


def test_a_quad_without_one_half_is_none() -> None:
    mesh = two_quads_and_a_triangle()
    assert keep_faces(mesh, np.array([True, False, True, True, True])).quads.tolist() == [1]  # type: ignore[union-attr]
    assert keep_faces(mesh, np.array([3, 2])).quads.tolist() == []  # type: ignore[union-attr]
