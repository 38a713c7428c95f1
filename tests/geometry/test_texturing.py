"""Pictures projected onto meshes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xatlas
from omagen.bake import bake_field
from omagen.geometry.cameras import Camera, look_at, view_from, view_set
from omagen.geometry.rays import RayCaster
from omagen.geometry.sampling import sample_points
from omagen.kernels.samples import ball
from omagen.omage.surface import sample_surface
from omagen.omage.surface_normals import face_normals
from omagen.protocol import OmagenError
from omagen.shapes import Material, Mesh, Picture, Texture
from omagen.texturing import DIRECTIONS, fitted_camera, project_pictures
from omagen.texturing.fitting import solid_box
from sample_meshes import cube, noise
from seen_meshes import seen


def unwrapped(mesh: Mesh) -> Mesh:
    _, corner, uv = xatlas.parametrize(mesh.vertices, mesh.faces)
    return replace(mesh, uv=np.ascontiguousarray(uv[corner.reshape(-1)].reshape(-1, 3, 2), np.float32))


def stripes(points: np.ndarray) -> np.ndarray:
    x, y, z = np.asarray(points, np.float64).T
    return np.stack(
        [0.5 + 0.35 * np.sin(7 * x + z), 0.5 + 0.35 * np.cos(5 * y), 0.5 + 0.35 * np.sin(6 * z - y)], axis=1
    )


BALL = unwrapped(ball(60, 30))
PAINTED = bake_field(BALL, stripes, 512)


def plain(rgb: tuple[int, int, int], size: int = 64, alpha: int = 255) -> Picture:
    return Picture(np.full((size, size, 4), (*rgb, alpha), np.uint8), has_alpha=alpha < 255)


def colors(mesh: Mesh, count: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a mesh, their faces' normals, and linear base colours."""
    points = sample_points(mesh.vertices, mesh.faces, count)
    face = points.face.astype(np.int32)
    return points.position, face_normals(mesh)[face], sample_surface(mesh, face, points.bary.astype(np.float32)).albedo


def visible(mesh: Mesh, points: np.ndarray, normals: np.ndarray, cameras: list[Camera], least: float) -> np.ndarray:
    """(N,) bool: what one of `cameras` sees at a cosine of `least` or more."""
    caster, result = RayCaster(mesh.vertices, mesh.faces), np.zeros(len(points), bool)
    for camera in cameras:
        towards = camera.towards(points)
        result |= ((towards * normals).sum(1) > least) & ~caster.occluded(points + 1e-4 * normals, towards)
    return result


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.mean((a - b) ** 2), 1e-12)))


@pytest.mark.parametrize("kind", ["orthographic", "perspective"])
def test_a_mesh_photographed_all_around_gets_its_colors_back(kind: str) -> None:
    cameras = view_set(BALL, 12)
    if kind == "perspective":
        places = [3 * camera.backward for camera in cameras]
        cameras = [Camera(look_at(place, np.zeros(3)), "perspective", np.radians(50), 4 / 3) for place in places]
    width = 512 if kind == "orthographic" else 680
    pictures = [(seen(PAINTED, camera, width, 512), camera) for camera in cameras]
    made, report = project_pictures(BALL, pictures, 512)
    points, normals, found = colors(made)
    known = visible(BALL, points, normals, cameras, 0.5)
    assert known.mean() > 0.9
    assert psnr(found[known], stripes(points[known])) > 36
    assert report["seen"] > 0.9 and report["unseen"] == pytest.approx(1 - report["seen"])
    assert len(report["pictures"]) == 12
    assert np.allclose([picture["gain"] for picture in report["pictures"]], 1, atol=0.02)


