"""The stages of cleaning on meshes that are wrong in one way each, and on a few that are wrong in many."""

from __future__ import annotations

import numpy as np
import pytest
from generated_meshes import crumbs, fan, joined, moebius, sheet, torus, with_duplicates, with_slivers
from omagen.finish.cleaning import clean
from omagen.finish.settings import FinishSettings
from omagen.geometry.cleaning import join_places
from omagen.geometry.hole_filling import fill_holes
from omagen.geometry.manifold import split_non_manifold
from omagen.geometry.quality import quality_report
from omagen.geometry.sampling import face_areas
from omagen.geometry.small_parts import drop_small_parts
from omagen.geometry.winding import turned_over, wind_consistently
from omagen.kernels.samples import ball, broken
from omagen.shapes import Mesh
from sample_meshes import cube


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("seed", range(4))
def test_faces_turned_at_random_look_outward_again(seed: int) -> None:
    mesh = joined([cube(uv=None, normals=None), ball(24, 12)])
    turned = turned_over(mesh, np.random.default_rng(seed).random(len(mesh.faces)) < 0.4)
    wound = wind_consistently(turned)
    assert quality_report(wound.mesh)["consistent_winding"]
    assert volume(wound.mesh) == pytest.approx(volume(mesh), rel=1e-6)


def test_a_surface_inside_out_is_turned() -> None:
    mesh = ball(24, 12)
    wound = wind_consistently(turned_over(mesh, np.ones(len(mesh.faces), bool)))
    assert wound.turned_faces == len(mesh.faces) and volume(wound.mesh) > 0


def test_the_inner_wall_of_something_hollow_stays() -> None:
    outer = ball(24, 12)
    inner = turned_over(ball(24, 12), np.ones(len(outer.faces), bool))
    hollow = Mesh(
        np.concatenate([outer.vertices, inner.vertices / 2]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]),
    )
    assert wind_consistently(hollow).turned_faces == 0


def test_uv_and_normals_turn_with_their_faces() -> None:
    mesh = cube()
    flip = np.zeros(len(mesh.faces), bool)
    flip[3] = True
    back = wind_consistently(turned_over(mesh, flip)).mesh
    assert back.uv is not None and mesh.uv is not None and back.normals is not None
    corner = {tuple(v): tuple(u) for v, u in zip(mesh.vertices[mesh.faces[3]], mesh.uv[3], strict=True)}
    assert all(corner[tuple(v)] == tuple(u) for v, u in zip(back.vertices[back.faces[3]], back.uv[3], strict=True))
    assert mesh.normals is not None and np.array_equal(back.normals[3], mesh.normals[3])


@pytest.mark.parametrize("shift", [(1, 1, 0), (1, 1, 1)])
def test_boxes_that_touch_become_two_closed_boxes(shift: tuple[int, int, int]) -> None:
    box = cube(uv=None, normals=None)
    both = Mesh(
        np.concatenate([box.vertices, box.vertices + np.array(shift, np.float32)]),
        np.concatenate([box.faces, box.faces + 8]),
    )
    split = split_non_manifold(join_places(both)).mesh
    report = quality_report(split)
    assert report["watertight"] and report["components"] == 2 and report["vertices"] == 16
    assert volume(split) == pytest.approx(2)


@pytest.mark.parametrize("mesh", [fan(3, 8), fan(5, 8), fan(8, 3), broken(), moebius(0.3, (20, 4), 1)])
def test_no_edge_keeps_more_than_two_faces(mesh: Mesh) -> None:
    split = split_non_manifold(mesh).mesh
    report = quality_report(split)
    assert report["non_manifold_edges"] == 0 and report["consistent_winding"]
    before, after = (face_areas(m.vertices, m.faces).sum() for m in (mesh, split))
    assert after == pytest.approx(before, rel=1e-5)


def test_under_a_fin_the_surface_goes_on() -> None:
    mesh = ball(24, 12)
    a, b = mesh.faces[100, :2]
    top = (mesh.vertices[a] + mesh.vertices[b])[None]
    finned = Mesh(
        np.concatenate([mesh.vertices, top]),
        np.concatenate([mesh.faces, np.array([[a, b, len(mesh.vertices)]], np.int32)]),
    )
    report = quality_report(split_non_manifold(finned).mesh)
    assert report["components"] == 2 and report["open_edges"] == 3


def test_a_surface_without_fault_stays_the_same_object() -> None:
    mesh = torus(0, 0.1, (30, 20), 0.3)
    assert split_non_manifold(mesh).mesh is mesh


def test_small_parts_go_and_are_counted() -> None:
    mesh = joined([ball(24, 12), crumbs(0, 10, 0.5)])
    kept = drop_small_parts(mesh, 0.5)
    assert kept.dropped_pieces == 10 and kept.dropped_faces == 40 and len(kept.mesh.faces) == len(ball(24, 12).faces)
    assert drop_small_parts(mesh, 0.0).mesh is mesh
    assert len(drop_small_parts(mesh, 1.0).mesh.faces) > 0


def test_holes_are_closed_with_the_right_side_out() -> None:
    mesh = torus(0, 0.1, (40, 30), 0.3)
    gone = [3, 4, 5, 44, 45, 46, 47, 100, 300, 301, 302, 303]
    filled = fill_holes(Mesh(mesh.vertices, np.delete(mesh.faces, gone, axis=0)), 0.5)
    report = quality_report(filled.mesh)
    assert report["watertight"] and report["consistent_winding"] and filled.filled == filled.holes
    assert volume(filled.mesh) == pytest.approx(volume(mesh), rel=0.01)


def test_only_holes_up_to_the_limit_are_closed_and_rims_are_not_holes() -> None:
    mesh = ball(48, 24)
    low = mesh.vertices[:, 1].argmin()
    open_ball = Mesh(mesh.vertices, mesh.faces[~(mesh.faces == low).any(axis=1)])
    assert fill_holes(open_ball, 0.01).filled == 0
    assert fill_holes(open_ball, 1.0).filled == 1
    assert fill_holes(sheet(0, 0.1, (8, 8), 0), 100.0).filled == 0


CORPUS = {
    "duplicates": with_duplicates(ball(24, 12), 0),
    "slivers": with_slivers(ball(24, 12), 0),
    "fan": fan(6, 10),
    "broken": broken(),
    "moebius": moebius(0.3, (20, 4), 1),
    "crumbs": crumbs(1, 30, 0.01),
    "all": joined([with_slivers(torus(1, 0.2, (20, 12), 0.3), 1), fan(4, 5), sheet(2, 0.1, (6, 6), 2)]),
}


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("seed", range(2))
def test_cleaned_meshes_are_manifold_and_agree_about_the_outside(name: str, seed: int) -> None:
    given = CORPUS[name]
    given = turned_over(given, np.random.default_rng(seed).random(len(given.faces)) < 0.3 * seed)
    cleaned, counts = clean(given, FinishSettings(), lambda share: None, is_baked=True)
    report = quality_report(cleaned)
    assert report["non_manifold_edges"] == 0 and report["consistent_winding"]
    assert np.isfinite(cleaned.vertices).all() and cleaned.faces.max() < len(cleaned.vertices)
    if quality_report(join_places(given))["watertight"]:
        assert report["watertight"]
    again, second = clean(cleaned, FinishSettings(), lambda share: None, is_baked=True)
    assert second["duplicate_faces"] == second["degenerate_faces"] == 0
    assert len(again.faces) >= len(cleaned.faces)
    assert all(value >= 0 for value in counts.values())
