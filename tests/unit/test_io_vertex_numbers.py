"""A mesh's own vertex numbers and its region go through GLB unchanged; impossible ones are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omagen.geometry.cleaning import drop_unused_vertices, weld_vertices
from omagen.io.glb_writer import write_glb
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import box
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.refinement import refine
from omagen.refine.settings import RefineSettings
from omagen.shapes import Mesh
from refine_shapes import Fixed, quiet, unit_normals


def _numbered() -> Mesh:
    """Two materials, UV seams, vertices at the same place, and one in the middle that no face uses"""
    mesh = box()
    vertices = np.insert(mesh.vertices, 4, [7, 7, 7], axis=0)
    faces = mesh.faces + (mesh.faces >= 4)
    colors = np.insert(mesh.colors, 4, 1, axis=0) if mesh.colors is not None else None
    region = np.linspace(0, 1, len(vertices)).astype(np.float32)
    return replace(mesh, vertices=vertices, faces=faces.astype(np.int32), colors=colors, region=region, numbered=True)


def _through_file(mesh: Mesh, folder: Path) -> Mesh:
    write_glb(mesh, folder / "mesh.glb", {})
    return read_mesh(folder / "mesh.glb")[0]


def _tampered(folder: Path, name: str, values: np.ndarray) -> Path:
    """The file of `_numbered()` with other values in the attribute `name` of all vertices"""
    write_glb(_numbered(), folder / "mesh.glb", {})
    import json
    import struct

    data = bytearray((folder / "mesh.glb").read_bytes())
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    for primitive in document["meshes"][0]["primitives"]:
        accessor = document["accessors"][primitive["attributes"][name]]
        view = document["bufferViews"][accessor["bufferView"]]
        start = 20 + length + 8 + view["byteOffset"]
        content = np.resize(values.astype("<f4"), accessor["count"]).tobytes()
        data[start : start + len(content)] = content
    (folder / "bad.glb").write_bytes(data)
    return folder / "bad.glb"


def test_order_number_and_places_of_vertices_survive(tmp_path: Path) -> None:
    mesh = _numbered()
    result = _through_file(mesh, tmp_path)
    assert result.numbered and len(result.vertices) == len(mesh.vertices)
    used = np.unique(mesh.faces)
    np.testing.assert_array_equal(result.vertices[used], mesh.vertices[used])
    np.testing.assert_array_equal(result.region[used], mesh.region[used])  # type: ignore[index]

    # faces may come in another order, by material; corners name the same vertices
    def listed(faces: np.ndarray) -> list[list[int]]:
        return sorted(faces.tolist())

    assert listed(result.faces) == listed(mesh.faces)
    again = _through_file(result, tmp_path)
    np.testing.assert_array_equal(again.vertices[used], mesh.vertices[used])
    np.testing.assert_array_equal(again.faces, result.faces)


def test_a_refined_mesh_has_its_vertices_where_its_sender_knows_them(tmp_path: Path) -> None:
    mesh = _through_file(_numbered(), tmp_path)
    stretched = unit_normals(mesh.vertices * np.array([1, 2, 1], np.float32), mesh.faces)
    refined, _ = refine(mesh, Fixed(stretched), RefineSettings(), quiet)
    back = _through_file(refined, tmp_path)
    assert back.numbered
    used = np.unique(mesh.faces)
    np.testing.assert_array_equal(back.vertices[used], refined.vertices[used])


def test_a_region_works_without_numbers(tmp_path: Path) -> None:
    mesh = replace(box(), region=np.linspace(0, 1, 8).astype(np.float32))
    result = _through_file(mesh, tmp_path)
    assert not result.numbered and result.region is not None
    np.testing.assert_array_equal(result.region, mesh.region)


@pytest.mark.parametrize(
    "values", [[-1.0], [0.5], [np.nan], [np.inf], [2.0**25], [2.0**24], [0.0], [0.0, 1.0]], ids=str
)
def test_impossible_numbers_are_refused(tmp_path: Path, values: list[float]) -> None:
    with pytest.raises(OmagenError) as error:
        read_mesh(_tampered(tmp_path, "_VERTEX", np.array(values)))
    assert error.value.code is ErrorCode.INPUT


@pytest.mark.parametrize("values", [[np.nan], [np.inf, 0.0]], ids=str)
def test_impossible_regions_are_refused(tmp_path: Path, values: list[float]) -> None:
    with pytest.raises(OmagenError) as error:
        read_mesh(_tampered(tmp_path, "_REGION", np.array(values)))
    assert error.value.code is ErrorCode.INPUT


def test_regions_are_kept_within_their_range(tmp_path: Path) -> None:
    mesh, _ = read_mesh(_tampered(tmp_path, "_REGION", np.array([-3.0, 5.0])))
    assert mesh.region is not None and mesh.region.min() >= 0 and mesh.region.max() <= 1


def test_whoever_renumbers_vertices_says_so() -> None:
    mesh = _numbered()
    cleaned = drop_unused_vertices(mesh)
    assert not cleaned.numbered and cleaned.region is not None and len(cleaned.region) == len(cleaned.vertices)
    doubled = replace(mesh, vertices=np.concatenate([mesh.vertices] * 2), colors=None, region=np.ones(18, np.float32))
    assert not weld_vertices(doubled).numbered
