"""What is taken from a generated picture of normals, and how views agree; stand-ins take the image model's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from omagen.geometry.cameras import view_from, view_set
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.close_up import close_up
from omagen.refine.enhancer import LEAST, PictureEnhancer, enhance_region, enhance_views
from omagen.refine.enhancer_settings import EnhancerSettings
from omagen.refine.normal_pictures import decode, encode, unit
from omagen.refine.relative_update import relative_update
from omagen.refine.view_sheet import join, split
from omagen.refine.view_transfer import SeenSurface, disagreement, transfer
from omagen.refine.views import ViewNormals, render_normals
from omagen.shapes import Mesh

SIZE = 96
SETTINGS = EnhancerSettings(consistency="sequential", detail_size=6 / SIZE)


def _sphere() -> Mesh:
    ball = trimesh.creation.icosphere(4)
    return Mesh(np.asarray(ball.vertices, np.float32), np.asarray(ball.faces, np.int32))


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return _sphere()


@pytest.fixture(scope="module")
def views(mesh: Mesh) -> list[ViewNormals]:
    return render_normals(mesh, view_set(mesh, 6), SIZE)


def _silent(stage: str, fraction: float) -> None:
    pass


def _changing(change: Callable[[np.ndarray, int], np.ndarray]) -> PictureEnhancer:
    """An image model that draws `change(normals, seed)`."""

    def enhance(picture, control, region, seed, progress):
        progress(1.0)
        normal, _ = decode(picture)
        return encode(unit(change(normal, seed)), np.linalg.norm(normal, axis=-1) > 0.5)

    return enhance


def _angles(a: ViewNormals, b: ViewNormals) -> np.ndarray:
    inside = a.mask > 0
    return np.degrees(np.arccos(np.clip((a.normal[inside] * b.normal[inside]).sum(-1), -1, 1)))


def _inner(view: ViewNormals) -> np.ndarray:
    return view.normal[..., 2] > 0.5


def test_colours_are_the_usual_ones_and_come_back(views: list[ViewNormals]) -> None:
    view = views[0]
    picture = encode(view.normal, view.mask)
    middle = picture[SIZE // 2, SIZE // 2]
    np.testing.assert_allclose(middle, [0.5, 0.5, 1.0], atol=0.02)
    assert picture[SIZE // 2, SIZE * 3 // 4, 0] > 0.6, "red grows to the right"
    assert picture[SIZE // 4, SIZE // 2, 1] > 0.6, "green grows upwards"
    np.testing.assert_array_equal(picture[0, 0], 0.5)
    normal, length = decode(picture)
    np.testing.assert_allclose(normal, view.normal, atol=1e-6)
    assert not length[view.mask == 0].any()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_sheet_gives_back_its_pictures(count: int) -> None:
    pictures = [np.random.default_rng(i).random((6, 8, 3)).astype(np.float32) for i in range(count)]
    for picture, back in zip(pictures, split(join(pictures, 0.5), count, (6, 8)), strict=True):
        np.testing.assert_array_equal(picture, back)


@pytest.mark.parametrize("consistency", ["grid", "sequential"])
def test_a_model_that_changes_nothing_changes_nothing(mesh: Mesh, views: list[ViewNormals], consistency) -> None:
    settings = replace(SETTINGS, consistency=consistency)
    result, report = enhance_views(mesh, views, _changing(lambda n, seed: n), settings, _silent)
    for before, after in zip(views, result, strict=True):
        assert _angles(before, after).max() < 0.5
        np.testing.assert_allclose(after.mask, before.mask, atol=1e-5)
        np.testing.assert_array_equal(after.normal[before.mask == 0], 0)
    assert report["rejected_share"] == 0


def test_a_tilt_of_the_whole_picture_is_taken_out(views: list[ViewNormals]) -> None:
    view = views[0]
    tilted = unit(view.normal + np.array([0.3, 0.1, 0])).astype(np.float32)
    result, _ = relative_update(view.normal, tilted, view.mask > 0, sigma=6, max_angle=60)
    inner = _inner(view)
    before = np.degrees(np.arccos(np.clip((tilted * view.normal)[inner].sum(-1), -1, 1)))
    after = np.degrees(np.arccos(np.clip((result * view.normal)[inner].sum(-1), -1, 1)))
    assert before.mean() > 10
    assert after.mean() < 0.1 * before.mean()


def test_fine_detail_stays(views: list[ViewNormals]) -> None:
    view = views[0]
    wave = 0.2 * np.sin(2 * np.pi * np.arange(SIZE) / 6)[None, :, None] * np.array([1.0, 0, 0])
    result, believed = relative_update(
        view.normal, unit(view.normal + wave).astype(np.float32), view.mask > 0, sigma=6, max_angle=60
    )
    inner = _inner(view)
    wanted, got = (unit(view.normal + wave) - view.normal)[inner], (result - view.normal)[inner]
    assert (wanted * got).sum() / (wanted**2).sum() == pytest.approx(1, abs=0.1)
    assert believed[inner].min() == 1


def test_what_is_far_off_is_rejected_and_does_not_bleed(views: list[ViewNormals]) -> None:
    view = views[0]
    wrong = view.normal.copy()
    spot = (slice(40, 56), slice(40, 56))
    wrong[spot] = [1, 0, 0]
    result, believed = relative_update(view.normal, wrong, view.mask > 0, sigma=6, max_angle=60)
    assert not believed[spot].any()
    np.testing.assert_array_equal(result[spot], view.normal[spot])
    np.testing.assert_allclose(result, view.normal, atol=1e-6)


def test_the_background_has_no_influence(mesh: Mesh, views: list[ViewNormals]) -> None:
    def with_background(value: float) -> PictureEnhancer:
        def enhance(picture, control, region, seed, progress):
            return np.where(np.abs(picture - 0.5).max(-1, keepdims=True) < 1e-6, np.float32(value), picture)

        return enhance

    settings = replace(SETTINGS, consistency="grid")
    dark, _ = enhance_views(mesh, views, with_background(0.0), settings, _silent)
    light, _ = enhance_views(mesh, views, with_background(1.0), settings, _silent)
    for one, other in zip(dark, light, strict=True):
        np.testing.assert_array_equal(one.normal, other.normal)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_rejected_pixels_stay_part_of_the_outline(mesh: Mesh, views: list[ViewNormals]) -> None:
    result, report = enhance_views(mesh, views, _changing(lambda n, seed: -n), SETTINGS, _silent)
    assert report["rejected_share"] == 1
    for before, after in zip(views, result, strict=True):
        np.testing.assert_array_equal(after.normal, before.normal)
        np.testing.assert_allclose(after.mask, LEAST * before.mask)


def test_views_carry_what_they_see_to_one_another(mesh: Mesh) -> None:
    near = view_set(mesh, 1)[0]
    turn = np.eye(4)
    turn[:3, :3] = trimesh.transformations.rotation_matrix(np.radians(30), [0, 1, 0])[:3, :3]
    front, side = render_normals(mesh, [near, replace(near, world_from_camera=turn @ near.world_from_camera)], SIZE)
    surfaces = [SeenSurface.of(mesh, view) for view in (front, side)]
    found = transfer([front], surfaces[:1], side, surfaces[1])
    decided = found.share > 0.9
    assert decided.sum() > 0.5 * (side.mask > 0).sum()
    angle = np.degrees(np.arccos(np.clip((found.normal * side.normal)[decided].sum(-1), -1, 1)))
    assert angle.max() < 3
    assert not found.share[side.mask == 0].any()
    hidden = side.normal[..., 0] > 0.9  # the side that the front does not see
    assert not found.share[hidden & (side.mask > 0)].any()
    assert disagreement(mesh, [front, side]) < 1


def test_what_lies_behind_is_not_decided_by_what_hides_it() -> None:
    ball, wall = trimesh.creation.icosphere(3), trimesh.creation.box([6, 6, 0.1])
    wall.apply_translation([0, 0, -3])
    vertices = np.concatenate([ball.vertices, wall.vertices]).astype(np.float32)
    mesh = Mesh(vertices, np.concatenate([ball.faces, wall.faces + len(ball.vertices)]).astype(np.int32))
    front, slanted = render_normals(mesh, [view_set(mesh, 1)[0], view_from(mesh, np.array([1, 0.3, 1]))], SIZE)
    surfaces = [SeenSurface.of(mesh, view) for view in (front, slanted)]
    found = transfer([front], surfaces[:1], slanted, surfaces[1])
    shown = np.zeros((SIZE, SIZE, 3))
    shown[surfaces[1].seen] = surfaces[1].position
    behind = surfaces[1].seen & (shown[..., 2] < -2.9) & (np.linalg.norm(shown[..., :2], axis=-1) < 0.8)
    assert behind.any()
    assert found.share[behind].max() < 0.05


def test_one_after_the_other_views_agree_though_the_model_does_not(mesh: Mesh, views: list[ViewNormals]) -> None:
    def grain(normal: np.ndarray, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(*normal.shape[:2], 3))
        return normal + 0.25 * noise * (np.linalg.norm(normal, axis=-1, keepdims=True) > 0.5)

    # bumps as wide as four pixels, so that reading between pixels does not smooth them away
    def smooth(normal: np.ndarray, seed: int) -> np.ndarray:
        import cv2

        return normal + 3 * cv2.GaussianBlur((grain(normal, seed) - normal), (0, 0), 2)

    many = render_normals(mesh, view_set(mesh, 12), SIZE)
    alone = [
        enhance_views(mesh, [view], _changing(smooth), replace(SETTINGS, seed=i), _silent)[0][0]
        for i, view in enumerate(many)
    ]
    together, report = enhance_views(mesh, many, _changing(smooth), SETTINGS, _silent)
    assert disagreement(mesh, alone) > 4
    assert disagreement(mesh, together) < 0.5 * disagreement(mesh, alone)
    assert report["disagreement_degrees"] == pytest.approx(disagreement(mesh, together), abs=1e-3)
    assert report["mean_change_degrees"] > 1, "they agree, but not by giving up the detail"


def test_views_on_one_sheet_agree_where_the_model_differs_from_run_to_run(mesh: Mesh) -> None:
    """Views from around see the same height of a normal: rings that depend on it are the same object's in all."""
    around = render_normals(mesh, view_set(mesh, 4), SIZE)

    def rings(normal: np.ndarray, seed: int) -> np.ndarray:
        phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        return normal + 0.2 * np.sin(30 * normal[..., 1:2] + phase) * np.array([0, 1, 0])

    alone = [
        enhance_views(mesh, [view], _changing(rings), replace(SETTINGS, seed=i), _silent)[0][0]
        for i, view in enumerate(around)
    ]
    together, _ = enhance_views(mesh, around, _changing(rings), replace(SETTINGS, consistency="grid"), _silent)
    assert disagreement(mesh, together) < 0.5 * disagreement(mesh, alone)


