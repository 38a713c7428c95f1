"""Distances between surfaces, the points they are measured from, and what is said of edges and components."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from omagen.geometry.components import face_components
from omagen.geometry.distance import SurfaceTree, surface_distance
from omagen.geometry.sampling import barycentric, sample_each, sample_points
from omagen.geometry.topology import borders, proper_faces, without_flaps
from omagen.shapes import Mesh
from sample_meshes import cube


def grid(columns: int, rows: int) -> Mesh:
    """A flat grid of unit squares in the plane z = 0."""
    x, y = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1))
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).reshape(-1, 1)
    square = np.array([0, 1, columns + 2, 0, columns + 2, columns + 1])
    return Mesh(vertices, (corner + square).reshape(-1, 3).astype(np.int32))


def test_a_surface_is_no_distance_from_itself() -> None:
    found = surface_distance(cube(), cube(), samples=1000)
    assert found["max"] < 1e-12
    assert (found["f_score"], found["area_ratio"]) == (1, 1)


def test_parallel_planes_are_as_far_apart_as_they_are() -> None:
    plane = grid(3, 4)
    lifted = replace(plane, vertices=plane.vertices + np.array([0, 0, 0.5], np.float32))
    found = surface_distance(plane, lifted, samples=500)
    assert [found[key] for key in ("chamfer", "p99", "max")] == pytest.approx([0.1] * 3)  # the diagonal is 5
    assert found["f_score"] == 0


def test_a_missing_part_counts_in_one_direction_only() -> None:
    whole = grid(10, 1)
    half = replace(whole, faces=whole.faces[:10])
    found = surface_distance(whole, half, samples=1000)
    assert found["chamfer_ba"] < 1e-12 < found["chamfer_ab"]
    assert found["area_ratio"] == pytest.approx(0.5)


def test_points_are_spread_by_area_and_the_same_every_time() -> None:
    mesh = grid(2, 1)
    mesh.vertices[[2, 5], 0] = 9  # the second square is eight times as long
    points = sample_points(mesh.vertices, mesh.faces, 900, seed=3)
    assert np.bincount(points.face).tolist() == pytest.approx([50, 50, 400, 400], abs=1)
    again = sample_points(mesh.vertices, mesh.faces, 900, seed=3)
    assert (points.position == again.position).all()
    assert not (points.position == sample_points(mesh.vertices, mesh.faces, 900, seed=4).position).all()


def test_a_surface_without_area_has_no_points() -> None:
    with pytest.raises(ValueError, match="area"):
        sample_points(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]), 10)


def test_every_group_gets_its_points_even_without_area() -> None:
    mesh = grid(2, 1)
    faces = np.concatenate([mesh.faces, [[0, 0, 1]]])
    points = sample_each(mesh.vertices, faces, np.array([0, 0, 1, 1, 2]), 10)
    assert np.array([0, 0, 1, 1, 2])[points.face].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert np.isfinite(points.position).all()


def test_weights_of_a_nearest_point_lead_back_to_it() -> None:
    mesh = cube()
    points = np.random.default_rng(0).normal(size=(200, 3))
    found = SurfaceTree(mesh.vertices, mesh.faces).nearest(points)
    bary = barycentric(mesh.vertices, mesh.faces, found.face, found.position)
    corners = mesh.vertices[mesh.faces[found.face]]
    weights = np.hstack([1 - bary.sum(1, keepdims=True), bary])
    assert np.einsum("nk,nkx->nx", weights, corners) == pytest.approx(found.position, abs=1e-6)


def test_borders_of_closed_open_and_branching_surfaces() -> None:
    closed = borders(cube().faces)
    assert (len(closed.open_edges), closed.boundary_loops, len(closed.non_manifold_edges)) == (0, 0, 0)
    holed = borders(cube().faces[[1, 3, 4, 5, 6, 7, 8, 9, 10, 11]])  # lacks a triangle each of two opposite sides
    assert (len(holed.open_edges), holed.boundary_loops) == (6, 2)
    fin = borders(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    assert (len(fin.open_edges), fin.non_manifold_edges.tolist()) == (6, [[0, 1]])


def test_components_are_joined_by_edges_not_by_vertices() -> None:
    faces = np.array([[0, 1, 2], [2, 3, 4], [3, 2, 5], [0, 1, 6]])
    assert face_components(faces).tolist() == [0, 1, 1, 0]


def test_repeats_are_dropped_but_not_the_other_side_of_a_face() -> None:
    faces = np.array([[0, 1, 2], [1, 2, 0], [0, 2, 1], [3, 3, 1]], np.int32)
    assert proper_faces(faces).tolist() == [0, 2]


def test_faces_without_area_are_dropped_where_they_hang_loose() -> None:
    closed = cube().faces
    flap = np.array([[0, 1, 8], [1, 9, 8]])  # the second hangs on the first only
    faces = np.concatenate([closed, flap])
    is_flat = np.arange(14) >= 12
    assert without_flaps(faces, is_flat).tolist() == list(range(12))
    assert without_flaps(closed, np.arange(12) == 5).tolist() == list(range(12))
