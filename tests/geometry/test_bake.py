"""Baking: the maps of one surface as textures of another one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xatlas
from omagen.bake import MAPS, bake, bake_field, point_field
from omagen.geometry.color import to_linear
from omagen.geometry.distance import SurfaceTree
from omagen.geometry.sampling import barycentric, sample_points
from omagen.kernels.samples import ball
from omagen.omage.raster import raster_faces
from omagen.omage.surface import SurfaceSamples, sample_surface
from omagen.omage.surface_normals import corner_normals
from omagen.protocol import OmagenError
from omagen.shapes import Material, Mesh, Texture
from places import SHARED
from sample_meshes import cube

COLOR = frozenset({"base_color"})


def unwrapped(mesh: Mesh) -> Mesh:
    _, corner, uv = xatlas.parametrize(mesh.vertices, mesh.faces)
    return replace(mesh, uv=np.ascontiguousarray(uv[corner.reshape(-1)].reshape(-1, 3, 2), np.float32))


def smooth_noise(seed: int, channels: int = 3, size: int = 256) -> np.ndarray:
    """(size, size, channels) uint8, bright, smooth, the same on opposite edges"""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] * (2 * np.pi / size)
    waves = [np.sin(x * rng.integers(1, 4) + y * rng.integers(1, 4) + rng.uniform(0, 6)) for _ in range(channels)]
    return np.round(160 + 80 * np.stack(waves, axis=-1)).astype(np.uint8)


def color_at(points: np.ndarray) -> np.ndarray:
    """A smooth, bright field of colours."""
    x, y, z = np.asarray(points, np.float64).T
    return np.stack([0.5 + 0.4 * np.sin(3 * x), 0.5 + 0.4 * np.cos(2 * y), 0.5 + 0.4 * np.sin(3 * z + y)], axis=1)


def surface_at(mesh: Mesh, count: int = 20_000) -> tuple[np.ndarray, SurfaceSamples]:
    """Points spread over a mesh, and what its materials say there, looked up without any averaging."""
    points = sample_points(mesh.vertices, mesh.faces, count, 0)
    return points.position, sample_surface(mesh, points.face.astype(np.int32), points.bary.astype(np.float32))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of values from 0 to 1, in decibels."""
    return float(-10 * np.log10(max(np.mean((a.astype(float) - b) ** 2), 1e-12)))


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos((a * b).sum(1).clip(-1, 1)))


def pixels(texture: Texture | None) -> np.ndarray:
    assert texture is not None
    return texture.pixels


@cache
def bumpy() -> tuple[Mesh, Mesh]:
    """A coarse, unwrapped mesh, and a fine one with vertex colours."""
    fine = ball(240, 120)
    colors = np.concatenate([color_at(fine.vertices), np.ones((len(fine.vertices), 1))], axis=1)
    return unwrapped(ball(36, 18)), replace(fine, colors=colors.astype(np.float32))


def test_a_mesh_baked_to_itself_has_the_textures_it_had() -> None:
    material = Material(
        base_color_texture=Texture(smooth_noise(0)),
        metallic_roughness_texture=Texture(smooth_noise(1)),
        metallic=1.0,
        emissive=(1.0, 1.0, 1.0),
        emissive_texture=Texture(smooth_noise(2)),
    )
    mesh = cube(materials=(material,))
    baked = bake(mesh, mesh, 256, MAPS - {"occlusion"})
    assert mesh.uv is not None and baked.uv is not None
    (made,) = baked.materials
    face, _ = raster_faces(mesh.uv.astype(float) * 256, 256, 256)
    inside = (face >= 0)[::-1]
    for name in ("base_color_texture", "emissive_texture"):
        difference = pixels(getattr(made, name)).astype(int) - pixels(getattr(material, name))
        assert np.abs(difference[inside]).max() <= 1
    packed = pixels(made.metallic_roughness_texture).astype(int) - pixels(material.metallic_roughness_texture)
    assert np.abs(packed[inside][:, 1:]).max() <= 1
    assert np.abs(pixels(made.normal_texture)[inside].astype(int) - (128, 128, 255)).max() <= 1
    assert np.array_equal(baked.uv, mesh.uv) and np.array_equal(baked.vertices, mesh.vertices)


