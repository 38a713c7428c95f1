"""What maps, finer meshes, omages and views say about a mesh, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from omagen.geometry.cameras import view_set
from omagen.geometry.distance import surface_distance
from omagen.geometry.quality import quality_report
from omagen.omage.encode import encode
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.maps import as_maps
from omagen.refine.refinement import refine
from omagen.refine.refining import deliver
from omagen.refine.settings import RefineSettings
from omagen.refine.sources import DetailNormals, MapNormals, omage_normals
from omagen.refine.subdivision import split_sides
from omagen.refine.views import ViewNormals, ViewSource, refine_from_views, render_normals
from omagen.shapes import DisplacedMesh, Material, Mesh, Texture
from refine_shapes import bump, grid, quiet, raised, sphere, unit_normals

SIZE = 256


def _field_normals() -> np.ndarray:
    """(SIZE, SIZE, 3): of the bump, at the pixels of the unit square, top row first"""
    along = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = np.meshgrid(along, along[::-1])
    places, step = np.stack([x.reshape(-1), y.reshape(-1)], axis=1), 1e-4
    slopes = [(bump(places + d) - bump(places - d)) / (2 * step) for d in np.eye(2) * step]
    normal = np.stack([-slopes[0], -slopes[1], np.ones(len(places))], axis=1)
    return (normal / np.linalg.norm(normal, axis=1, keepdims=True)).reshape(SIZE, SIZE, 3)


def _texture() -> Texture:
    return Texture(np.round(_field_normals() * 127.5 + 127.5).astype(np.uint8))


def _bumped_sphere(level: int) -> Mesh:
    ball = sphere(level)
    place = ball.vertices.astype(np.float64)
    return replace(
        ball, vertices=(place * (1 + 0.04 * np.sin(7 * place[:, :1]) * np.cos(6 * place[:, 1:2]))).astype(np.float32)
    )


def _error(mesh: Mesh, source: DetailNormals) -> float:
    found = source.targets(mesh)
    cosine = (unit_normals(mesh.vertices, mesh.faces) * found.normal).sum(1)[found.weight > 0]
    return float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean())


@pytest.mark.parametrize("space", ["tangent", "object"])
def test_a_normal_map_becomes_the_height_field_it_was_made_from(space) -> None:
    sheet = grid(65)
    result, _ = refine(sheet, MapNormals(sheet, _texture(), space), RefineSettings(rotations=4, offsets=2), quiet)
    assert np.abs(result.vertices - raised(sheet)).max() < 0.12 * raised(sheet)[:, 2].max()


def test_mirrored_uvs_give_the_same_shape() -> None:
    sheet = grid(65)
    assert sheet.uv is not None
    mirrored = replace(sheet, uv=np.ascontiguousarray(sheet.uv * [-1, 1] + [1, 0], np.float32))
    pixels = _texture().pixels[:, ::-1].copy()
    pixels[..., 0] = 255 - pixels[..., 0]
    usual, _ = refine(sheet, MapNormals(sheet, _texture(), "tangent"), RefineSettings(), quiet)
    result, _ = refine(mirrored, MapNormals(mirrored, Texture(pixels), "tangent"), RefineSettings(), quiet)
    np.testing.assert_allclose(result.vertices, usual.vertices, atol=1e-3)


def test_the_meshs_own_map_becomes_shape_once_and_not_twice() -> None:
    sheet = replace(grid(65), materials=(Material(normal_texture=_texture()),))
    shape, _ = deliver(sheet, MapNormals(sheet, None, "tangent"), RefineSettings(), "geometry", 64, quiet)
    assert isinstance(shape, Mesh)
    rest = shape.materials[0].normal_texture
    assert rest is not None
    before, after = (np.abs(t.pixels[16:-16, 16:-16, :2].astype(float) - 127.5).mean() for t in (_texture(), rest))
    assert after < 0.25 * before


def test_without_uvs_or_a_map_the_error_says_what_to_do() -> None:
    for mesh in (sphere(1), grid(5)):
        with pytest.raises(OmagenError) as error:
            MapNormals(mesh, None, "tangent")
        assert error.value.code is ErrorCode.INPUT and error.value.remedy


def test_subdivision_follows_the_map_without_cracks_and_within_its_budget() -> None:
    coarse = grid(9)
    source = MapNormals(coarse, _texture(), "tangent")
    plain, _ = refine(coarse, source, RefineSettings(), quiet)
    fine, facts = refine(coarse, source, RefineSettings(vertices=3000), quiet)
    assert 500 < facts["vertices"] <= 3000
    assert quality_report(fine)["open_edges"] <= len(fine.vertices) and quality_report(fine)["non_manifold_edges"] == 0
    truth = replace(grid(129), vertices=raised(grid(129)).astype(np.float32))
    assert surface_distance(truth, fine, 20_000)["chamfer"] < 0.6 * surface_distance(truth, plain, 20_000)["chamfer"]
    closed = sphere(2)
    fine, _ = refine(closed, DetailNormals(_bumped_sphere(5)), RefineSettings(vertices=4000), quiet)
    assert quality_report(fine)["watertight"] and len(fine.vertices) > 1000


def test_splitting_keeps_the_surface_and_its_uvs() -> None:
    sheet = grid(5)
    split = np.random.default_rng(0).random((len(sheet.faces), 3)) < 0.4
    result = split_sides(sheet, split)
    assert result.uv is not None and sheet.uv is not None
    np.testing.assert_array_equal(result.vertices[: len(sheet.vertices)], sheet.vertices)
    np.testing.assert_allclose(result.vertices[result.faces][..., :2] + 0.5, result.uv, atol=1e-6)
    area = np.linalg.norm(np.cross(*np.moveaxis(np.diff(result.vertices[result.faces], axis=1), 1, 0)), axis=1).sum()
    assert area == pytest.approx(2.0, abs=1e-5)


def test_a_finer_mesh_gives_its_shape() -> None:
    fine, start = _bumped_sphere(6), sphere(4)
    source = DetailNormals(fine)
    result, _ = refine(start, source, RefineSettings(), quiet)
    assert _error(result, source) < 0.2 * _error(start, source)
    assert surface_distance(fine, result, 20_000)["chamfer"] < 0.1 * surface_distance(fine, start, 20_000)["chamfer"]


def test_an_omage_gives_its_shape() -> None:
    fine, start = _bumped_sphere(5), sphere(4)
    result, _ = refine(start, omage_normals(encode(fine, 128)[0]), RefineSettings(), quiet)
    source = DetailNormals(fine)
    assert _error(result, source) < 0.3 * _error(start, source)


def test_rendered_normals_are_unit_and_look_at_the_viewer() -> None:
    ball = sphere(5)
    for view in render_normals(ball, view_set(ball, 6), 96):
        seen = view.mask > 0
        np.testing.assert_allclose(np.linalg.norm(view.normal[seen], axis=1), 1, atol=1e-5)
        assert view.normal[seen][:, 2].min() > -0.05 and not view.normal[~seen].any()
        rows, columns = np.nonzero(seen)
        upper = rows < np.median(rows)
        assert (
            view.normal[seen][upper, 1].mean() > 0.3 and view.normal[seen][columns > np.median(columns), 0].mean() > 0.3
        )


@pytest.fixture(scope="module")
def views() -> list[ViewNormals]:
    fine = _bumped_sphere(6)
    return render_normals(fine, view_set(fine, 12), 256)


def test_views_give_the_shape_that_they_show(views: list[ViewNormals]) -> None:
    fine, start = _bumped_sphere(6), sphere(4)
    source = DetailNormals(fine)
    result, _ = refine_from_views(start, views, RefineSettings(), quiet)
    assert _error(result, source) < 0.25 * _error(start, source)
    assert surface_distance(fine, result, 20_000)["chamfer"] < 0.3 * surface_distance(fine, start, 20_000)["chamfer"]


def test_a_view_that_disagrees_is_outvoted(views: list[ViewNormals]) -> None:
    start, source = sphere(4), DetailNormals(_bumped_sphere(6))
    right, _ = refine_from_views(start, views, RefineSettings(), quiet)
    wrong = views[0].normal * np.array([-1, -1, 1], np.float32)
    result, _ = refine_from_views(start, [replace(views[0], normal=wrong), *views[1:]], RefineSettings(), quiet)
    assert _error(result, source) < 1.5 * _error(right, source)


def test_noise_and_disagreement_between_views_cost_little(views: list[ViewNormals]) -> None:
    rng, start, source = np.random.default_rng(0), sphere(4), DetailNormals(_bumped_sphere(6))

    def disturbed(view: ViewNormals) -> ViewNormals:
        lean = 0.1 * rng.normal(size=3).astype(np.float32)
        normal = view.normal + (0.1 * rng.normal(size=view.normal.shape) + lean).astype(np.float32)
        normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6)
        return replace(view, normal=normal * (view.mask > 0)[..., None])

    result, _ = refine_from_views(start, [disturbed(view) for view in views], RefineSettings(), quiet)
    assert _error(result, source) < 0.5 * _error(start, source)


def test_hidden_surfaces_take_nothing_from_what_hides_them() -> None:
    """A sheet behind a ball: the view shows the ball there."""
    ball, sheet = sphere(3, 0.3), grid(33)
    both = Mesh(
        np.concatenate([ball.vertices + np.array([0, 0, 1], np.float32), sheet.vertices]),
        np.concatenate([ball.faces, sheet.faces + len(ball.vertices)]).astype(np.int32),
    )
    (view,) = render_normals(both, view_set(both, 1), 256)
    found = ViewSource([view]).targets(both)
    behind = np.linalg.norm(both.vertices[both.faces].mean(1)[:, :2], axis=1) < 0.28
    behind[: len(ball.faces)] = False
    assert behind.sum() > 50 and not found.weight[behind].any()
    beside = np.linalg.norm(both.vertices[both.faces].mean(1)[:, :2], axis=1) > 0.33
    beside[: len(ball.faces)] = False
    assert found.weight[beside].min() > 0.5
    np.testing.assert_allclose(found.normal[beside], np.tile([0, 0, 1], (beside.sum(), 1)), atol=0.02)


def test_maps_carry_the_shape_on_the_mesh_as_it_was() -> None:
    sheet = grid(65)
    refined = replace(sheet, vertices=raised(sheet).astype(np.float32))
    displaced = as_maps(sheet, refined, SIZE)
    assert displaced.mesh.vertices is sheet.vertices and displaced.mesh.faces is sheet.faces
    along = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = np.meshgrid(along, along[::-1])
    height = bump(np.stack([x.reshape(-1), y.reshape(-1)], axis=1)).reshape(SIZE, SIZE)
    np.testing.assert_allclose(displaced.displacement, height, atol=5e-4)
    from_pixels = (displaced.pixels() / 65535 - 0.5) * displaced.scale
    np.testing.assert_allclose(from_pixels, displaced.displacement, atol=displaced.scale / 60000)
    texture = displaced.mesh.materials[0].normal_texture
    assert texture is not None
    found = texture.pixels / 127.5 - 1
    angle = np.degrees(np.arccos((found * _field_normals()).sum(2).clip(-1, 1)))
    assert angle[4:-4, 4:-4].mean() < 1.0


def test_maps_need_uvs_in_the_unit_square() -> None:
    sheet = grid(5)
    assert sheet.uv is not None
    for mesh in (replace(sheet, uv=sheet.uv * np.float32(2)), sphere(1)):
        with pytest.raises(OmagenError) as error:
            as_maps(mesh, mesh, 64)
        assert error.value.code is ErrorCode.INPUT


def test_delivering_maps_keeps_the_mesh() -> None:
    sheet = grid(33)
    shape, facts = deliver(sheet, MapNormals(sheet, _texture(), "tangent"), RefineSettings(), "maps", 64, quiet)
    assert isinstance(shape, DisplacedMesh) and facts["displacement_scale_m"] > 0
    np.testing.assert_array_equal(shape.mesh.vertices, sheet.vertices)
