"""Materials at points of a surface: what glTF says, averaged over a pixel in linear light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omagen.geometry.color import to_linear
from omagen.io.meshes import read_mesh
from omagen.omage.raster import raster_faces
from omagen.omage.surface import SurfaceSamples, sample_surface
from omagen.omage.surface_normals import corner_normals
from omagen.omage.surface_points import interpolate
from omagen.omage.texture_pyramid import Pyramid
from omagen.shapes import Material, Mesh, Texture
from omagen.shapes.material import Wrap
from sample_meshes import cube, noise, rich_material

SQUARE_UV = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)


def square(material: Material, uv: np.ndarray = SQUARE_UV, **changes: object) -> Mesh:
    """A unit square facing +Z, x along u and y along v."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    fields = {"vertices": points, "faces": faces, "uv": uv, "materials": (material,)}
    return Mesh(**(fields | changes))  # type: ignore[arg-type]


def baked(mesh: Mesh, width: int, height: int | None = None) -> SurfaceSamples:
    """The square over the whole of a picture of `width` x `height` pixels, row by row from the bottom."""
    height = height or width
    pixel_uv = SQUARE_UV.astype(np.float64) * [width, height]
    face, bary = raster_faces(pixel_uv, height, width)
    assert (face >= 0).all()
    return sample_surface(mesh, face.reshape(-1), bary.reshape(-1, 2), pixel_uv)


def at(mesh: Mesh, points: list[list[float]]) -> SurfaceSamples:
    """The square at points of the plane, textures looked up at points."""
    face, bary = [], []
    for x, y in points:
        face.append(int(y > x))
        bary.append([x - y, y] if y <= x else [x, y - x])
    return sample_surface(mesh, np.array(face), np.array(bary, np.float32))


def test_factors_alone_are_kept_as_they_are() -> None:
    material = Material(base_color=(0.2, 0.4, 0.6, 0.5), metallic=0.25, roughness=0.75, emissive=(3, 2, 1))
    samples = at(square(material), [[0.5, 0.25]])
    assert np.allclose(samples.albedo, [[0.2, 0.4, 0.6]]) and samples.opacity == 1
    assert samples.metalness == 0.25 and samples.roughness == 0.75
    assert np.allclose(samples.emission, [[3, 2, 1]]) and np.allclose(samples.normal, [[0, 0, 1]])


@pytest.mark.parametrize(("mode", "opacity"), [("OPAQUE", 1), ("MASK", 0.4), ("BLEND", 0.4)])
def test_opacity_counts_unless_the_material_is_opaque(mode: str, opacity: float) -> None:
    texture = Texture(np.full((2, 2, 4), 204, np.uint8))
    material = Material(base_color=(1, 1, 1, 0.5), base_color_texture=texture, alpha_mode=mode)  # type: ignore[arg-type]
    assert np.allclose(at(square(material), [[0.5, 0.25]]).opacity, opacity)


def test_a_texture_of_the_layouts_own_size_is_copied() -> None:
    pixels = noise(0, 4)
    samples = baked(square(Material(base_color_texture=Texture(pixels), alpha_mode="BLEND")), 16)
    expected = pixels[::-1].reshape(-1, 4) / 255
    assert np.allclose(samples.albedo, to_linear(expected[:, :3]), atol=1e-6)
    assert np.allclose(samples.opacity, expected[:, 3], atol=1e-6)


