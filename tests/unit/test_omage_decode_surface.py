"""From labelled pixels to triangles: what connects, which way round, welded how."""

from __future__ import annotations

import numpy as np
import pytest
from chart_pictures import box_charts, side_by_side, volume
from omagen.geometry.quality import quality_report
from omagen.omage.triangulate import Surface, build_surface
from omagen.shapes import Mesh

UP = np.array([0, 0, 1], np.float32)


def plane(height: int, width: int) -> np.ndarray:
    """(H, W, 3) positions of a flat sheet, one pixel 0.01."""
    rows, columns = np.mgrid[:height, :width] * 0.01
    return np.stack([columns, rows, np.zeros_like(rows)], -1).astype(np.float32)


def labels_of(*rows: str) -> np.ndarray:
    """The last row of the text is row 0; a dot is no chart."""
    return np.array([[-1 if mark == "." else int(mark) for mark in row] for row in rows[::-1]], np.int32)


def report(surface: Surface) -> dict[str, object]:
    return quality_report(Mesh(surface.vertices, surface.faces))


@pytest.mark.parametrize(("rows", "triangles"), [(("00", "00"), 2), (("0.", "00"), 1), (("0.", ".0"), 0), (("00",), 0)])
def test_four_pixels_give_two_triangles_and_three_give_one(rows: tuple[str, ...], triangles: int) -> None:
    labels = labels_of(*rows)
    assert len(build_surface(labels, plane(*labels.shape)).faces) == triangles


def test_every_block_of_three_keeps_its_own_corners() -> None:
    for missing in range(4):
        labels = np.zeros((2, 2), np.int32)
        labels[missing // 2, missing % 2] = -1
        surface = build_surface(labels, plane(2, 2))
        assert set(surface.pixels[0].tolist()) == {0, 1, 2, 3} - {missing}
        a, b, c = surface.vertices[surface.faces[0]]
        assert np.cross(b - a, c - a)[2] > 0


def test_charts_that_touch_are_not_connected() -> None:
    labels = labels_of("0011", "0011")
    surface = build_surface(labels, plane(2, 4))
    assert len(surface.faces) == 4
    assert report(surface)["components"] == 2


def test_nothing_runs_across_the_pictures_border() -> None:
    labels = np.zeros((6, 6), np.int32)
    surface = build_surface(labels, plane(6, 6))
    assert len(surface.faces) == 2 * 25
    rows, columns = np.divmod(surface.pixels, 6)
    assert np.ptp(rows, axis=1).max() == 1 and np.ptp(columns, axis=1).max() == 1


def test_pixels_without_a_triangle_and_lost_charts_are_counted() -> None:
    surface = build_surface(labels_of("00..2", "001.1", "3...."), plane(3, 5))
    assert (surface.dropped_pixels, surface.lost_labels) == (4, 3)
    assert len(surface.vertices) == 4


def test_labels_and_seams_may_be_any_numbers() -> None:
    labels = labels_of("00.1", "00.1").astype(np.int32)
    labels[labels == 0], labels[labels == 1] = 2_000_000_000, 7
    seam = np.where(labels >= 0, np.int32(2_147_483_647) - np.arange(8, dtype=np.int32).reshape(2, 4), -1)
    surface = build_surface(labels, plane(2, 4), seam)
    assert (len(surface.faces), surface.lost_labels) == (2, 1)


def test_a_closed_box_is_closed_wherever_its_sides_are_mirrored() -> None:
    picture = side_by_side(box_charts(9, mirrored=(1, 2, 5)))
    surface = build_surface(picture.labels, picture.position, None, picture.normal)
    facts = report(surface)
    assert facts["watertight"] and facts["consistent_winding"]
    assert volume(surface.vertices, surface.faces) == pytest.approx(1.8**3, rel=1e-6)


def test_without_normals_triangles_go_counter_clockwise_in_the_picture() -> None:
    surface = build_surface(np.zeros((4, 4), np.int32), plane(4, 4))
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_normals_that_say_nothing_leave_the_winding_alone() -> None:
    sideways = np.broadcast_to(np.array([1, 0, 0], np.float32), (4, 4, 3))
    surface = build_surface(np.zeros((4, 4), np.int32), plane(4, 4), None, sideways)
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_a_given_winding_overrules_the_normals() -> None:
    normal = np.broadcast_to(UP, (4, 4, 3))
    surface = build_surface(np.zeros((4, 4), np.int32), plane(4, 4), None, normal, np.array([-1], np.int8))
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] < 0).all()