@pytest.mark.parametrize("name", ["water_bottle_pbr.glb", "normal_tangent_mirrored_uv.glb"])
def test_a_real_material_baked_to_itself_has_the_maps_it_had(name: str) -> None:
    from omagen.io.meshes import read_mesh

    path = SHARED / "assets/meshes" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    mesh, _ = read_mesh(path)
    single = len(mesh.materials) == 1
    baked = bake(mesh, mesh, 1024, frozenset({"base_color", "metallic_roughness", "normal"}))
    _, before = surface_at(mesh)
    _, after = surface_at(baked)
    assert psnr(after.albedo, before.albedo) > 30
    assert psnr(after.roughness, before.roughness) > 30
    if single:
        assert np.mean(angles(after.normal, before.normal)) < 2
    assert np.median(angles(after.normal, before.normal)) < 2


def test_new_uvs_show_what_the_old_ones_showed() -> None:
    material = Material(
        base_color_texture=Texture(smooth_noise(0), "mirror", "repeat", transform=(0.0, -2.0, 1.0, 2.0, 0.0, 0.3)),
        normal_texture=Texture(smooth_noise(3) // 4 + np.array([96, 96, 190], np.uint8)),
    )
    old = cube(materials=(material,))
    baked = bake(unwrapped(old), old, 512, frozenset({"base_color", "normal"}))
    _, before = surface_at(old)
    _, after = surface_at(baked)
    assert psnr(after.albedo, before.albedo) > 40
    assert np.percentile(angles(after.normal, before.normal), 99) < 2


def test_a_coarse_mesh_shows_the_colors_and_the_normals_of_a_fine_one() -> None:
    low, high = bumpy()
    baked = bake(low, high, 512, frozenset({"base_color", "normal"}))
    points, seen = surface_at(baked)
    nearest = SurfaceTree(high.vertices, high.faces).nearest(points)
    bary = barycentric(high.vertices, high.faces, nearest.face, nearest.position)
    there = sample_surface(high, nearest.face.astype(np.int32), bary.astype(np.float32))
    assert psnr(seen.albedo, there.albedo) > 38
    _, plain = surface_at(replace(low, normals=corner_normals(low)))
    before, after = angles(plain.normal, there.normal).mean(), angles(seen.normal, there.normal).mean()
    assert after < 1.0
    assert after < 0.25 * before


def test_several_materials_become_one() -> None:
    low, high = bumpy()
    top = high.vertices[high.faces].mean(1)[:, 1] > 0
    red = Material("red", (1.0, 0.0, 0.0, 1.0), metallic=1.0, roughness=0.2)
    blue = Material("blue", (0.0, 0.0, 1.0, 1.0), roughness=0.8, emissive=(0.0, 3.0, 0.0), double_sided=True)
    high = replace(high, colors=None, materials=(red, blue), material_index=np.where(top, 0, 1).astype(np.int32))
    baked = bake(low, high, 256, MAPS - {"occlusion"})
    points, seen = surface_at(baked)
    for side, material in ((points[:, 1] > 0.1, red), (points[:, 1] < -0.1, blue)):
        assert np.abs(seen.albedo[side] - material.base_color[:3]).max() < 0.02
        assert np.abs(seen.metalness[side] - material.metallic).max() < 0.02
        assert np.abs(seen.roughness[side] - material.roughness).max() < 0.02
        assert np.abs(seen.emission[side] - np.array(material.emissive)).max() < 0.05
    assert len(baked.materials) == 1 and baked.material_index is None and baked.colors is None
    assert baked.materials[0].double_sided


@pytest.mark.parametrize("mode", ["MASK", "BLEND"])
def test_opacity_is_baked_with_its_mode(mode: str) -> None:
    texels = np.dstack([smooth_noise(0), smooth_noise(1, 1)])
    material = Material(base_color_texture=Texture(texels), alpha_mode=mode, alpha_cutoff=0.7)  # type: ignore[arg-type]
    old = cube(materials=(material,))
    (made,) = bake(unwrapped(old), old, 256, COLOR).materials
    assert made.alpha_mode == mode
    _, before = surface_at(old)
    _, after = surface_at(bake(unwrapped(old), old, 256, COLOR))
    if mode == "BLEND":
        assert psnr(after.opacity, before.opacity) > 35
    else:
        assert np.mean((after.opacity >= made.alpha_cutoff) == (before.opacity >= 0.7)) > 0.98


def test_no_texel_is_dark_and_no_color_strays_at_any_level_of_a_mip_chain() -> None:
    mesh, size = cube(), 512
    assert mesh.uv is not None
    level = to_linear(pixels(bake_field(mesh, color_at, size).materials[0].base_color_texture) / 255.0)
    face, _ = raster_faces(mesh.uv.astype(float) * size, size, size)
    share = (face >= 0)[::-1].astype(float)[..., None]
    true = level * share
    while len(level) > 1:
        assert level.min() > 0.08  # the field has nothing below 0.1
        if size // len(level) <= 16:  # between the charts there are 42 texels
            beside = share[..., 0] > 0
            inside = true[beside] / share[beside]
            # what a level shows beside a border is what the chart has there, not what lies around it
            assert np.abs(level[beside] - inside).max() < 0.1
        level, share, true = (_halved(plane) for plane in (level, share, true))


@pytest.mark.parametrize("size", [64, 512])
def test_no_texel_is_dark_between_crowded_charts(size: int) -> None:
    low, high = bumpy()
    level = to_linear(pixels(bake(low, high, size, COLOR).materials[0].base_color_texture) / 255.0)
    while len(level) > 1:
        assert level.min() > 0.08
        level = _halved(level)


def _halved(plane: np.ndarray) -> np.ndarray:
    return (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 4


def test_a_margin_limits_how_far_charts_grow() -> None:
    low = cube()
    narrow, all_of_it = (
        pixels(bake_field(low, color_at, 128, margin=margin).materials[0].base_color_texture) for margin in (2, None)
    )
    assert low.uv is not None
    face, _ = raster_faces(low.uv.astype(float) * 128, 128, 128)
    filled = (narrow.max(-1) > 0).sum()
    assert (face >= 0).sum() < filled < 0.6 * 128 * 128
    assert (all_of_it > 0).all()


def sheet(columns: int, height: float = 0.0, mirrored: bool = False) -> Mesh:
    """A square in the plane y = 0, waved by `height`; UVs on the left half are `mirrored` images of the right's."""
    x, z = np.meshgrid(np.linspace(-1, 1, 2 * columns + 1), np.linspace(-1, 1, 2 * columns + 1))
    y = height * np.sin(9 * x) * np.sin(7 * z)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    side = 2 * columns + 1
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate(
        [np.stack([first, first + side, first + side + 1], 1), np.stack([first, first + side + 1, first + 1], 1)]
    )
    corners = vertices[faces]
    u, v = corners[..., 0] * 0.45, 0.5 - 0.48 * corners[..., 2]
    left = corners[..., 0].mean(1) < 0
    u = np.where(left[:, None], (0.02 - u if mirrored else 0.47 + u), 0.52 + u)
    return Mesh(vertices, faces.astype(np.int32), np.ascontiguousarray(np.stack([u, v], axis=-1), np.float32))


@pytest.mark.parametrize("mirrored", [False, True])
def test_normal_maps_are_right_on_mirrored_charts_too(mirrored: bool) -> None:
    low, high = sheet(1, mirrored=mirrored), sheet(150, 0.03)
    baked = bake(low, high, 512, frozenset({"normal"}))
    points, seen = surface_at(baked)
    x, _, z = points.T
    slope = np.stack([-0.27 * np.cos(9 * x) * np.sin(7 * z), np.ones_like(x), -0.21 * np.sin(9 * x) * np.cos(7 * z)], 1)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    found = angles(seen.normal, slope)
    assert found.mean() < 0.7 and np.percentile(found, 99) < 2.5
    assert found[x < -0.05].mean() == pytest.approx(found[x > 0.05].mean(), abs=0.1)


@pytest.mark.parametrize("size", [1, 2, 33, 100, 256])
def test_textures_have_exactly_the_size_that_was_asked_for(size: int) -> None:
    (material,) = bake(
        cube(), cube(materials=(Material(base_color_texture=Texture(smooth_noise(0))),)), size, MAPS
    ).materials
    assert pixels(material.base_color_texture).shape == (size, size, 3)
    assert pixels(material.normal_texture).shape == (size, size, 3)
    assert pixels(material.occlusion_texture).shape == (size, size, 3)


def test_nothing_of_the_back_of_a_thin_wall_shows_on_its_front() -> None:
    flat = np.array([1, 1, 0.01], np.float32)
    high = replace(cube(), vertices=cube().vertices * flat)
    front = high.normals[:, 0, 2] > 0.5  # type: ignore[index]
    back = high.normals[:, 0, 2] < -0.5  # type: ignore[index]
    colors = [Material(str(n), color) for n, color in enumerate([(0, 1, 0, 1), (1, 0, 0, 1), (0, 0, 1, 1)])]
    high = replace(
        high, materials=tuple(colors), material_index=np.where(front, 1, np.where(back, 2, 0)).astype(np.int32)
    )
    # thicker, thinner and shifted through the wall
    for thickness, shift in ((0.03, 0.0), (0.004, 0.0), (0.01, 0.02), (0.01, -0.02)):
        low = replace(
            cube(),
            vertices=(cube().vertices * np.array([1, 1, thickness]) + np.array([0, 0, shift])).astype(np.float32),
        )
        baked = bake(low, high, 128, COLOR, cage=0.05)
        points = sample_points(low.vertices, low.faces, 5000)
        seen = sample_surface(baked, points.face.astype(np.int32), points.bary.astype(np.float32)).albedo
        facing = low.normals[points.face, 0, 2]  # type: ignore[index]
        inner = np.abs(points.position[:, :2]).max(1) < 0.48
        assert seen[(facing > 0.5) & inner][:, 0].min() > 0.98
        assert seen[(facing < -0.5) & inner][:, 2].min() > 0.98


def test_uvs_beyond_the_unit_square_come_in_again_on_the_other_side() -> None:
    mesh = cube(materials=(Material(base_color_texture=Texture(smooth_noise(0))),))
    assert mesh.uv is not None
    moved = replace(mesh, uv=mesh.uv + np.array([-0.1, 3.8], np.float32))
    baked = bake(moved, moved, 256, COLOR)
    _, before = surface_at(moved)
    _, after = surface_at(baked)
    assert psnr(after.albedo, before.albedo) > 45


def test_occlusion_in_a_corner_is_what_the_formula_says() -> None:
    # a floor 4 m wide that meets a wall 1 m high: at distance d the wall hides (1 - d / sqrt(d^2 + 1)) / 2 of the sky
    vertices = np.array([[-20, 0, 0], [20, 0, 0], [20, 0, 4], [-20, 0, 4], [-20, 1, 0], [20, 1, 0]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 5], [0, 5, 4]], np.int32)
    flat = np.stack(
        [
            vertices[faces][..., 0] / 42 + 0.5,
            np.where(vertices[faces][..., 1] > 0, 0.95, 0.9 - vertices[faces][..., 2] / 5),
        ],
        -1,
    )
    flat[2:, :, 1] = np.where(vertices[faces[2:]][..., 1] > 0, 0.98, 0.93)
    mesh = Mesh(vertices, faces, np.ascontiguousarray(flat, np.float32))
    (material,) = bake(mesh, mesh, 256, frozenset({"occlusion"})).materials
    column = pixels(material.occlusion_texture)[::-1][:, 128, 0] / 255
    row = np.arange(30, 226)
    distance = (0.9 - (row + 0.5) / 256) * 5
    expected = 1 - (1 - distance / np.sqrt(distance**2 + 1)) / 2
    assert np.abs(column[row] - expected).max() < 0.03


def test_the_occlusion_of_a_convex_object_is_none() -> None:
    mesh = unwrapped(ball(30, 15))
    flat = replace(
        mesh, vertices=(mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)).astype(np.float32)
    )
    (material,) = bake(flat, flat, 128, frozenset({"occlusion"})).materials
    assert pixels(material.occlusion_texture).min() >= 250