def test_textures_multiply_factors_and_vertex_colours() -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    material = Material(
        base_color=(0.5, 1, 1, 1),
        metallic=0.5,
        roughness=0.5,
        emissive=(2, 0, 0),
        base_color_texture=Texture(grey),
        metallic_roughness_texture=Texture(np.full((4, 4, 3), [9, 51, 102], np.uint8)),
        emissive_texture=Texture(grey),
    )
    colors = np.tile(np.array([[1, 0.5, 0.25, 1]], np.float32), (4, 1))
    samples = at(square(material, colors=colors), [[0.7, 0.2]])
    value = to_linear(np.array(128 / 255))
    assert np.allclose(samples.albedo, value * np.array([0.5, 0.5, 0.25]), atol=1e-5)
    assert np.allclose([samples.roughness, samples.metalness], [[0.1], [0.2]], atol=1e-5)
    assert np.allclose(samples.emission, [[2 * value, 0, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("wrap", "columns"),
    [("repeat", [2, 3, 0, 1, 2, 3, 0]), ("clamp", [0, 0, 0, 1, 2, 3, 3]), ("mirror", [1, 0, 0, 1, 2, 3, 3])],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_textures_continue_beyond_their_edges_as_they_say(wrap: Wrap, columns: list[int], axis: int) -> None:
    row = np.array([0, 80, 160, 255], np.uint8)
    pixels = np.broadcast_to(row[None, :, None] if axis == 0 else row[::-1, None, None], (4, 4, 3)).copy()
    wraps: tuple[Wrap, Wrap] = (wrap, "repeat") if axis == 0 else ("repeat", wrap)
    uv = SQUARE_UV.copy()
    uv[..., axis] = uv[..., axis] * 1.75 - 0.5  # columns -2 to 4
    samples = baked(
        square(Material(base_color_texture=Texture(pixels, *wraps)), uv), *((7, 4) if axis == 0 else (4, 7))
    )
    albedo = samples.albedo[:, 0].reshape((4, 7) if axis == 0 else (7, 4))
    assert np.allclose(albedo[1] if axis == 0 else albedo[:, 1], to_linear(row[columns] / 255), atol=1e-5)


def test_colours_are_averaged_in_linear_light() -> None:
    checker = np.indices((64, 64)).sum(0)[..., None] % 2 * np.full(3, 255)
    samples = baked(square(Material(base_color_texture=Texture(checker.astype(np.uint8)))), 4)
    assert np.allclose(samples.albedo, 0.5, atol=1e-3)


def test_a_texture_may_be_moved_and_lie_on_the_second_uvs() -> None:
    pixels = noise(1)
    transform = (0, 0.5, 0.25, -1, 0, 0.75)
    uv = SQUARE_UV @ np.array([[0, 0.5], [-1, 0]], np.float32).T + np.array([0.25, 0.75], np.float32)
    moved = baked(square(Material(base_color_texture=Texture(pixels, transform=transform))), 16)
    second = Texture(pixels, uv_set=1)
    placed = baked(square(Material(base_color_texture=second), second_uv=uv), 16)
    plain = baked(square(Material(base_color_texture=Texture(pixels)), uv), 16)
    assert np.allclose(moved.albedo, plain.albedo, atol=1e-5) and np.array_equal(placed.albedo, plain.albedo)


@pytest.mark.parametrize(("width", "height"), [(128, 128), (64, 64), (20, 20), (128, 16), (9, 100), (128, 4)])
def test_minified_textures_are_close_to_the_mean_over_each_pixel(width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    smooth = rng.random((34, 34, 3))
    pixels = (smooth.repeat(6, 0).repeat(6, 1)[:200, :200] * 255).astype(np.uint8)
    samples = baked(square(Material(base_color_texture=Texture(pixels))), width, height)
    linear = to_linear(pixels[::-1] / 255)
    fine = linear.repeat(height, 0).reshape(height, 200, 200, 3).mean(1)
    exact = fine.repeat(width, 1).reshape(height, width, 200, 3).mean(2).reshape(-1, 3)
    error = np.sqrt(np.mean((samples.albedo - exact) ** 2))
    nearest = linear[(np.arange(height) * 200 + 100) // height][:, (np.arange(width) * 200 + 100) // width]
    assert error < 0.5 * np.sqrt(np.mean((nearest.reshape(-1, 3) - exact) ** 2))
    assert abs(samples.albedo.mean() - exact.mean()) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (64, 48), (2, 300)])
def test_every_level_of_a_pyramid_has_the_textures_mean(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*shape, 4), np.uint8)
    pyramid = Pyramid(Texture(pixels), is_color=False)
    pyramid.reach(99)
    assert pyramid.layout[-1, :2].tolist() == [1, 1]
    for height, width, start in pyramid.layout[1:]:
        level = pyramid.coarse[start : start + height * width * 4].reshape(-1, 4) / 65535
        assert np.allclose(level.mean(0), pixels.reshape(-1, 4).mean(0) / 255, atol=1e-4)


def test_levels_are_made_only_where_pixels_are_larger_than_texels() -> None:
    pyramid = Pyramid(Texture(noise(0)), is_color=True)
    assert len(pyramid.coarse) == 0
    pyramid.reach(1)
    pyramid.reach(2)
    assert pyramid.coarse.size == (8 * 8 + 4 * 4) * 3 and pyramid.coarse.dtype == np.uint16


def bump(x: float, y: float, z: float) -> Texture:
    encoded = np.round((np.array([x, y, z]) + 1) / 2 * 255)
    return Texture(np.full((4, 4, 3), encoded, np.uint8))


@pytest.mark.parametrize(
    ("uv", "expected"),
    [
        (SQUARE_UV, [0.6, 0.48, 0.64]),
        (SQUARE_UV * [-1, 1], [-0.6, 0.48, 0.64]),
        (SQUARE_UV * [1, -1], [0.6, -0.48, 0.64]),
        (SQUARE_UV @ np.array([[0, 1], [-1, 0]]), [0.48, -0.6, 0.64]),
        (SQUARE_UV * [3, 0.2], [0.6, 0.48, 0.64]),
    ],
    ids=["plain", "mirrored in u", "mirrored in v", "turned", "stretched"],
)
def test_normal_maps_bend_along_u_and_v(uv: np.ndarray, expected: list[float]) -> None:
    material = Material(normal_texture=bump(0.6, 0.48, 0.64))
    samples = at(square(material, uv.astype(np.float32)), [[0.7, 0.2], [0.2, 0.7]])
    assert np.allclose(samples.normal, expected, atol=6e-3)


def test_normal_mapped_domes_face_outward_however_their_uvs_are_turned_or_mirrored(assets: Path) -> None:
    mesh, _ = read_mesh(assets / "meshes" / "normal_tangent_mirrored_uv.glb")
    assert mesh.uv is not None
    pixel_uv = (mesh.uv - np.floor(mesh.uv.min((0, 1)))).astype(float) * 512
    face, bary = raster_faces(pixel_uv, 512, 512)
    face, bary = face[face >= 0], bary[face >= 0]
    points = interpolate(mesh.vertices, mesh.faces, face, bary)
    normal = sample_surface(mesh, face, bary, pixel_uv).normal
    bent = (normal[:, 2] > 0.05) & (np.hypot(normal[:, 0], normal[:, 1]) > 0.3)
    # Real and mapped ones stand in six columns and five rows.
    domes = np.stack([np.digitize(points[bent, 0], [-0.8, -0.4, 0, 0.4, 0.8]), np.round(points[bent, 1] / 0.4)], 1)
    for dome in np.unique(domes, axis=0):
        disc, facing = (values[bent, :2][(domes == dome).all(1)] for values in (points, normal))
        outward = disc - (disc.min(0) + disc.max(0)) / 2
        cosine = (outward * facing).sum(1) / np.linalg.norm(outward, axis=1) / np.linalg.norm(facing, axis=1)
        assert len(disc) > 500 and cosine.mean() > 0.995
    assert len(np.unique(domes, axis=0)) == 30


def test_normal_scale_stretches_the_bend_and_keeps_unit_length() -> None:
    material = Material(normal_texture=bump(0.6, 0, 0.8), normal_scale=2.0)
    normal = at(square(material), [[0.5, 0.25]]).normal
    assert np.allclose(normal, np.array([1.2, 0, 0.8]) / np.hypot(1.2, 0.8), atol=6e-3)


def test_a_normal_map_without_uvs_leaves_the_surface_as_it_is() -> None:
    material = replace(rich_material(), alpha_mode="OPAQUE")
    mesh = replace(square(material), uv=None)
    samples = at(mesh, [[0.5, 0.25]])
    assert np.allclose(samples.normal, [[0, 0, 1]]) and np.allclose(samples.albedo, [[0.5, 0.25, 0.125]])


@pytest.mark.parametrize("flat", [np.zeros_like(SQUARE_UV), np.full_like(SQUARE_UV, np.nan)])
def test_uvs_without_area_give_unit_normals_and_finite_values(flat: np.ndarray) -> None:
    samples = baked(square(replace(rich_material(), alpha_mode="BLEND"), flat), 8)
    assert np.allclose(np.linalg.norm(samples.normal, axis=1), 1, atol=1e-5)
    assert np.isfinite(samples.albedo).all()


def test_each_face_has_its_own_material() -> None:
    materials = (Material(roughness=0.1), Material(roughness=0.2, base_color_texture=Texture(noise(0))), Material())
    mesh = replace(square(materials[0]), materials=materials, material_index=np.array([1, 0], np.int32))
    samples = at(mesh, [[0.2, 0.7], [0.7, 0.2], [0.1, 0.9]])
    assert np.allclose(samples.roughness, [0.1, 0.2, 0.1])
    assert np.allclose(samples.albedo[[0, 2]], 1) and not np.allclose(samples.albedo[1], 1)


def test_a_mesh_without_materials_is_white() -> None:
    samples = at(replace(square(Material()), materials=()), [[0.5, 0.25]])
    assert np.allclose(samples.albedo, 1)


def test_creases_stay_sharp_where_a_mesh_has_no_normals() -> None:
    box = cube()
    assert box.normals is not None
    assert np.allclose(corner_normals(replace(box, normals=None)), box.normals, atol=1e-6)


def test_shallow_edges_become_smooth_even_across_split_vertices() -> None:
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    after, up = np.roll(ring, -1, 0), np.array([0, 0, 1])
    corners = np.stack([ring, after, after + up, ring + up], 1)
    vertices = corners[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.float32)
    mesh = Mesh(vertices, np.arange(len(vertices), dtype=np.int32).reshape(-1, 3))
    normals = corner_normals(mesh)
    outward = vertices.reshape(-1, 3, 3) * [1, 1, 0]
    assert np.allclose(normals, outward, atol=1e-5)


def test_many_faces_around_one_point_are_smoothed_alike() -> None:
    turn = np.linspace(0, 2 * np.pi, 301)[:-1]
    rim = np.stack([np.cos(turn), np.sin(turn), np.full_like(turn, -0.2)], 1)
    vertices = np.concatenate([[[0, 0, 0]], rim]).astype(np.float32)
    step = np.arange(300)
    faces = np.stack([np.zeros_like(step), step + 1, (step + 1) % 300 + 1], 1).astype(np.int32)
    assert np.allclose(corner_normals(Mesh(vertices, faces))[:, 0], [0, 0, 1], atol=1e-4)


def test_normals_without_direction_are_replaced_by_those_of_their_faces() -> None:
    box = cube()
    assert box.normals is not None
    broken = box.normals.copy()
    broken[3, 1], broken[5, 0] = 0, np.nan
    assert np.allclose(corner_normals(replace(box, normals=broken)), box.normals, atol=1e-6)
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    assert np.allclose(np.linalg.norm(corner_normals(flat), axis=-1), 1)
