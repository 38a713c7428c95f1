"""Decimation: the count that was asked for, and nothing about how the surface is connected changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from generated_meshes import crumbs, fan, joined, sheet, torus
from omagen.geometry.cleaning import join_places
from omagen.geometry.decimation import decimate
from omagen.geometry.distance import surface_distance
from omagen.geometry.quality import quality_report
from omagen.geometry.topology import borders
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import ball
from omagen.shapes import Material, Mesh
from places import SHARED


@pytest.mark.parametrize("target", [4000, 1000, 200, 60])
def test_a_closed_surface_gets_the_count_and_stays_closed(target: int) -> None:
    mesh = torus(0, 0.1, (80, 40), 0.3)
    made = decimate(mesh, target)
    assert abs(len(made.mesh.faces) - target) <= 1 and not made.has_stopped
    report = quality_report(made.mesh)
    assert report["watertight"] and report["consistent_winding"]
    assert len(made.mesh.vertices) == len(made.mesh.faces) // 2  # a torus has as many faces as twice its vertices


def test_no_piece_vanishes_and_what_cannot_be_less_is_said() -> None:
    mesh = joined([crumbs(0, 20, 0.5), ball(24, 12)])
    made = decimate(mesh, 10)
    assert made.has_stopped
    assert quality_report(made.mesh)["components"] == 21
    assert quality_report(made.mesh)["watertight"]


def test_a_flat_sheet_keeps_its_outline() -> None:
    mesh = sheet(0, 0.0, (30, 40), 0)
    made = decimate(mesh, 40)
    assert len(made.mesh.faces) <= 40
    assert np.abs(np.ptp(made.mesh.vertices, axis=0) - np.ptp(mesh.vertices, axis=0)).max() < 1e-5
    found = surface_distance(mesh, made.mesh, 5000)
    assert found["area_ratio"] == pytest.approx(1, abs=1e-5)
    assert found["max"] < 1e-5


def test_an_open_rough_sheet_keeps_one_border() -> None:
    mesh = sheet(1, 0.2, (40, 40), 0)
    made = decimate(mesh, 600)
    before, after = borders(mesh.faces), borders(made.mesh.faces)
    assert after.boundary_loops == before.boundary_loops == 1
    assert len(after.non_manifold_edges) == 0


def test_edges_of_many_faces_stay_where_they_are() -> None:
    mesh = fan(5, 12)
    made = decimate(mesh, 40)
    assert len(borders(made.mesh.faces).non_manifold_edges) == 12


def test_the_shape_is_hardly_changed() -> None:
    mesh = ball(100, 50)
    made = decimate(mesh, len(mesh.faces) // 4)
    assert surface_distance(mesh, made.mesh, 20_000)["chamfer"] < 3e-4


def test_few_faces_stay_as_they_are() -> None:
    mesh = ball(24, 12)
    made = decimate(mesh, len(mesh.faces))
    assert made.mesh is mesh and not made.has_stopped


def test_materials_keep_their_areas() -> None:
    mesh = sheet(0, 0.0, (41, 41), 0)
    left = (mesh.vertices[mesh.faces].mean(axis=1)[:, 0] < 20).astype(np.int32)
    made = decimate(replace(mesh, material_index=left, materials=(Material("a"), Material("b"))), 60).mesh
    assert made.material_index is not None
    a, b, c = (made.vertices[made.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    assert area[made.material_index == 1].sum() == pytest.approx(20 * 40, rel=1e-4)


def test_uv_move_along_and_chart_borders_stay() -> None:
    mesh = sheet(0, 0.0, (41, 41), 0)
    uv = (mesh.vertices[:, :2] / 100)[mesh.faces]
    right = mesh.vertices[mesh.faces].mean(axis=1)[:, 0] > 20
    uv[right] += 0.5
    made = decimate(replace(mesh, uv=uv.astype(np.float32)), 400, keep_uv=True).mesh
    assert made.uv is not None and len(made.faces) <= 400
    places = made.vertices[made.faces][..., :2] / 100
    offset = made.uv - places
    assert np.abs(offset - np.round(offset * 2) / 2).max() < 1e-5  # flat: UVs are still exactly the place
    is_right = made.vertices[made.faces].mean(axis=1)[:, 0] > 20
    assert np.abs(offset - np.where(is_right, 0.5, 0)[:, None, None]).max() < 1e-5


def test_colours_are_those_of_the_place() -> None:
    mesh = ball(48, 24)
    colors = np.hstack([(mesh.vertices + 2) / 4, np.ones((len(mesh.vertices), 1))]).astype(np.float32)
    made = decimate(replace(mesh, colors=colors), 500).mesh
    assert made.colors is not None
    assert np.abs(made.colors[:, :3] - (made.vertices + 2) / 4).max() < 0.02


def test_a_vertex_with_very_many_faces_does_not_hold_up_the_others() -> None:
    around = 20_000
    turn = 2 * np.pi * np.arange(around) / around
    rim = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], axis=1)
    k, after = np.arange(around), (np.arange(around) + 1) % around
    top, bottom = np.full(around, around), np.full(around, around + 1)
    faces = np.concatenate([np.stack([k, top, after], axis=1), np.stack([after, bottom, k], axis=1)])
    vertices = np.concatenate([rim, [[0, 1, 0], [0, -1, 0]]])
    made = decimate(Mesh(vertices.astype(np.float32), faces.astype(np.int32)), 2000)
    assert len(made.mesh.faces) == 2000 and quality_report(made.mesh)["watertight"]


def test_progress_may_cancel() -> None:
    class Cancelled(Exception): ...

    def stop(share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        decimate(ball(400, 200), 100, stop)


def test_an_asset_of_many_pieces_gets_its_count() -> None:
    path = SHARED / "assets" / "meshes" / "flight_helmet_multimaterial.glb"
    if not path.exists():
        pytest.skip("needs the shared assets")
    mesh = join_places(read_mesh(path)[0])
    made = decimate(Mesh(mesh.vertices, mesh.faces), 10_000)
    assert 9_800 <= len(made.mesh.faces) <= 10_000
    before, after = borders(mesh.faces), borders(made.mesh.faces)
    assert len(after.non_manifold_edges) <= len(before.non_manifold_edges)
    assert after.boundary_loops == before.boundary_loops