def test_occlusion_of_large_textures_agrees_with_that_of_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from omagen.bake import occlusion

    low, high = bumpy()
    (every,) = bake(low, high, 128, frozenset({"occlusion"})).materials
    monkeypatch.setattr(occlusion, "BUDGET", 2**17)
    (few,) = bake(low, high, 128, frozenset({"occlusion"})).materials
    difference = np.abs(pixels(every.occlusion_texture).astype(int) - pixels(few.occlusion_texture))
    assert difference.mean() < 3 and np.percentile(difference, 99) < 20


def test_what_is_not_baked_stays() -> None:
    kept = Material("kept", roughness=0.3, base_color_texture=Texture(smooth_noise(5)))
    low = cube(materials=(kept,))
    (material,) = bake(low, cube(), 64, frozenset({"normal"})).materials
    assert material.base_color_texture is kept.base_color_texture
    assert (material.name, material.roughness) == ("kept", 0.3)


def test_points_color_a_mesh_and_a_point_that_is_hit_counts_alone() -> None:
    low, _ = bumpy()
    cloud = sample_points(low.vertices, low.faces, 50_000, 3).position
    colors = color_at(cloud)
    cloud[7], colors[8] = np.nan, np.inf
    field = point_field(cloud, colors)
    _, seen = surface_at(bake_field(low, field, 256))
    points, _ = surface_at(low)
    assert psnr(seen.albedo, color_at(points)) > 35
    assert np.allclose(field(cloud[20:40]), colors[20:40], atol=1e-5)
    assert np.allclose(point_field(cloud[:1], colors[:1])(cloud[:5]), colors[:1])


