"""Crossing faces, UV overlap, stretch and density in the quality report, against brute force and known answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from generated_meshes import joined
from omagen.geometry import self_intersection
from omagen.geometry.quality import quality_report
from omagen.geometry.self_intersection import self_intersections
from omagen.geometry.uv_quality import uv_report
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import ball
from omagen.shapes import Material, Mesh, Texture
from places import SHARED
from sample_meshes import cube, noise


def crossed(p: np.ndarray, q: np.ndarray, triangle: np.ndarray) -> bool:
    """Whether the segment passes through the triangle (Möller and Trumbore 1997)."""
    a, ab, ac = triangle[0], triangle[1] - triangle[0], triangle[2] - triangle[0]
    across = np.cross(q - p, ac)
    determinant = ab @ across
    if determinant == 0:
        return False
    u = (p - a) @ across / determinant
    turned = np.cross(p - a, ab)
    v, t = (q - p) @ turned / determinant, ac @ turned / determinant
    return bool(u > 0 and v > 0 and u + v < 1 and 0 < t < 1)


def brute_force(mesh: Mesh) -> int:
    points = mesh.vertices[mesh.faces].astype(np.float64)
    found = 0
    for i, j in combinations(range(len(points)), 2):
        if len(set(mesh.faces[i]) & set(mesh.faces[j])) >= 2:
            continue
        found += any(
            crossed(points[one][k], points[one][(k + 1) % 3], points[other])
            and not {mesh.faces[one][k], mesh.faces[one][(k + 1) % 3]} & set(mesh.faces[other])
            for one, other in ((i, j), (j, i))
            for k in range(3)
        )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_crossings_of_a_triangle_soup_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    soup = Mesh(rng.normal(size=(90, 3)).astype(np.float32), np.arange(90, dtype=np.int32).reshape(-1, 3))
    knot = Mesh(soup.vertices[:20], rng.permuted(np.tile(np.arange(20), (40, 1)), axis=1)[:, :3].astype(np.int32))
    for mesh in (soup, knot):
        expected = brute_force(mesh)
        assert expected > 0 and self_intersections(mesh.vertices, mesh.faces) == expected


def test_an_embedded_surface_does_not_cross_itself_and_two_that_overlap_do() -> None:
    mesh = ball(24, 12)
    assert self_intersections(mesh.vertices, mesh.faces) == 0
    two = joined([mesh, mesh])
    moved = two.vertices - np.where(np.arange(len(two.vertices)) >= len(mesh.vertices), 1.5, 0)[:, None] * [1, 0, 0]
    assert (self_intersections(moved.astype(np.float32), two.faces) or 0) > 10


def test_seams_of_split_vertices_do_not_cross() -> None:
    mesh = ball(24, 12)
    apart = mesh.vertices[mesh.faces.reshape(-1)]
    assert self_intersections(apart, np.arange(len(apart), dtype=np.int32).reshape(-1, 3)) == 0


def test_what_would_take_too_long_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = ball(24, 12)
    monkeypatch.setattr(self_intersection, "MOST_FACES", 10)
    assert quality_report(mesh)["self_intersections"] is None
    monkeypatch.setattr(self_intersection, "MOST_FACES", 1000)
    monkeypatch.setattr(self_intersection, "MOST_PAIRS", 10)
    assert quality_report(mesh)["self_intersections"] is None


def test_overlap_is_the_share_of_the_covered_area() -> None:
    mesh = cube()
    assert mesh.uv is not None
    uv = mesh.uv.copy()
    uv[2:4] = uv[0:2] + np.array([0.125, 0], np.float32)  # the second of six squares covers half of the first
    report = uv_report(replace(mesh, uv=uv))
    assert report["uv_overlap"] == pytest.approx(0.5 / 5.5, abs=0.005)
    assert report["fill"] == pytest.approx(5.5 / 16, abs=0.002)


def test_materials_have_a_square_each() -> None:
    mesh = cube()
    assert mesh.uv is not None
    uv = np.tile(mesh.uv[:2], (6, 1, 1))
    materials = tuple(Material(str(n)) for n in range(6))
    index = np.repeat(np.arange(6, dtype=np.int32), 2)
    assert uv_report(replace(mesh, uv=uv))["uv_overlap"] == pytest.approx(1.0)
    report = uv_report(replace(mesh, uv=uv, materials=materials, material_index=index))
    assert report["uv_overlap"] == 0.0 and report["fill"] == pytest.approx(1 / 16, abs=0.002)


def test_tiling_uv_have_no_overlap_to_speak_of() -> None:
    mesh = cube()
    assert mesh.uv is not None
    assert uv_report(replace(mesh, uv=mesh.uv * 8))["uv_overlap"] is None
    assert uv_report(replace(mesh, uv=None))["fill"] is None


@pytest.mark.parametrize("name", ["flight_helmet_multimaterial.glb", "spot_nodes_negative_scale.glb"])
def test_stretch_and_density_are_those_of_the_singular_values(name: str) -> None:
    path = SHARED / "assets" / "meshes" / name
    if not path.exists():
        pytest.skip("needs the shared assets")
    mesh, _ = read_mesh(path)
    assert mesh.uv is not None
    corners, uv = mesh.vertices[mesh.faces].astype(np.float64), mesh.uv.astype(np.float64)
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(ab, ac), axis=1)
    along = ab / np.maximum(np.linalg.norm(ab, axis=1, keepdims=True), 1e-30)
    across = ac - (ac * along).sum(axis=1, keepdims=True) * along
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
    flat = np.stack([np.stack([(e * a).sum(axis=1) for e in (ab, ac)], -1) for a in (along, across)], axis=1)
    ok = area > 1e-14
    edges = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], axis=2)
    values = np.linalg.svd(edges[ok] @ np.linalg.inv(flat[ok]), compute_uv=False)
    sound = values[:, 1] > 1e-6 * values[:, 0]
    values, weight = values[sound], area[ok][sound]
    report = uv_report(mesh)
    assert report["stretch"] == pytest.approx(np.average(values[:, 0] / values[:, 1], weights=weight), rel=0.02)
    index = np.zeros(len(mesh.faces), int) if mesh.material_index is None else mesh.material_index
    textures = [m.base_color_texture for m in mesh.materials]
    sides = np.array([max(t.pixels.shape[:2]) if t else 1 for t in textures], float)[index[ok][sound]]
    level = np.log2(sides * np.sqrt(values.prod(axis=1)))
    mean = np.average(level, weights=weight)
    assert np.log2(report["texel_density"]["mean"]) == pytest.approx(mean, abs=0.02)
    spread = np.sqrt(np.average((level - mean) ** 2, weights=weight))
    assert report["texel_density"]["spread"] == pytest.approx(spread, rel=0.05)


def test_coverage_is_the_area_of_textured_materials() -> None:
    textured = Material("textured", base_color_texture=Texture(noise(0)))
    index = np.repeat(np.array([0, 1], np.int32), [8, 4])
    report = uv_report(cube(materials=(textured, Material("plain")), material_index=index))
    assert report["texture_coverage"] == pytest.approx(8 / 12, abs=1e-5)
