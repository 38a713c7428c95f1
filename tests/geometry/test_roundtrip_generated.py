"""Mesh -> omage -> mesh for meshes that nobody has drawn: closed stays closed, nothing is lost, nothing is NaN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from generated_meshes import (
    BAD_UV,
    fan,
    joined,
    moebius,
    moved,
    sheet,
    single_triangle,
    torus,
    tube,
    with_bad_uv,
    with_duplicates,
    with_materials,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omagen.geometry.components import face_components
from omagen.geometry.distance import surface_distance
from omagen.geometry.sampling import face_areas
from omagen.geometry.topology import borders
from omagen.omage.decode import decode
from omagen.omage.encode import encode
from omagen.omage.lod import resize
from omagen.protocol import OmagenError
from omagen.shapes import Mesh, Omage
from sample_meshes import cube

SLOW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
RESOLUTIONS = st.sampled_from([48, 64, 96, 128])


SIZES = st.tuples(st.integers(3, 14), st.integers(3, 14))
TORI = st.builds(torus, st.integers(0, 99), st.floats(0, 0.6), SIZES, st.floats(0.05, 0.6))
SHEETS = st.builds(sheet, st.integers(0, 99), st.floats(0, 1), SIZES, st.integers(0, 5))


TUBES = st.builds(tube, st.floats(0.1, 50), st.floats(0.01, 1), st.integers(3, 8), st.integers(1, 12))
BANDS = st.builds(moebius, st.floats(0.1, 1.2), st.tuples(st.integers(5, 30), st.integers(2, 5)), st.integers(0, 3))
TEXTURES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=3)


def assert_sane(omage: Omage) -> None:
    assert omage.occupancy.any()
    for plane in (omage.position, omage.normal, omage.albedo, omage.metalness, omage.roughness):
        assert plane is not None and np.isfinite(plane).all()
    assert np.abs(omage.position[omage.occupancy]).max() <= 1
    assert omage.chart is not None and ((omage.chart >= 0) == omage.occupancy).all()
    assert omage.seam is not None and not (omage.seam[~omage.occupancy] >= 0).any()


def there_and_back(mesh: Mesh, resolution: int) -> Mesh:
    omage, report = encode(mesh, resolution)
    assert_sane(omage)
    decoded, _ = decode(omage)
    assert decoded.normals is not None
    assert np.isfinite(decoded.vertices).all() and np.isfinite(decoded.normals).all()
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    slack = 1e-4 * float((high - low).max())
    assert (decoded.vertices >= low - slack).all() and (decoded.vertices <= high + slack).all()
    assert report["lost_components"] == 0
    return decoded


@SLOW
@given(TORI, RESOLUTIONS)
def test_a_closed_surface_stays_closed(mesh: Mesh, resolution: int) -> None:
    found = borders(there_and_back(mesh, resolution).faces)
    assert (len(found.open_edges), len(found.non_manifold_edges)) == (0, 0)


@SLOW
@given(st.lists(TORI, min_size=2, max_size=6))
def test_pieces_stay_apart_and_none_is_lost(meshes: list[Mesh]) -> None:
    decoded = there_and_back(joined(meshes), 256)
    assert face_components(decoded.faces).max() + 1 == len(meshes)
    assert not len(borders(decoded.faces).open_edges)


@SLOW
@given(SHEETS, RESOLUTIONS)
def test_an_open_surface_keeps_its_borders(mesh: Mesh, resolution: int) -> None:
    found = borders(there_and_back(mesh, resolution).faces)
    assert not len(found.non_manifold_edges)
    assert found.boundary_loops == borders(mesh.faces).boundary_loops


@SLOW
@given(TUBES, st.sampled_from([128, 256]))
def test_thin_tubes_stay_closed(mesh: Mesh, resolution: int) -> None:
    found = borders(there_and_back(mesh, resolution).faces)
    assert (len(found.open_edges), len(found.non_manifold_edges)) == (0, 0)


@SLOW
@given(BANDS, st.sampled_from([96, 128]))
def test_bands_keep_their_borders_however_often_they_are_turned(mesh: Mesh, resolution: int) -> None:
    found = borders(there_and_back(mesh, resolution).faces)
    assert not len(found.non_manifold_edges)
    assert found.boundary_loops == borders(mesh.faces).boundary_loops


@SLOW
@given(st.integers(3, 9), st.integers(1, 8), RESOLUTIONS)
def test_leaves_of_a_fan_are_still_joined(leaves: int, size: int, resolution: int) -> None:
    mesh = fan(leaves, size)
    decoded = there_and_back(mesh, resolution)
    assert face_components(decoded.faces).max() == 0
    found = borders(decoded.faces).non_manifold_edges
    length = np.linalg.norm(np.diff(decoded.vertices[found], axis=1)[:, 0], axis=1).sum()
    assert abs(length - 1) < 1e-3


@SLOW
@given(TORI, st.sampled_from(BAD_UV), st.integers(0, 99), TEXTURES)
def test_uvs_and_textures_of_any_sort_do_no_harm(
    mesh: Mesh, kind: str, seed: int, sizes: list[tuple[int, int]]
) -> None:
    mesh = with_materials(with_bad_uv(mesh, seed, kind), seed, sizes)
    assert not len(borders(there_and_back(mesh, 128).faces).open_edges)


@SLOW
@given(TORI, st.integers(0, 99))
def test_faces_that_are_there_twice_count_once(mesh: Mesh, seed: int) -> None:
    found = borders(there_and_back(with_duplicates(mesh, seed), 128).faces)
    assert (len(found.open_edges), len(found.non_manifold_edges)) == (0, 0)


@SLOW
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=9, max_size=9), RESOLUTIONS)
def test_one_triangle_is_an_object(corners: list[float], resolution: int) -> None:
    mesh = single_triangle(np.array(corners).reshape(3, 3))
    try:
        omage, _ = encode(mesh, resolution)
    except OmagenError:
        assert face_areas(mesh.vertices, mesh.faces)[0] <= 1e-9 * float(np.ptp(mesh.vertices, axis=0).max()) ** 2
        return
    assert_sane(omage)
    decoded, _ = decode(omage)
    assert borders(decoded.faces).boundary_loops == 1


@SLOW
@given(st.integers(0, 99), st.integers(-6, 6), st.sampled_from([0.0, 1e3, -1e6]))
def test_far_away_and_tiny_or_huge_objects_do_not_crash(seed: int, power: int, place: float) -> None:
    """Where float32 cannot tell their points apart little of them is left, and that is said."""
    mesh = moved(torus(seed, 0.2, (9, 8), 0.4), 10.0**power, place)
    try:
        omage, _ = encode(mesh, 96)
    except OmagenError:
        return
    assert_sane(omage)
    decoded, _ = decode(omage)
    assert np.isfinite(decoded.vertices).all()


@SLOW
@given(TORI, st.sampled_from([32, 48, 128, 200]))
def test_levels_of_a_closed_surface_are_closed(mesh: Mesh, resolution: int) -> None:
    level = resize(encode(mesh, 96)[0], resolution)
    assert_sane(level)
    assert not len(borders(decode(level)[0].faces).open_edges)


@SLOW
@given(st.integers(0, 999), st.integers(1, 40), RESOLUTIONS)
def test_a_soup_of_triangles_never_crashes(seed: int, count: int, resolution: int) -> None:
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 12, (count, 3)).astype(np.int32)
    vertices = rng.choice([rng.normal(size=(12, 3)), rng.integers(0, 3, (12, 3))]).astype(np.float32)
    mesh = Mesh(vertices, faces)
    try:
        omage, _ = encode(mesh, resolution)
    except OmagenError:
        return  # no area at all, or more pieces than the picture has room for: said in words
    assert_sane(omage)
    decode(omage)


@SLOW
@given(st.integers(0, 99), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_size_and_place_do_not_matter(seed: int, scale: float, place: float) -> None:
    plain = torus(seed, 0.2, (9, 8), 0.4)
    moved = replace(plain, vertices=(plain.vertices * np.float32(scale) + np.float32(place * scale)))
    found = surface_distance(moved, there_and_back(moved, 128), samples=2000)
    assert found["chamfer"] < 5e-3
    assert abs(found["area_ratio"] - 1) < 0.03


def test_flat_sides_come_back_to_the_last_bit_of_their_shape() -> None:
    decoded = there_and_back(cube(), 64)
    found = surface_distance(cube(), decoded, samples=5000)
    assert found["max"] < 1e-6
    assert face_areas(decoded.vertices, decoded.faces).sum() == 6


def test_encoding_is_deterministic() -> None:
    mesh = torus(1, 0.3, (11, 7), 0.3)
    one, other = encode(mesh, 96)[0], encode(mesh, 96)[0]
    for name in ("position", "occupancy", "normal", "albedo", "chart", "seam"):
        assert (getattr(one, name) == getattr(other, name)).all()
