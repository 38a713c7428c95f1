"""The solver moves meshes to target normals: exactly where it can, safely where it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from omagen.geometry.quality import quality_report
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine import factor
from omagen.refine.refinement import refine
from omagen.refine.settings import RefineSettings
from omagen.refine.targets import Offsets
from omagen.shapes import Mesh
from refine_shapes import Fixed, grid, quiet, raised, sphere, unit_normals

THOROUGH = RefineSettings(rotations=6, offsets=4)


def _angles(mesh: Mesh, normal: np.ndarray) -> np.ndarray:
    """Degrees between the faces and `normal`"""
    cosine = (unit_normals(mesh.vertices, mesh.faces) * normal).sum(1)
    return np.degrees(np.arccos(cosine.clip(-1, 1)))


def test_a_height_field_comes_back_from_its_normals() -> None:
    sheet = grid(65)
    wanted = raised(sheet)
    result, _ = refine(sheet, Fixed(unit_normals(wanted, sheet.faces)), THOROUGH, quiet)
    assert _angles(result, unit_normals(wanted, sheet.faces)).mean() < 0.7
    assert np.abs(result.vertices - wanted).max() < 0.1 * wanted[:, 2].max()


def test_a_bumped_sphere_comes_back_from_its_normals() -> None:
    ball = sphere(5)
    place = ball.vertices.astype(np.float64)
    wanted = place * (1 + 0.03 * np.sin(9 * place[:, :1]) * np.cos(8 * place[:, 1:2]))
    normal = unit_normals(wanted, ball.faces)
    before = _angles(ball, normal).mean()
    result, _ = refine(ball, Fixed(normal), RefineSettings(), quiet)
    assert _angles(result, normal).mean() < 0.12 * before
    assert (
        np.linalg.norm(result.vertices - wanted, axis=1).mean() < 0.25 * np.linalg.norm(place - wanted, axis=1).mean()
    )


def test_a_mesh_that_has_its_targets_stays_where_it_is() -> None:
    ball = sphere(3)
    result, _ = refine(ball, Fixed(unit_normals(ball.vertices, ball.faces)), RefineSettings(), quiet)
    assert np.abs(result.vertices - ball.vertices).max() < 1e-6


def test_strength_zero_gives_the_mesh_back() -> None:
    sheet = grid(9)
    source = Fixed(unit_normals(raised(sheet), sheet.faces))
    assert refine(sheet, source, RefineSettings(strength=0), quiet)[0] is sheet


def test_strength_scales_the_heights() -> None:
    sheet = grid(33)
    source = Fixed(unit_normals(raised(sheet, 0.02), sheet.faces))
    full, half, more = (
        refine(sheet, source, RefineSettings(strength=strength), quiet)[0].vertices[:, 2] for strength in (1, 0.5, 1.5)
    )
    assert np.abs(half - 0.5 * full).max() < 0.05 * full.max()
    assert np.abs(more - 1.5 * full).max() < 0.08 * full.max()


def test_open_borders_are_pinned_bit_by_bit() -> None:
    sheet = grid(33)
    turned = np.tile([0.3, 0.1, 0.9487], (len(sheet.faces), 1))
    result, _ = refine(sheet, Fixed(turned), RefineSettings(), quiet)
    border = np.abs(sheet.vertices[:, :2]).max(1) == 0.5
    np.testing.assert_array_equal(result.vertices[border], sheet.vertices[border])


def test_faces_that_nobody_sees_keep_their_direction() -> None:
    sheet = grid(65)
    surface = raised(sheet)
    surface[:, 2] *= np.clip(-4 * surface[:, 0], 0, 1) ** 2
    wanted = unit_normals(surface, sheet.faces)
    seen = sheet.vertices[sheet.faces].mean(1)[:, 0] < 0
    result, _ = refine(sheet, Fixed(np.where(seen[:, None], wanted, 0), seen.astype(float)), RefineSettings(), quiet)
    assert _angles(result, np.array([0.0, 0.0, 1.0]))[~seen].mean() < 0.5
    assert _angles(result, wanted)[seen].mean() < 0.15 * _angles(sheet, wanted)[seen].mean()


@pytest.mark.parametrize("seed", range(3))
def test_no_face_turns_over_whatever_the_targets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for mesh in (grid(25), sphere(3)):
        normal = rng.normal(size=(len(mesh.faces), 3))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        result, _ = refine(mesh, Fixed(normal), RefineSettings(strength=2, rotations=3, offsets=2), quiet)
        assert np.isfinite(result.vertices).all()
        before, after = (unit_normals(m.vertices, m.faces) for m in (mesh, result))
        assert (before * after).sum(1).min() > 0
        assert quality_report(result)["degenerate_faces"] == 0


def test_noisy_normals_degrade_gracefully() -> None:
    sheet, rng = grid(65), np.random.default_rng(1)
    true = unit_normals(raised(sheet), sheet.faces)
    start = _angles(sheet, true).mean()
    errors = []
    for noise in (0.0, 0.05, 0.2):
        normal = true + noise * rng.normal(size=true.shape)
        result, _ = refine(
            sheet, Fixed(normal / np.linalg.norm(normal, axis=1, keepdims=True)), RefineSettings(), quiet
        )
        errors.append(np.linalg.norm(result.vertices - raised(sheet), axis=1).mean())
    flat = np.linalg.norm(sheet.vertices - raised(sheet), axis=1).mean()
    assert start > 5
    assert errors[2] < 0.5 * flat
    assert errors[0] <= errors[1] * 1.05 <= errors[2] * 1.1


def test_keeping_larger_shapes_takes_detail_but_not_drift() -> None:
    """A whole that leans, as generated normals do, moves nothing; ripples upon it arrive."""
    ball = sphere(5)
    place = ball.vertices.astype(np.float64)
    rippled = place * (1 + 0.004 * np.sin(40 * place[:, 2:]))
    normal = unit_normals(rippled, ball.faces)
    lean = 0.25 * np.stack([np.sin(2 * place[:, 1]), np.cos(2 * place[:, 2]), np.sin(2 * place[:, 0])], 1)
    leaning = normal + lean[ball.faces].mean(1)
    leaning /= np.linalg.norm(leaning, axis=1, keepdims=True)
    all_sizes, small_only = (
        refine(ball, Fixed(leaning), RefineSettings(keep_larger=larger), quiet)[0] for larger in (0.0, 0.03)
    )
    errors = [_angles(m, normal).mean() for m in (ball, all_sizes, small_only)]
    assert errors[2] < 0.5 * errors[0] < 0.5 * errors[1] * 3
    assert errors[2] < 0.5 * errors[1]


def test_the_region_rules_bit_by_bit_with_a_soft_border() -> None:
    sheet = grid(65)
    wanted = unit_normals(raised(sheet), sheet.faces)
    region = (np.abs(sheet.vertices[:, 0]) < 0.2).astype(np.float32)
    regional = replace(sheet, region=region)
    result, _ = refine(regional, Fixed(wanted), RefineSettings(), quiet)
    np.testing.assert_array_equal(result.vertices[region == 0], sheet.vertices[region == 0])
    moved = np.abs(result.vertices[:, 2])
    assert moved[region > 0].max() > 0.01
    at_border = moved.reshape(65, 65)[:, (np.abs(np.linspace(-0.5, 0.5, 65)) < 0.2).argmax()]
    assert at_border.max() < 0.2 * moved.max()
    again, _ = refine(regional, Fixed(wanted), RefineSettings(), quiet)
    np.testing.assert_array_equal(result.vertices, again.vertices)


def test_vertices_at_one_place_stay_together() -> None:
    sheet = grid(33)
    split = Mesh(
        sheet.vertices[sheet.faces.reshape(-1)], np.arange(len(sheet.faces) * 3, dtype=np.int32).reshape(-1, 3)
    )
    source = Fixed(unit_normals(raised(sheet), sheet.faces))
    apart, _ = refine(split, source, RefineSettings(), quiet)
    whole, _ = refine(sheet, source, RefineSettings(), quiet)
    np.testing.assert_allclose(apart.vertices, whole.vertices[sheet.faces.reshape(-1)], atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1e4, 0.0), (1.0, 1000.0)])
def test_size_and_place_make_no_difference(scale: float, shift: float) -> None:
    sheet = grid(33)
    source = Fixed(unit_normals(raised(sheet), sheet.faces))
    moved = replace(sheet, vertices=(sheet.vertices * scale + shift).astype(np.float32))
    usual, _ = refine(sheet, source, RefineSettings(), quiet)
    result, _ = refine(moved, source, RefineSettings(), quiet)
    tolerance = 1e-5 if shift == 0 else 2e-3
    np.testing.assert_allclose((result.vertices.astype(np.float64) - shift) / scale, usual.vertices, atol=tolerance)


def test_broken_faces_harm_nobody() -> None:
    ball = sphere(3)
    faces = np.concatenate([ball.faces, [[0, 0, 1], [5, 5, 5], ball.faces[0]]]).astype(np.int32)
    broken = Mesh(np.concatenate([ball.vertices, [[9, 9, 9]]]).astype(np.float32), faces)
    normal = unit_normals(broken.vertices * np.array([1, 1.2, 1], np.float32), faces)
    result, _ = refine(
        broken, Fixed(normal, (np.linalg.norm(normal, axis=1) > 0).astype(float)), RefineSettings(), quiet
    )
    assert np.isfinite(result.vertices).all()
    np.testing.assert_array_equal(result.vertices[-1], [9, 9, 9])


def test_a_mesh_without_a_surface_is_refused() -> None:
    line = Mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    for mesh in (line, Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))):
        with pytest.raises(OmagenError) as error:
            refine(mesh, Fixed(np.zeros((len(mesh.faces), 3))), RefineSettings(), quiet)
        assert error.value.code is ErrorCode.GEOMETRY


def test_without_cholespy_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = grid(33)
    source = Fixed(unit_normals(raised(sheet), sheet.faces))
    usual, _ = refine(sheet, source, RefineSettings(), quiet)
    monkeypatch.setattr(factor, "cholespy", None)
    result, _ = refine(sheet, source, RefineSettings(), quiet)
    np.testing.assert_allclose(result.vertices, usual.vertices, atol=1e-6)


def test_known_places_pull() -> None:
    class Larger(Fixed):
        """A sphere of radius 1.05, known all around one side only"""

        knows_places = True

        def offsets(self, mesh: Mesh) -> Offsets:
            return Offsets(1.05 - np.linalg.norm(mesh.vertices, axis=1), (mesh.vertices[:, 0] > 0).astype(float))

    ball = sphere(4)
    result, _ = refine(ball, Larger(unit_normals(ball.vertices, ball.faces)), RefineSettings(), quiet)
    radius = np.linalg.norm(result.vertices, axis=1)
    np.testing.assert_allclose(radius[ball.vertices[:, 0] > 0], 1.05, atol=0.01)
    assert radius.min() > 1.0


def test_corner_normals_follow_and_creases_stay() -> None:
    sheet = grid(33)
    sheet = replace(sheet, normals=np.tile(np.array([0, 0, 1], np.float32), (len(sheet.faces), 3, 1)))
    result, _ = refine(sheet, Fixed(unit_normals(raised(sheet), sheet.faces)), RefineSettings(), quiet)
    assert result.normals is not None
    flat = unit_normals(result.vertices, result.faces)
    assert (result.normals * flat[:, None]).sum(2).min() > 0.95


def test_cancelling_ends_it() -> None:
    def cancel(stage: str, fraction: float) -> None:
        if fraction > 0.5:
            raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    sheet = grid(33)
    with pytest.raises(OmagenError) as error:
        refine(sheet, Fixed(unit_normals(raised(sheet), sheet.faces)), RefineSettings(), cancel)
    assert error.value.code is ErrorCode.CANCELLED


def test_torch_computes_the_same() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from omagen.refine.arrays import Arrays
    from omagen.refine.solver import SolveSettings, solve

    sheet = grid(33)
    source = Fixed(unit_normals(raised(sheet), sheet.faces))
    results = [
        solve(
            sheet.vertices.astype(np.float64), sheet.faces, np.abs(sheet.vertices[:, :2]).max(1) < 0.5,
            lambda x: source.targets(sheet), lambda x: None, np.ones(len(sheet.faces)),
            SolveSettings(banded=True), lambda f: None, arrays,
        )
        for arrays in (Arrays(), Arrays(torch=True))
    ]  # fmt: skip
    np.testing.assert_allclose(results[0], results[1], atol=1e-8)
