"""Borders of charts: loops, nodes and arcs of meshes cut by hand."""

from __future__ import annotations

import numpy as np
from omagen.omage.boundary import arc_bends, trace_boundary
from sample_meshes import cube


def flat(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 2): x and y as uv."""
    return vertices[faces][..., :2].astype(np.float64)


def strip(length: int) -> tuple[np.ndarray, np.ndarray]:
    """A band of `length` squares in the plane."""
    x, y = np.meshgrid(np.arange(length + 1), [0, 1], indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1).astype(np.float32)
    i = 2 * np.arange(length)
    faces = np.concatenate([np.stack([i, i + 2, i + 3], 1), np.stack([i, i + 3, i + 1], 1)]).astype(np.int32)
    return vertices, faces


def test_every_face_of_a_cube_is_a_chart_with_four_arcs_shared_by_two_charts():
    mesh = cube()
    assert mesh.uv is not None
    chart = np.repeat(np.arange(6, dtype=np.int32), 2)
    boundary = trace_boundary(mesh.faces, mesh.uv.astype(np.float64), chart)
    assert len(boundary.loop_chart) == 6
    assert (np.diff(boundary.loop_start) == 4).all()
    assert len(boundary.node_vertex) == 8, "every corner, where three charts meet"
    assert boundary.arcs == 12
    assert (np.bincount(boundary.arc) == 2).all()
    for arc in range(12):
        sides = boundary.arc_forward[boundary.arc == arc]
        assert sides.sum() == 1, "the charts on both sides run along an edge in opposite directions"


def test_a_single_chart_has_one_node_on_a_border_without_corners_of_its_own():
    vertices, faces = strip(5)
    boundary = trace_boundary(faces, flat(vertices, faces), np.zeros(len(faces), np.int32))
    assert len(boundary.loop_chart) == 1
    assert boundary.arcs == 1 and boundary.arc_nodes[0, 0] == boundary.arc_nodes[0, 1]
    assert (np.sort(boundary.arc_place) == np.arange(12)).all()


def test_two_charts_share_the_arc_between_them_and_nodes_are_where_it_meets_the_rim():
    vertices, faces = strip(4)
    chart = (vertices[faces][..., 0].mean(axis=1) > 2).astype(np.int32)
    uv = flat(vertices, faces)
    uv[chart == 1] += 0.5
    boundary = trace_boundary(faces, uv, chart)
    shared = np.flatnonzero(np.bincount(boundary.arc) != np.bincount(boundary.arc, minlength=boundary.arcs).max())
    sides = [int((boundary.arc == arc).sum() / np.ptp(boundary.arc_start[arc : arc + 2]).clip(1)) for arc in shared]
    assert len(boundary.node_vertex) == 2
    assert set(vertices[boundary.node_vertex][:, 0]) == {2.0}
    assert boundary.arcs == 3 and len(sides) <= 3


def test_faces_with_different_uv_across_an_edge_are_not_joined_even_in_one_chart():
    vertices, faces = strip(2)
    uv = flat(vertices, faces)
    joined = trace_boundary(faces, uv, np.zeros(4, np.int32))
    right = vertices[faces][..., 0].mean(axis=1) > 1
    uv[right, :, 1] += 3
    cut = trace_boundary(faces, uv, np.zeros(4, np.int32))
    assert len(joined.half_edge) == 6
    assert len(cut.half_edge) == 8


def test_bends_are_found_where_the_border_turns_and_keep_their_distance():
    vertices, faces = strip(20)
    boundary = trace_boundary(faces, flat(vertices, faces), np.zeros(len(faces), np.int32))
    bends = arc_bends(vertices, boundary, 0.25, 0.5)
    node = boundary.node_vertex[0]
    corners = {0, 1, 40, 41} - {int(node)}
    assert corners <= set(np.flatnonzero(bends).tolist())
    assert bends.sum() <= 4
    assert arc_bends(vertices, boundary, 0.25, 50.0).sum() == 0


def test_a_border_that_touches_itself_is_marked_there():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [2, 1, 0], [2, 2, 0], [0, 3, 0]], np.float32)
    faces = np.array([[0, 1, 2], [2, 3, 4], [0, 2, 5], [2, 4, 5]], np.int32)
    apart = faces.copy()
    boundary = trace_boundary(apart, flat(vertices, apart), np.zeros(4, np.int32))
    assert not boundary.pinched.any()
    two = faces[:2]
    boundary = trace_boundary(two, flat(vertices, two), np.zeros(2, np.int32))
    assert boundary.pinched.sum() == 2