def test_one_picture_looks_right_from_where_it_was_taken_and_goes_on_smoothly() -> None:
    camera = view_from(BALL, np.array([0, 0, 1.0]))
    picture = seen(PAINTED, camera, 512, 512)
    made, report = project_pictures(BALL, [(picture, camera)], 512)
    assert 0.25 < report["seen"] < 0.5
    again = seen(made, camera, 512, 512)
    inner = picture.rgba[..., 3] == 255
    assert psnr(again.rgba[inner][:, :3] / 255, picture.rgba[inner][:, :3] / 255) > 30
    points, normals, found = colors(made)
    behind = normals[:, 2] < -0.3
    # nothing that was not in the picture, and no steps between neighbours
    assert found[behind].min() > 0.1 and found[behind].max() < 0.9
    from scipy.spatial import KDTree

    _, near = KDTree(points[behind]).query(points[behind], 2)
    beside = np.asarray(near)[:, 1]
    steps, painted = (np.abs(c - c[beside]).max(1) for c in (found[behind], stripes(points[behind])))
    assert np.percentile(steps, 99) < 0.5 * np.percentile(painted, 99) and steps.max() < 0.1


def test_what_is_filled_has_no_seams_between_charts() -> None:
    camera = view_from(BALL, np.array([0, 0, 1.0]))
    made, _ = project_pictures(BALL, [(seen(PAINTED, camera, 256, 256), camera)], 512)
    assert BALL.uv is not None
    corner = np.full((len(BALL.faces) * 3, 2), 0.02, np.float32)
    corner[1::3], corner[2::3] = (0.96, 0.02), (0.02, 0.96)
    face = np.repeat(np.arange(len(BALL.faces), dtype=np.int32), 3)
    found = sample_surface(made, face, corner).albedo
    vertex = BALL.faces.reshape(-1)
    mean = np.stack([np.bincount(vertex, found[:, k]) / np.bincount(vertex) for k in range(3)], axis=1)
    behind = BALL.vertices[vertex, 2] < -0.3
    assert np.abs(found - mean[vertex])[behind].max() < 0.03


def test_all_but_the_base_color_stays_bit_for_bit() -> None:
    material = Material(
        "kept",
        metallic=0.7,
        roughness=0.3,
        metallic_roughness_texture=Texture(noise(1)),
        normal_texture=Texture(noise(2)),
        occlusion_texture=Texture(noise(3)),
        emissive_texture=Texture(noise(4)),
        double_sided=True,
    )
    mesh = cube(materials=(material,), second_uv=cube().uv)
    made, _ = project_pictures(mesh, [(plain((200, 10, 10)), view_from(mesh, np.array([0, 0, 1.0])))], 128)
    for name in ("vertices", "faces", "uv", "normals", "second_uv"):
        assert np.array_equal(getattr(made, name), getattr(mesh, name))
    (new,) = made.materials
    assert new.base_color_texture is not None and new.base_color_texture.pixels.shape == (128, 128, 3)
    assert replace(new, base_color=material.base_color, base_color_texture=None) == replace(material)


def test_materials_stay_apart_and_cut_outs_keep_their_opacity() -> None:
    leaf = Material("leaf", alpha_mode="MASK", base_color_texture=Texture(noise(5, 4)))
    index = np.repeat(np.array([0, 1], np.int32), 6)
    mesh = cube(materials=(Material("wood"), leaf, Material("unused")), material_index=index)
    made, _ = project_pictures(mesh, [(plain((10, 200, 10)), view_from(mesh, np.array([1.0, 1, 1])))], 64)
    wood, new, unused = made.materials
    assert unused == mesh.materials[2]
    assert [m.name for m in made.materials] == ["wood", "leaf", "unused"]
    assert wood.base_color_texture and wood.base_color_texture.pixels.shape == (64, 64, 3)
    assert new.base_color_texture and new.base_color_texture.pixels.shape == (64, 64, 4)
    points = sample_points(mesh.vertices, mesh.faces, 4000)
    face, bary = points.face.astype(np.int32), points.bary.astype(np.float32)
    before, after = sample_surface(mesh, face, bary), sample_surface(made, face, bary)
    assert np.abs(before.opacity - after.opacity).mean() < 0.02


