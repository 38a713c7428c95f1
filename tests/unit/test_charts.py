"""The parts of charting: crossings are found, flips undone, faces unfolded and edges paired."""

from __future__ import annotations

import numpy as np
from omagen.omage.charts.crossing import CROSSES, SIMPLE, TOUCHES, boundary_verdicts
from omagen.omage.charts.flat_faces import lift_flat_faces
from omagen.omage.charts.improving import unstretched
from omagen.omage.charts.projection import box_projection, halve
from omagen.omage.charts.relaxation import relaxed
from omagen.omage.charts.stretch import anisotropy
from omagen.omage.charts.topology import chart_vertices, connected_faces, opposite_half_edges
from omagen.omage.charts.unfolding import unfold
from omagen.omage.charts.validity import judge, signed_areas
from sample_meshes import cube

FAN = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]], np.int32)
"""Four triangles around vertex 0."""
SQUARE = np.array([[0, 0], [1, -1], [1, 1], [-1, 1], [-1, -1]], np.float64)


def verdict_of(points: list[tuple[float, float]]) -> int:
    loop = np.array(points, np.float64)
    count = len(loop)
    ends = np.stack([loop, np.roll(loop, -1, axis=0)], axis=1)
    vertex = np.stack([np.arange(count), (np.arange(count) + 1) % count], axis=1).astype(np.int32)
    return int(boundary_verdicts(ends, vertex, np.array([0, count]))[0][0])


def test_a_boundary_is_told_to_be_simple_to_touch_or_to_cross_itself() -> None:
    assert verdict_of([(0, 0), (2, 0), (2, 2), (0, 2)]) == SIMPLE
    assert verdict_of([(0, 0), (2, 2), (2, 0), (0, 2)]) == CROSSES
    assert verdict_of([(0, 0), (2, 0), (2, 2), (1, 0), (0, 2)]) == TOUCHES


def test_crossings_far_apart_along_a_long_boundary_are_found() -> None:
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False) + 1e-4
    eight = np.stack([np.sin(angle), np.sin(2 * angle + 1e-3)], 1)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert verdict_of(list(map(tuple, eight))) == CROSSES
    assert verdict_of(list(map(tuple, circle))) == SIMPLE


def test_only_two_faces_of_one_winding_share_an_edge() -> None:
    fins = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]], np.int32)
    assert (opposite_half_edges(fins) == -1).all()
    same_direction = np.array([[0, 1, 2], [0, 1, 3]], np.int32)
    assert (opposite_half_edges(same_direction) == -1).all()
    opposite = opposite_half_edges(cube().faces)
    assert (opposite >= 0).all() and np.array_equal(opposite[opposite], np.arange(36))


def test_corners_join_around_a_vertex_but_not_at_a_bow_tie() -> None:
    bow_tie = np.array([[0, 1, 2], [0, 3, 4]], np.int32)
    inner = opposite_half_edges(bow_tie)
    assert connected_faces(inner)[1] == 2 and chart_vertices(inner)[1] == 6
    assert chart_vertices(opposite_half_edges(FAN))[1] == 5


def judged(points: np.ndarray) -> tuple[bool, bool]:
    inner = opposite_half_edges(FAN)
    verdict = judge(points[FAN], inner, np.zeros(4, np.int32), 1)
    return bool(verdict.flipped[0]), bool(verdict.overlapping[0])


def test_a_chart_is_judged_by_its_flips() -> None:
    assert judged(SQUARE) == (False, False)
    assert judged(np.concatenate([[[3.0, 0]], SQUARE[1:]]))[0]


def test_a_slit_turned_inside_out_is_an_overlap_though_no_boundary_crosses() -> None:
    """Between two points of the plane the left lip of a slit lies to the right of the right one."""
    x, y = np.array([-3.0, 3, 3, -3, 0, 0]), np.array([-3.0, -3, 3, 3, -1, 1])
    left, right = (0.1, 0.0), (-0.1, 0.0)
    points = np.concatenate([np.stack([x, y], 1), [left, right]])
    faces = np.array([[0, 1, 4], [1, 2, 7], [2, 3, 5], [3, 0, 6], [4, 1, 7], [5, 7, 2], [0, 4, 6], [3, 6, 5]], np.int32)
    uv = points[faces]
    assert (signed_areas(uv) > 0).all()
    verdict = judge(uv, opposite_half_edges(faces), np.zeros(len(faces), np.int32), 1)
    assert verdict.overlapping[0]
    swapped = np.where(faces == 6, 7, np.where(faces == 7, 6, faces))
    assert judge(points[swapped], opposite_half_edges(faces), np.zeros(len(faces), np.int32), 1).good[0]


def test_a_flat_face_is_lifted_without_turning_its_neighbours() -> None:
    points = SQUARE.copy()
    points[0] = 1, 0  # on the edge from 1 to 2
    inner = opposite_half_edges(FAN)
    assert judged(points)[0]
    lifted = lift_flat_faces(points[FAN], inner)
    assert (signed_areas(lifted) > 0).all() and np.abs(lifted - points[FAN]).max() < 1e-3


def test_relaxation_turns_triangles_back_and_restores_their_shape() -> None:
    corners = np.pad(SQUARE, ((0, 0), (0, 1)))[FAN]
    tangled = SQUARE.copy()
    tangled[0] = 2.5, 0.3
    result = relaxed(tangled, FAN, corners, 200)
    assert (signed_areas(result[FAN]) > 0).all()
    assert anisotropy(corners, result[FAN]).max() < 1.01


def test_unfolding_keeps_the_shape_of_a_developable_strip() -> None:
    folded = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1]], np.float64)
    strip = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]], np.int32)
    uv, is_known = np.zeros((6, 2)), np.array([True, True, False, False, False, False])
    uv[1] = 1, 0
    unfold(uv, is_known, strip, folded[strip])
    assert is_known.all()
    assert np.allclose(uv, [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]])


def test_a_common_stretch_is_taken_out_of_a_chart() -> None:
    corners = np.pad(SQUARE, ((0, 0), (0, 1)))[FAN]
    stretched = SQUARE[FAN] @ np.array([[40.0, 3], [0, 1]])
    result = unstretched(corners, stretched, np.zeros(4, np.int32), 1)
    assert np.allclose(anisotropy(corners, result), 1, atol=1e-6)
    assert (signed_areas(result) > 0).all()


def test_every_face_with_an_area_is_seen_from_some_axis() -> None:
    corners = np.random.default_rng(0).normal(size=(500, 3, 3))
    side, uv = box_projection(corners)
    assert (signed_areas(uv) > 0).all() and set(side) == set(range(6))


def test_halving_gives_two_halves() -> None:
    corners = np.random.default_rng(0).normal(size=(7, 3, 2))
    chart = np.array([0, 0, 0, 0, 0, 1, 1])
    half = halve(corners, chart, 2)
    assert sorted(np.bincount(chart[half], minlength=2)) == [1, 2]