def test_later_sheets_keep_what_earlier_ones_decided(mesh: Mesh, views: list[ViewNormals]) -> None:
    regions: list[np.ndarray | None] = []

    def watching(picture, control, region, seed, progress):
        regions.append(region)
        return picture

    enhance_views(
        mesh, render_normals(mesh, view_set(mesh, 8), SIZE), watching, replace(SETTINGS, consistency="grid"), _silent
    )
    assert regions[0] is None
    assert regions[1] is not None
    assert 0 < (regions[1] < 0.5).mean() < 1


def test_outside_of_the_meshs_region_normals_stay_and_views_without_it_are_left_out(mesh: Mesh) -> None:
    share = (mesh.vertices[:, 2] > 0.6).astype(np.float32)
    limited = replace(mesh, region=share)
    six = render_normals(limited, view_set(limited, 6), SIZE)
    regions: list[np.ndarray | None] = []

    def enhance(picture, control, region, seed, progress):
        regions.append(region)
        normal, _ = decode(picture)
        wave = 0.3 * np.sin(2 * np.pi * np.arange(SIZE) / 6)[None, :, None] * np.array([1.0, 0, 0])
        return encode(unit(normal + wave), np.linalg.norm(normal, axis=-1) > 0.5)

    result, report = enhance_views(limited, six, enhance, SETTINGS, _silent)
    assert report["views"] == 5, "the back does not show it"
    front = result[0]
    far = (np.hypot(*np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]) > 0.9) & (six[0].mask > 0)
    np.testing.assert_allclose(front.normal[far], six[0].normal[far], atol=1e-6)
    np.testing.assert_allclose(front.mask[far], 1)
    assert np.degrees(np.arccos(np.clip((front.normal * six[0].normal)[40:56, 40:56].sum(-1), -1, 1))).max() > 10
    assert regions[0] is not None
    assert not regions[0][far].any()
    nowhere = replace(mesh, region=np.zeros(len(mesh.vertices), np.float32))
    with pytest.raises(OmagenError, match="region"):
        enhance_views(nowhere, six, enhance, SETTINGS, _silent)


