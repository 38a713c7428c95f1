"""The decoded mesh as renderers see it: place, texture coordinates, normals, materials, patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chart_pictures import Picture, box_charts, side_by_side, sphere_charts
from omagen.geometry.color import to_srgb
from omagen.geometry.quality import quality_report
from omagen.omage.closing import close_seams
from omagen.omage.decode import decode
from omagen.omage.frame import from_omage_frame
from omagen.omage.normal_map import tangent_normal_map
from omagen.omage.patches import patches
from omagen.omage.raster import raster_faces
from omagen.omage.tangents import corner_tangents
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage


def omage_of(picture: Picture, **changes: object) -> Omage:
    shown = picture.labels >= 0
    return replace(Omage(picture.position, shown, picture.normal, chart=picture.labels), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ball() -> Omage:
    picture = side_by_side(sphere_charts())
    rng = np.random.default_rng(0)
    size = picture.labels.shape
    return omage_of(
        picture,
        albedo=rng.random((*size, 3), np.float32),
        metalness=rng.random(size, np.float32),
        roughness=rng.random(size, np.float32),
        opacity=rng.random(size, np.float32),
        emission=rng.random((*size, 3), np.float32) * 4,
        centre=(1.0, 2.0, 3.0),
        scale=0.5,
        alpha_mode="MASK",
        double_sided=True,
        name="ball",
    )


def test_the_mesh_stands_where_the_object_stood(ball: Omage) -> None:
    mesh, _ = decode(ball)
    centre = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    assert centre == pytest.approx([1, 3, -2], abs=1e-6)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.9, 0.9, 0.9], abs=0.01)
    for array in (mesh.vertices, mesh.uv, mesh.normals):
        assert array is not None and array.dtype == np.float32 and array.flags.c_contiguous
    assert mesh.name == "ball" and mesh.faces.dtype == np.int32


def test_texture_coordinates_are_the_centres_of_pixels(ball: Omage) -> None:
    mesh, _ = decode(ball)
    assert mesh.uv is not None
    pixel = mesh.uv * ball.resolution - 0.5
    assert np.abs(pixel - np.round(pixel)).max() < 1e-4
    column, row = np.round(pixel).astype(int).reshape(-1, 2).T
    expected = from_omage_frame(ball.position[row, column].astype(np.float64) * 0.5 + [1, 2, 3])
    assert np.abs(mesh.vertices[mesh.faces].reshape(-1, 3) - expected).max() < 1e-5


def test_each_side_of_a_seam_keeps_its_normals() -> None:
    picture = side_by_side(box_charts(6))
    mesh, _ = decode(omage_of(picture))
    assert quality_report(mesh)["watertight"]
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert mesh.normals is not None
    assert np.abs(mesh.normals - flat[:, None]).max() < 1e-5


def test_without_stored_normals_the_surface_is_smooth_but_for_sharp_edges() -> None:
    box, _ = decode(omage_of(side_by_side(box_charts(6)), normal=None))
    assert box.normals is not None
    assert np.abs(np.abs(box.normals).max(axis=-1) - 1).max() < 1e-5
    ball, _ = decode(omage_of(side_by_side(sphere_charts()), normal=None))
    assert ball.normals is not None
    outward = ball.vertices[ball.faces] / 0.9
    assert np.degrees(np.arccos((outward * ball.normals).sum(-1).clip(-1, 1))).max() < 4
    assert decode(omage_of(side_by_side(sphere_charts())), normals=False)[0].normals is None


def test_textures_are_upright_and_rounded(ball: Omage) -> None:
    (material,) = decode(ball)[0].materials
    assert material.base_color_texture and material.metallic_roughness_texture and material.emissive_texture
    assert ball.albedo is not None and ball.opacity is not None and ball.emission is not None
    assert ball.metalness is not None and ball.roughness is not None
    color = material.base_color_texture.pixels[::-1].astype(int)
    assert np.abs(color[..., :3] - to_srgb(ball.albedo) * 255).max() < 0.54
    assert np.abs(color[..., 3] - ball.opacity * 255).max() < 0.501
    packed = material.metallic_roughness_texture.pixels[::-1].astype(int)
    assert np.abs(packed[..., 1] - ball.roughness * 255).max() < 0.501
    assert np.abs(packed[..., 2] - ball.metalness * 255).max() < 0.501
    strength = material.emissive[0]
    assert strength == pytest.approx(ball.emission.max())
    shine = material.emissive_texture.pixels[::-1].astype(int)
    assert np.abs(shine - to_srgb(ball.emission / strength) * 255).max() < 0.54
    assert (material.metallic, material.roughness, material.base_color) == (1.0, 1.0, (1.0, 1.0, 1.0, 1.0))
    assert (material.alpha_mode, material.double_sided, material.name) == ("MASK", True, "ball")


def test_maps_that_are_not_there_make_no_textures(ball: Omage) -> None:
    bare = replace(ball, albedo=None, metalness=None, roughness=None, opacity=None, emission=None)
    (material,) = decode(bare)[0].materials
    assert material.base_color_texture is None and material.metallic_roughness_texture is None
    assert material.emissive_texture is None and material.emissive == (0.0, 0.0, 0.0)
    (rough,) = decode(replace(bare, roughness=np.full(ball.occupancy.shape, 0.5, np.float32)))[0].materials
    assert rough.metallic == 0.0 and rough.metallic_roughness_texture is not None


def test_values_out_of_range_are_clipped_and_undefined_ones_black(ball: Omage) -> None:
    albedo = np.full((*ball.occupancy.shape, 3), np.nan, np.float32)
    albedo[0], albedo[1], albedo[2] = 7, -3, np.inf
    (material,) = decode(replace(ball, albedo=albedo, emission=albedo))[0].materials
    assert material.base_color_texture
    color = material.base_color_texture.pixels[::-1, :, :3]
    assert color[0].min() == 255 and color[1].max() == 0 and color[2].min() == 255 and color[3].max() == 0


def test_pixels_without_a_finite_position_are_not_part_of_the_surface(ball: Omage) -> None:
    position = ball.position.copy()
    position[5, 5] = np.nan
    mesh, _ = decode(replace(ball, position=position), fill_holes=False, remove_outliers=False)
    assert np.isfinite(mesh.vertices).all()
    assert quality_report(mesh)["open_edges"] == 4


@pytest.mark.parametrize("repair", ["auto", False, True])
def test_an_empty_omage_is_an_error(ball: Omage, repair: bool) -> None:
    nothing = replace(ball, occupancy=np.zeros_like(ball.occupancy), chart=None)
    with pytest.raises(OmagenError) as caught:
        decode(nothing, close_seams=repair, fill_holes=repair, remove_outliers=repair)
    assert caught.value.code is ErrorCode.GEOMETRY and caught.value.remedy


def test_without_chart_numbers_pieces_are_charts() -> None:
    picture = side_by_side(sphere_charts()).noisy(0.002)
    mesh, report = decode(omage_of(picture, chart=None))
    assert report["charts"] == 6
    assert quality_report(mesh)["watertight"]
    assert report["seams"]["pairs"] > 0 and report["holes"]["filled"] > 0
    assert report["seams"]["gap_max"] > report["seams"]["gap_mean"] > 0


def test_side_data_switches_repairs_off(ball: Omage) -> None:
    seam = np.full(ball.occupancy.shape, -1, np.int32)
    mesh, report = decode(replace(ball, seam=seam))
    assert not {"outliers", "seams", "holes"} & report.keys()
    assert quality_report(mesh)["components"] == 6


def test_patches_are_ranked_by_area_and_known_to_every_triangle() -> None:
    picture = side_by_side(box_charts(sizes=[(6, 6), (6, 9), (4, 6), (6, 6), (12, 6), (6, 6)]))
    scaled = picture.position * np.array([1.0, 0.4, 1.0], np.float32)
    omage = omage_of(picture._replace(position=scaled), chart=None)
    image = patches(omage)
    assert image.dtype == np.int32 and (image == -1).sum() == (~omage.occupancy).sum()
    mesh, _ = decode(omage, remove_outliers=False, fill_holes=False)
    assert mesh.patches is not None and mesh.patches.dtype == np.int32
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    area = np.bincount(mesh.patches, np.linalg.norm(np.cross(b - a, c - a), axis=1))
    assert (np.diff(area) <= 1e-5).all() and len(area) == 6
    assert mesh.uv is not None
    column, row = np.floor(mesh.uv[:, 0] * omage.resolution).astype(int).T
    np.testing.assert_array_equal(image[row, column], mesh.patches)


@pytest.mark.parametrize("resolution", [32, 96])
def test_another_resolution_keeps_the_shape_closed_and_the_maps(resolution: int, ball: Omage) -> None:
    omage = replace(ball, seam=close_seams(ball.chart, ball.position, ball.normal).seam)  # type: ignore[arg-type]
    fine, _ = decode(omage)
    mesh, report = decode(omage, resolution=resolution)
    assert quality_report(mesh)["watertight"] and report["resolution"] == resolution
    assert (len(mesh.faces) < len(fine.faces)) == (resolution < omage.resolution)
    (material,), (original,) = mesh.materials, fine.materials
    assert material.base_color_texture and original.base_color_texture
    np.testing.assert_array_equal(material.base_color_texture.pixels, original.base_color_texture.pixels)
    assert (material.normal_texture is not None) == (resolution < omage.resolution)
    assert mesh.uv is not None and mesh.uv.min() >= 0 and mesh.uv.max() <= 1
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx(np.ptp(fine.vertices, axis=0), abs=0.03)


def test_normals_without_a_direction_do_not_spoil_the_others(ball: Omage) -> None:
    assert ball.normal is not None
    normal = ball.normal.copy()
    normal[3, 3], normal[4, 4], normal[5, 5] = np.nan, 0, np.inf
    mesh, _ = decode(replace(ball, normal=normal))
    assert mesh.normals is not None
    assert np.abs(np.linalg.norm(mesh.normals, axis=-1) - 1).max() < 1e-4
    assert quality_report(mesh)["consistent_winding"]


def bumpy_sheet(resolution: int, mirrored: bool) -> tuple[Mesh, np.ndarray]:
    """A coarse mesh of a bumpy sheet and its fine normals (R, R, 3), frame of omages."""
    row, column = (np.mgrid[:resolution, :resolution] + 0.5) / resolution
    x, y = (1 - 2 * column if mirrored else 2 * column - 1), 2 * row - 1
    slope_x = 0.3 * np.cos(5 * x) + 0.3 * np.sin(40 * x)
    slope_y = 0.3 * np.sin(4 * y)
    height = 0.06 * np.sin(5 * x) - 0.075 * np.cos(4 * y)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(x)], -1)
    normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)
    coarse = np.s_[4::8, 4::8]
    position = np.stack([x, y, height], -1).astype(np.float32)[coarse]
    labels = np.zeros(position.shape[:2], np.int32)
    omage = Omage(np.ascontiguousarray(position), labels == 0, np.ascontiguousarray(normal[coarse]), chart=labels)
    return decode(omage, fill_holes=False)[0], normal


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_normal_map_gives_a_coarse_mesh_its_fine_normals_back(mirrored: bool) -> None:
    mesh, normal = bumpy_sheet(256, mirrored)
    local = tangent_normal_map(mesh, normal)[::-1] / 127.5 - 1
    tangents, sign = corner_tangents(mesh)
    assert mesh.uv is not None and mesh.normals is not None
    assert (sign == (-1 if mirrored else 1)).all()
    face, bary = raster_faces(mesh.uv.astype(np.float64) * 256, 256, 256)
    on = face >= 0
    weights = np.stack([1 - bary[on].sum(-1), bary[on][:, 0], bary[on][:, 1]], -1)[..., None]
    n, t = (mesh.normals[face[on]] * weights).sum(1), (tangents[face[on]] * weights).sum(1)
    shaded = local[on][:, :1] * t + local[on][:, 1:2] * sign[face[on]][:, None] * np.cross(n, t) + local[on][:, 2:] * n
    shaded /= np.linalg.norm(shaded, axis=1, keepdims=True)
    wanted = from_omage_frame(normal)[on]
    assert np.degrees(np.arccos((shaded * wanted).sum(1).clip(-1, 1))).max() < 0.45  # half a step in all three channels
    own = n / np.linalg.norm(n, axis=1, keepdims=True)
    assert np.degrees(np.arccos((own * wanted).sum(1).clip(-1, 1))).max() > 5
