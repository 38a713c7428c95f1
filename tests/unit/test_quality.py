"""The quality report tells the truth, checked against trimesh and against meshes whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from omagen.geometry.cleaning import drop_degenerate_faces, weld_vertices
from omagen.geometry.quality import is_degenerate, quality_report
from omagen.io.meshes import read_mesh
from omagen.shapes import Material, Mesh, Texture
from sample_meshes import cube, noise


def test_cube_is_closed_and_has_six_charts() -> None:
    mesh = cube(materials=(Material(base_color_texture=Texture(noise(0, size=32))),))
    assert quality_report(mesh) == {
        "triangles": 12, "vertices": 8, "components": 1, "watertight": True, "consistent_winding": True,
        "open_edges": 0, "non_manifold_edges": 0, "degenerate_faces": 0, "size_m": [1.0, 1.0, 1.0],
        "materials": 1, "uv_charts": 6, "uv_coverage": pytest.approx(6 / 16), "texture_size": [32, 32], "quads": 0,
        "self_intersections": 0, "uv_overlap": 0.0, "stretch": 1.0, "fill": pytest.approx(6 / 16, abs=0.001),
        "texel_density": {"mean": 8.0, "spread": 0.0}, "texture_coverage": 1.0,
    }  # fmt: skip


def test_report_is_plain_json() -> None:
    json.dumps(quality_report(cube()), allow_nan=False)


def test_hole_is_counted_by_its_edges() -> None:
    report = quality_report(cube(faces=cube().faces[:-1], uv=None, normals=None))
    assert (report["watertight"], report["open_edges"], report["uv_charts"]) == (False, 3, 0)


def test_third_face_at_an_edge_is_non_manifold() -> None:
    mesh = cube(uv=None, normals=None)
    vertices = np.vstack([mesh.vertices, [[2, 2, 2]]]).astype(np.float32)
    fin = np.vstack([mesh.faces, [[mesh.faces[0, 0], mesh.faces[0, 1], 8]]]).astype(np.int32)
    report = quality_report(replace(mesh, vertices=vertices, faces=fin))
    assert (report["non_manifold_edges"], report["open_edges"], report["watertight"]) == (1, 2, False)


def test_one_turned_face_breaks_the_winding() -> None:
    faces = cube().faces.copy()
    faces[0] = faces[0, ::-1]
    report = quality_report(cube(faces=faces))
    assert (report["consistent_winding"], report["watertight"]) == (False, True)


def test_unused_vertices_count_for_nothing() -> None:
    vertices = np.vstack([cube().vertices, [[99, 99, 99]]]).astype(np.float32)
    report = quality_report(cube(vertices=vertices))
    assert (report["vertices"], report["components"], report["size_m"]) == (8, 1, [1.0, 1.0, 1.0])


def test_charts_around_a_non_manifold_edge_join_those_with_the_same_uv() -> None:
    vertices = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]], np.int32)
    uv = np.random.default_rng(0).random((3, 3, 2), np.float32)
    uv[2, :2] = uv[0, :2]
    assert quality_report(Mesh(vertices, faces, uv))["uv_charts"] == 2


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_degenerate_faces_are_told_at_any_scale(scale: float) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0, 0]], np.float32) * np.float32(scale)
    faces = np.array([[0, 1, 2], [0, 1, 3], [1, 1, 2]], np.int32)
    assert is_degenerate(vertices, faces).tolist() == [False, True, True]


def test_empty_mesh_has_a_report() -> None:
    report = quality_report(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)))
    assert (report["triangles"], report["watertight"], report["components"]) == (0, False, 0)


def _assert_as_trimesh(mesh: Mesh) -> None:
    """For meshes without faces that name a vertex twice, whose edges trimesh counts and we do not."""
    report, theirs = quality_report(mesh), trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    counts = np.bincount(np.unique(theirs.edges_sorted, axis=0, return_inverse=True)[1].reshape(-1))
    assert report["open_edges"] == (counts == 1).sum()
    assert report["non_manifold_edges"] == (counts > 2).sum()
    assert report["watertight"] == theirs.is_watertight
    links = trimesh.graph.connected_components(theirs.edges_unique, min_len=1)
    assert report["components"] == len(links)
    assert report["size_m"] == pytest.approx(theirs.extents.tolist(), rel=1e-5)
    if report["non_manifold_edges"] == 0:
        assert report["consistent_winding"] == theirs.is_winding_consistent


@pytest.mark.parametrize(
    "name",
    ["spot_nodes_negative_scale", "nonmanifold_fins", "mountain_open_boundary", "table_palette_overlapping_uv"],
)
def test_report_agrees_with_trimesh_on_shared_meshes(assets: Path, name: str) -> None:
    mesh, _ = read_mesh(assets / "meshes" / f"{name}.glb")
    _assert_as_trimesh(drop_degenerate_faces(weld_vertices(mesh)))


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.int32, st.tuples(st.integers(1, 25), st.just(3)), elements=st.integers(0, 9)))
def test_report_agrees_with_trimesh_on_any_faces(faces: np.ndarray) -> None:
    faces = faces[[len(set(face)) == 3 for face in faces.tolist()]]
    if len(faces):
        _assert_as_trimesh(Mesh(np.random.default_rng(0).random((10, 3), np.float32), faces))