def test_the_ground_behind_an_object_never_bleeds_onto_it() -> None:
    camera = view_from(BALL, np.array([0, 0, 1.0]))
    rgba = seen(PAINTED, camera, 256, 256).rgba.copy()
    solid = rgba[..., 3] > 0
    rgba[..., :3] = np.where(solid[..., None], (200, 20, 20), (0, 255, 0))
    # the picture is of a larger object, then of a smaller one, then shifted
    for size, shift in ((1.1, 0.0), (0.9, 0.0), (1.0, 0.05)):
        matrix = camera.world_from_camera.copy()
        matrix[0, 3] += shift
        off = replace(camera, world_from_camera=matrix, size=camera.size * size)
        made, _ = project_pictures(BALL, [(Picture(rgba, True), off)], 256)
        assert colors(made)[2][:, 1].max() < 0.02


def test_what_something_hides_is_not_painted_through_it() -> None:
    board = cube(vertices=(cube().vertices * np.array([4, 4, 0.1]) - np.array([0, 0, 2])).astype(np.float32))
    block = cube()
    both = Mesh(
        np.concatenate([block.vertices, board.vertices]),
        np.concatenate([block.faces, board.faces + 8]),
        np.concatenate([block.uv * 0.5, board.uv * 0.5 + np.float32([0.5, 0])]),  # type: ignore[operator]
    )
    rgba = np.zeros((256, 256, 4), np.uint8)
    rgba[...] = (0, 0, 255, 255)
    camera = view_from(both, np.array([0, 0, 1.0]))
    place, _ = camera.project(np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5]]))
    (left, top), (right, bottom) = np.round(place * 256).astype(int)
    rgba[top:bottom, left:right] = (255, 0, 0, 255)
    made, _ = project_pictures(both, [(Picture(rgba), camera)], 512)
    points, normals, found = colors(made)
    shadow = (points[:, 2] < -1.5) & (normals[:, 2] > 0.9)
    front = (points[:, 2] > 0.4) & (normals[:, 2] > 0.9) & (np.abs(points[:, :2]).max(1) < 0.45)
    assert found[shadow][:, 2].min() > 0.9 and found[shadow][:, 0].max() < 0.1
    assert found[front][:, 0].min() > 0.9


def test_thin_parts_are_colored_too() -> None:
    width = 0.01  # metres, two pixels of the picture
    vertices = np.array([[-width / 2, -1, 0], [width / 2, -1, 0], [width / 2, 1, 0], [-width / 2, 1, 0]], np.float32)
    uv = np.array([[[0.1, 0], [0.9, 0], [0.9, 1]], [[0.1, 0], [0.9, 1], [0.1, 1]]], np.float32)
    blade = Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), uv)
    camera = view_from(np.array([[-1, -1, -0.1], [1, 1, 0.1]]), np.array([0, 0, 1.0]))
    picture = seen(replace(blade, materials=(Material("red", (1.0, 0.0, 0.0, 1.0)),)), camera, 512, 512)
    made, report = project_pictures(blade, [(picture, camera)], 64)
    assert report["seen"] > 0.3
    assert np.abs(colors(made)[2] - (1, 0, 0)).max() < 0.02


def test_pictures_of_different_brightness_are_evened_out() -> None:
    cameras = view_set(BALL, 6)
    pictures = [(seen(PAINTED, camera, 256, 256), camera) for camera in cameras]
    darker = pictures[1][0].rgba.copy()
    from omagen.geometry.color import to_linear, to_srgb

    darker[..., :3] = np.round(to_srgb(0.6 * to_linear(darker[..., :3] / 255)) * 255)
    pictures[1] = (Picture(darker, True), cameras[1])
    made, report = project_pictures(BALL, pictures, 256)
    assert report["pictures"][1]["gain"] == pytest.approx([1 / 0.6] * 3, rel=0.06)
    assert report["pictures"][0]["gain"] == pytest.approx([1] * 3, abs=1e-2)
    points, normals, found = colors(made)
    known = visible(BALL, points, normals, cameras, 0.6)
    assert psnr(found[known], stripes(points[known])) > 28


