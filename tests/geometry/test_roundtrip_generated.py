"""Mesh -> omage -> mesh for meshes that nobody has drawn: closed stays closed, nothing is lost, nothing is NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omagen.geometry.components import face_components
from omagen.geometry.distance import surface_distance
from omagen.geometry.sampling import face_areas
from omagen.geometry.topology import borders
from omagen.omage.decode import decode
from omagen.omage.encode import encode
from omagen.protocol import OmagenError
from omagen.shapes import Mesh, Omage
from sample_meshes import cube

SLOW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
RESOLUTIONS = st.sampled_from([48, 64, 96, 128])


def lattice(rows: int, columns: int, *, wraps: tuple[bool, bool]) -> np.ndarray:
    """(F, 3) int32: two triangles for each cell of a lattice of rows x columns points, joined at its ends or not."""
    i, j = np.meshgrid(np.arange(rows - (not wraps[0])), np.arange(columns - (not wraps[1])), indexing="ij")
    a, b, c, d = (((i + k) % rows) * columns + (j + m) % columns for k, m in ((0, 0), (0, 1), (1, 1), (1, 0)))
    return np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], -2).reshape(-1, 3).astype(np.int32)


def torus(seed: int, rough: float, size: tuple[int, int], thickness: float) -> Mesh:
    rng = np.random.default_rng(seed)
    around, across = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in size), indexing="ij")
    radius = 1 + thickness * np.cos(across) * (1 + rough * rng.uniform(-1, 1, size))
    points = np.stack([radius * np.cos(around), radius * np.sin(around), thickness * np.sin(across)], -1)
    return Mesh(points.reshape(-1, 3).astype(np.float32), lattice(*size, wraps=(True, True)))


def sheet(seed: int, rough: float, size: tuple[int, int], holes: int) -> Mesh:
    """An open surface, hilly, with single faces missing."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.arange(n, dtype=float) for n in size), indexing="ij")
    points = np.stack([x, y, rough * rng.uniform(-2, 2, size)], -1)
    faces = lattice(*size, wraps=(False, False))
    kept = np.ones(len(faces), bool)
    kept[rng.choice(len(faces), min(holes, len(faces) - 2), replace=False)] = False
    return Mesh(points.reshape(-1, 3).astype(np.float32), faces[kept])


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """All of them beside each other, as one mesh."""
    width = max(float(np.ptp(mesh.vertices[:, 0])) for mesh in meshes) * 1.1
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    vertices = [mesh.vertices + np.array([width * n, 0, 0], np.float32) for n, mesh in enumerate(meshes)]
    return Mesh(
        np.concatenate(vertices),
        np.concatenate([mesh.faces + np.int32(n) for n, mesh in zip(starts, meshes, strict=True)]),
    )


SIZES = st.tuples(st.integers(3, 14), st.integers(3, 14))
TORI = st.builds(torus, st.integers(0, 99), st.floats(0, 0.6), SIZES, st.floats(0.05, 0.6))
SHEETS = st.builds(sheet, st.integers(0, 99), st.floats(0, 1), SIZES, st.integers(0, 5))


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