def test_what_cannot_be_baked_says_so() -> None:
    plain, empty = replace(cube(), uv=None), Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    collapsed = cube(uv=np.zeros((12, 3, 2), np.float32))
    broken = cube(uv=np.full((12, 3, 2), np.nan, np.float32))
    for low, high, size, maps, word in (
        (plain, cube(), 64, COLOR, "UVs"),
        (empty, cube(), 64, COLOR, "UVs"),
        (collapsed, cube(), 64, COLOR, "area"),
        (broken, cube(), 64, COLOR, "area"),
        (cube(), empty, 64, COLOR, "surface"),
        (cube(), cube(), 0, COLOR, "0 pixels"),
        (cube(), cube(), 10**6, COLOR, "pixels"),
        (cube(), cube(), 64, frozenset({"shininess"}), "shininess"),
    ):
        with pytest.raises(OmagenError, match=word):
            bake(low, high, size, maps)
    with pytest.raises(OmagenError, match="three"):
        bake_field(cube(), lambda points: points[:, :1], 64)
    with pytest.raises(OmagenError, match="no usable points"):
        point_field(np.full((3, 3), np.nan), np.zeros((3, 3)))


def test_flat_and_broken_surfaces_are_baked_without_a_crash() -> None:
    from omagen.kernels.samples import broken

    mesh = broken()
    for low, high in ((mesh, ball(8, 4)), (cube(), replace(mesh, uv=None))):
        (material,) = bake(low, high, 64, MAPS).materials
        assert pixels(material.normal_texture).shape == (64, 64, 3)
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(OmagenError):
        bake(cube(), flat, 64, COLOR)


def test_a_bake_can_be_cancelled() -> None:
    low, high = bumpy()

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bake(low, high, 256, MAPS, stop)