def test_what_is_not_seen_can_be_mirrored_or_kept() -> None:
    camera = view_from(BALL, np.array([0, 0, 1.0]))
    picture = seen(PAINTED, camera, 256, 256)
    mirrored, _ = project_pictures(BALL, [(picture, camera)], 512, unseen="mirror")
    points, normals, found = colors(mirrored)
    behind = normals[:, 2] < -0.7
    start = np.column_stack([points[behind, :2], np.full(behind.sum(), 9.0)])
    hits = RayCaster(BALL.vertices, BALL.faces).first_hit(start, np.tile([0.0, 0.0, -1.0], (len(start), 1)))
    across = np.column_stack([points[behind, :2], 9 - hits.distance])
    assert psnr(found[behind], stripes(across)) > 30
    blue = replace(BALL, materials=(Material("blue", (0.0, 0.0, 1.0, 1.0)),))
    kept, _ = project_pictures(blue, [(picture, camera)], 512, unseen="keep")
    assert np.abs(colors(kept)[2][behind] - (0, 0, 1)).max() < 0.01


def test_partly_transparent_pictures_and_regions_let_through_what_is_there() -> None:
    camera = view_from(cube(), np.array([0, 0, 1.0]))
    mesh = cube(materials=(Material("white"),))
    made, _ = project_pictures(mesh, [(plain((0, 0, 0), 256, alpha=64), camera)], 128, unseen="keep")
    points, normals, found = colors(made)
    inner = (normals[:, 2] > 0.9) & (np.abs(points[:, :2]).max(1) < 0.4)
    assert np.abs(found[inner] - (1 - 64 / 255)).max() < 0.02
    region = (mesh.vertices[:, 1] > 0).astype(np.float32)
    made, _ = project_pictures(replace(mesh, region=region), [(plain((0, 0, 0)), camera)], 128)
    points, _, found = colors(made)
    assert np.abs(found[points[:, 1] < -0.49] - 1).max() < 0.05
    assert found[points[:, 1] > 0.49].max() < 0.05


@pytest.mark.parametrize("side", DIRECTIONS)
def test_a_fitted_camera_sees_the_mesh_where_the_picture_shows_it(side: str) -> None:
    mesh = replace(BALL, vertices=(BALL.vertices * np.array([1.5, 0.7, 1.0]) + np.array([3, -2, 1])).astype(np.float32))
    rgba = np.zeros((200, 300, 4), np.uint8)
    rgba[31:120, 60:250] = 255
    picture = Picture(rgba, True)
    camera = fitted_camera(mesh, picture, DIRECTIONS[side])
    assert np.allclose(camera.backward, DIRECTIONS[side])
    found = solid_box(seen(mesh, camera, 300, 200))
    assert np.abs(np.array(found) - (31, 120, 60, 250)).max() <= 1


def test_what_cannot_be_projected_says_so() -> None:
    camera = view_from(cube(), np.array([0, 0, 1.0]))
    with pytest.raises(OmagenError, match="no picture"):
        project_pictures(cube(), [], 64)
    with pytest.raises(OmagenError, match="UVs"):
        project_pictures(replace(cube(), uv=None), [(plain((1, 2, 3)), camera)], 64)
    with pytest.raises(OmagenError, match="pixels"):
        project_pictures(cube(), [(plain((1, 2, 3)), camera)], 0)
    with pytest.raises(OmagenError, match="transparent"):
        fitted_camera(cube(), plain((1, 2, 3), alpha=0))


def test_a_picture_that_shows_nothing_of_the_mesh_leaves_it_grey_or_as_it_is() -> None:
    away = Camera(look_at(np.array([0, 0, 5.0]), np.array([0, 0, 9.0])), "perspective", 1.0)
    for picture, camera in (
        (plain((255, 0, 0)), away),
        (plain((255, 0, 0), alpha=0), view_from(cube(), np.array([0, 0, 1.0]))),
    ):
        made, report = project_pictures(cube(), [(picture, camera)], 64)
        assert report["seen"] == 0
        assert np.ptp(colors(made)[2]) < 0.01


def test_places_that_share_a_texel_are_reported() -> None:
    mesh = cube()
    assert mesh.uv is not None
    stacked = replace(mesh, uv=np.concatenate([mesh.uv[:2]] * 6))
    camera = view_from(mesh, np.array([0, 0, 1.0]))
    assert project_pictures(stacked, [(plain((9, 9, 9)), camera)], 64)[1]["overlap"] > 0.9
    assert project_pictures(mesh, [(plain((9, 9, 9)), camera)], 64)[1]["overlap"] == 0