@pytest.mark.parametrize("with_normals", [True, False])
@pytest.mark.parametrize("falling", [True, False])
def test_a_crease_along_a_diagonal_becomes_an_edge(falling: bool, with_normals: bool) -> None:
    rows, columns = np.mgrid[:8, :8]
    across = (columns + rows - 7) if falling else (columns - rows)
    height = -0.5 * np.abs(across)
    position = (np.stack([columns, rows, height], -1) * 0.1).astype(np.float32)
    slope = 0.5 * np.sign(across)
    normal = np.stack([slope, slope if falling else -slope, np.ones_like(slope)], -1)
    normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)
    surface = build_surface(np.zeros((8, 8), np.int32), position, None, normal if with_normals else None)
    facets = across.reshape(-1)[surface.pixels[(surface.pixels % 8 > 0).all(axis=1)]]
    crossing = (facets.min(axis=1) < 0) & (facets.max(axis=1) > 0)
    assert not crossing.any()


def test_a_folded_block_is_cut_where_no_triangle_turns_over() -> None:
    position = plane(2, 2)
    position[1, 1] = (0.002, 0.002, 0)  # the upper right corner is pushed in: only the diagonal to it is sound
    normal = np.broadcast_to(UP, (2, 2, 3))
    surface = build_surface(np.zeros((2, 2), np.int32), position, None, normal)
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_welded_pixels_meet_at_their_middle() -> None:
    labels = labels_of("00.11", "00.11")
    seam = np.full(labels.shape, -1, np.int32)
    seam[:, 1] = seam[:, 3] = [4, 9]
    position = plane(2, 5)
    surface = build_surface(labels, position, seam)
    assert len(surface.vertices) == 6
    assert surface.vertex[0, 1] == surface.vertex[0, 3]
    assert surface.vertices[surface.vertex[0, 1]] == pytest.approx((position[0, 1] + position[0, 3]) / 2)


def test_a_triangle_that_loses_a_corner_is_dropped() -> None:
    seam = np.full((2, 2), -1, np.int32)
    seam[0, 0] = seam[0, 1] = 0
    surface = build_surface(np.zeros((2, 2), np.int32), plane(2, 2), seam)
    assert (len(surface.faces), surface.collapsed) == (1, 1)


def test_edges_that_welding_lays_on_each_other_are_split() -> None:
    """Two strips of two by three pixels with all borders welded to each other: a pillow whose rungs coincide."""
    labels = labels_of("000.111", "000.111")
    seam = np.full(labels.shape, -1, np.int32)
    seam[:, :3] = np.arange(6).reshape(2, 3)
    seam[:, 4:] = np.arange(6).reshape(2, 3)[:, ::-1]
    position = plane(2, 7)
    position[:, 4:] = position[:, 2::-1]
    surface = build_surface(labels, position, seam)
    facts = report(surface)
    assert facts["watertight"] and facts["consistent_winding"] and facts["non_manifold_edges"] == 0
    assert surface.splits >= 1
    assert (surface.pixels.max() >= labels.size) and len(surface.inserted) >= 1


def test_a_triangle_welded_onto_another_is_split_into_three() -> None:
    labels = labels_of("0...1.", "00..11")
    position = plane(2, 6)
    position[:, 4:] = position[:, :2]
    normal = np.zeros((2, 6, 3), np.float32)
    normal[:, :3, 2], normal[:, 3:, 2] = 1, -1
    surface = build_surface(labels, position, None, normal)
    assert report(surface)["watertight"] and len(surface.faces) == 4


def test_three_borders_on_one_edge_stay_as_they_are() -> None:
    labels = labels_of("00.11.22", "00.11.22")
    seam = np.full(labels.shape, -1, np.int32)
    seam[:, 1] = seam[:, 3] = seam[:, 6] = [0, 1]
    surface = build_surface(labels, plane(2, 8), seam)
    assert report(surface)["non_manifold_edges"] == 1
    assert surface.splits == 0


def test_faces_know_their_labels_even_when_split() -> None:
    labels = labels_of("0...1.", "00..11")
    position = plane(2, 6)
    position[:, 4:] = position[:, :2]
    surface = build_surface(labels, position)
    assert np.bincount(surface.face_labels(labels)).tolist() == [1, 3]