def test_cancelling_ends_it_at_once(mesh: Mesh, views: list[ViewNormals]) -> None:
    calls = []

    def enhance(picture, control, region, seed, progress):
        calls.append(seed)
        progress(0.5)
        return picture

    def cancel(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise OmagenError(ErrorCode.CANCELLED, "The job was cancelled.")

    with pytest.raises(OmagenError, match="cancelled"):
        enhance_views(mesh, views, enhance, SETTINGS, cancel)
    assert len(calls) == 2


def test_progress_grows_to_the_end(mesh: Mesh, views: list[ViewNormals]) -> None:
    seen: list[float] = []
    enhance_views(mesh, views, _changing(lambda n, seed: n), SETTINGS, lambda stage, f: seen.append(f))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_outside_of_a_painted_region_every_bit_stays_and_its_border_is_smooth(views: list[ViewNormals]) -> None:
    view = views[0]
    region = np.zeros((SIZE, SIZE), bool)
    region[30:70, 30:70] = True
    wave = 0.3 * np.sin(2 * np.pi * np.arange(SIZE) / 6)[None, :, None] * np.array([1.0, 0, 0])
    result = enhance_region(view, region, _changing(lambda n, seed: n + wave), SETTINGS, _silent)
    np.testing.assert_array_equal(result.normal[~region], view.normal[~region])
    np.testing.assert_array_equal(result.mask[~region], view.mask[~region])
    change = np.degrees(np.arccos(np.clip((result.normal * view.normal).sum(-1), -1, 1))) * (view.mask > 0)
    assert change[45:55, 45:55].max() > 10
    assert change[30, 30:70].max() < 0.15 * change[45:55, 45:55].max()


def test_a_region_that_cannot_be_is_refused(views: list[ViewNormals]) -> None:
    identity = _changing(lambda n, seed: n)
    with pytest.raises(OmagenError, match="pixels"):
        enhance_region(views[0], np.ones((8, 8)), identity, SETTINGS, _silent)
    corner = np.zeros((SIZE, SIZE))
    corner[:2, :2] = 1
    with pytest.raises(OmagenError, match="Nothing"):
        enhance_region(views[0], corner, identity, SETTINGS, _silent)


def test_views_of_different_sizes_are_refused(mesh: Mesh, views: list[ViewNormals]) -> None:
    other = render_normals(mesh, view_set(mesh, 1), 32)
    with pytest.raises(OmagenError, match="sizes"):
        enhance_views(mesh, [*views, *other], _changing(lambda n, seed: n), SETTINGS, _silent)


def test_close_ups_fill_the_picture_and_cut_nothing() -> None:
    box = trimesh.creation.box([0.2, 1.0, 3.0])
    box.apply_translation([5, 1, -2])
    mesh = Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32))
    for camera in view_set(mesh, 6):
        (view,) = render_normals(mesh, [close_up(mesh, camera)], SIZE)
        rows, columns = np.flatnonzero(view.mask.any(1)), np.flatnonzero(view.mask.any(0))
        assert 0.85 * SIZE < max(np.ptp(rows), np.ptp(columns)) + 1 < 0.95 * SIZE
        for found in (rows, columns):
            assert abs(found[0] - (SIZE - 1 - found[-1])) <= 1, "in the middle"
    perspective = replace(view_set(mesh, 1)[0], kind="perspective", size=1.0)
    assert close_up(mesh, perspective) is perspective
