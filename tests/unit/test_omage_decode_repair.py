"""Omages without side data: what generated charts need before they are one surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chart_pictures import Picture, box_charts, side_by_side, sphere_charts, torus_charts, volume
from omagen.geometry.quality import quality_report
from omagen.omage.borders import trace_loops
from omagen.omage.closing import Closing, close_seams
from omagen.omage.holes import fill_holes
from omagen.omage.loop_triangulation import span_loop
from omagen.omage.outliers import remove_outliers
from omagen.omage.triangulate import Surface, build_surface
from omagen.shapes import Mesh


def closed(picture: Picture, with_normals: bool = False) -> tuple[Surface, Closing]:
    normal = picture.normal if with_normals else None
    closing = close_seams(picture.labels, picture.position, normal)
    return build_surface(picture.labels, picture.position, closing.seam, normal, closing.winding), closing


def facts(surface: Surface) -> dict[str, Any]:
    return quality_report(Mesh(surface.vertices, surface.faces))


SHAPES = {"box": box_charts(), "sphere": sphere_charts(), "torus": torus_charts()}
UNEVEN = box_charts(sizes=[(18, 18), (18, 14), (20, 18), (12, 18), (18, 25), (16, 16)])


@pytest.mark.parametrize("shape", SHAPES)
def test_borders_that_meet_exactly_are_welded_into_a_closed_shape(shape: str) -> None:
    surface, closing = closed(side_by_side(SHAPES[shape]))
    result = facts(fill_holes(surface, side_by_side(SHAPES[shape]).labels).surface)
    assert result["watertight"] and result["consistent_winding"]
    assert closing.gap_max < 1e-4


@pytest.mark.parametrize("with_normals", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_noisy_borders_are_closed_without_extra_triangles_on_any_edge(shape: str, with_normals: bool) -> None:
    picture = side_by_side(SHAPES[shape]).noisy(0.01)
    surface, _ = closed(picture, with_normals)
    before, after = facts(surface), facts(fill_holes(surface, picture.labels).surface)
    assert before["components"] == 1
    assert after["open_edges"] == 0
    assert after["non_manifold_edges"] == 0
    assert after["consistent_winding"]


def test_borders_of_unlike_resolution_are_closed() -> None:
    picture = side_by_side(UNEVEN).noisy(0.005)
    surface, closing = closed(picture)
    result = facts(fill_holes(surface, picture.labels).surface)
    assert result["watertight"] and result["components"] == 1
    assert 0 < closing.gap_mean < closing.gap_max < 0.15


@pytest.mark.parametrize("mirrored", [(), (2,), (0, 3, 5)])
def test_mirrored_charts_without_normals_are_turned_outwards(mirrored: tuple[int, ...]) -> None:
    picture = side_by_side(box_charts(mirrored=mirrored)).noisy(0.004)
    surface, closing = closed(picture)
    assert (closing.winding == np.where(np.isin(np.arange(6), mirrored), -1, 1)).all()
    assert volume(surface.vertices, surface.faces) == pytest.approx(1.8**3, rel=0.02)


def test_a_shape_that_is_all_mirrored_is_turned_outwards() -> None:
    picture = side_by_side(box_charts(mirrored=range(6))).noisy(0.004)
    surface, _ = closed(picture)
    assert volume(surface.vertices, surface.faces) > 5


def test_borders_further_apart_than_a_few_pixels_stay_open() -> None:
    charts = [(position + 0.5 * normal, normal) for position, normal in box_charts()]
    surface, closing = closed(side_by_side(charts))
    assert closing.pairs == 0
    assert facts(surface)["components"] == 6


def test_both_sides_of_a_narrow_strip_are_not_welded_together() -> None:
    rows, columns = np.mgrid[:3, :20] * 0.05
    strip = np.stack([columns, rows, np.zeros_like(rows)], -1), np.broadcast_to([0.0, 0, 1], (3, 20, 3))
    surface, closing = closed(side_by_side([strip]))
    assert closing.pairs == 0
    assert len(surface.faces) == 2 * 2 * 19


def test_a_chart_rolled_up_is_closed_along_itself() -> None:
    angle, height = np.meshgrid(np.linspace(0, 2 * np.pi, 40), np.linspace(-0.5, 0.5, 16))
    normal = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], -1)
    tube = 0.5 * normal + np.stack([np.zeros_like(height), np.zeros_like(height), height], -1), normal
    picture = side_by_side([tube]).noisy(0.002)
    surface, closing = closed(picture)
    assert closing.pairs >= 12
    assert facts(surface)["open_edges"] < 2 * 39 + 2 * 15 - 20


def test_a_hole_inside_a_chart_is_filled_with_the_charts_own_texture() -> None:
    picture = side_by_side(sphere_charts())
    picture.labels[6:8, 6:8] = -1
    surface, _ = closed(picture)
    filling = fill_holes(surface, picture.labels)
    assert filling.holes == 1 and filling.open_edges == 8
    assert facts(filling.surface)["watertight"]
    new = filling.surface.pixels[-filling.triangles :]
    rows, columns = np.divmod(new, len(picture.labels))
    assert np.ptp(rows) <= 3 and np.ptp(columns) <= 3
    x, y = np.diff(columns, axis=1), np.diff(rows, axis=1)
    assert (x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0] > 0).all()  # no texture turned over


def test_wide_openings_and_loose_pieces_are_left_alone() -> None:
    open_box = side_by_side(box_charts()[:5])
    surface, _ = closed(open_box)
    assert fill_holes(surface, open_box.labels).holes == 0

    sheet = np.stack([*np.meshgrid(np.arange(3) * 0.1, np.arange(3) * 0.1), np.zeros((3, 3))], -1)
    piece = side_by_side([(sheet, np.broadcast_to([0.0, 0, 1], (3, 3, 3)))])
    assert fill_holes(build_surface(piece.labels, piece.position), piece.labels).holes == 0


def test_a_strayed_pixel_inside_a_chart_is_put_back() -> None:
    picture = side_by_side(sphere_charts())
    expected = picture.position[8, 8].copy()
    picture.position[8, 8] += 0.7
    cleaned = remove_outliers(picture.labels, picture.position)
    assert (cleaned.moved, cleaned.removed, cleaned.specks) == (1, 0, 0)
    assert np.abs(cleaned.position[8, 8] - expected).max() < 0.03


def test_strayed_pixels_at_the_corner_of_a_chart_are_removed() -> None:
    picture = side_by_side(sphere_charts())
    picture.position[1, 1] += 0.7
    cleaned = remove_outliers(picture.labels, picture.position)
    assert cleaned.removed == 1 and cleaned.labels[1, 1] == -1


@pytest.mark.parametrize("shape", SHAPES)
def test_sound_charts_are_not_touched(shape: str) -> None:
    picture = side_by_side(SHAPES[shape])
    cleaned = remove_outliers(picture.labels, picture.position)
    np.testing.assert_array_equal(cleaned.labels, picture.labels)
    np.testing.assert_array_equal(cleaned.position, picture.position)


def test_charts_that_touch_in_the_picture_are_told_apart_by_their_positions() -> None:
    picture = side_by_side(box_charts(12), gutter=0)
    together = np.where(picture.labels >= 0, np.int32(0), np.int32(-1))
    front, back = slice(0, 12), slice(12, 24)
    picture.position[:, back] = picture.position[:, front] + 3
    cleaned = remove_outliers(together[:12, :24], picture.position[:12, :24])
    assert len(np.unique(cleaned.labels[:, front])) == 1
    assert not set(np.unique(cleaned.labels[:, front])) & set(np.unique(cleaned.labels[:, back]))


def test_specks_are_removed() -> None:
    picture = side_by_side(sphere_charts())
    picture.labels[-1, -2:] = 99
    cleaned = remove_outliers(picture.labels, picture.position)
    assert cleaned.specks == 1
    assert (cleaned.labels[-1] == -1).all()


def test_loops_end_where_a_walk_meets_itself() -> None:
    eight = np.array([[0, 1], [1, 2], [2, 0], [0, 3], [3, 4], [4, 0]], np.int32)
    loops = trace_loops(eight)
    assert sorted(np.diff(loops.start).tolist()) == [3, 3]
    assert len(trace_loops(np.zeros((0, 2), np.int32)).pixel) == 0


def test_a_bent_loop_is_spanned_with_the_least_area() -> None:
    points = np.array([[0, 0, 0], [1, 0, 1], [1, 1, 0], [0, 1, 1]], np.float64)
    flat = points * [1, 1, 0.01]
    allowed = np.zeros((4, 4), bool)
    assert span_loop(flat, allowed)[1] == pytest.approx(1, rel=0.01)
    blocked = allowed.copy()
    blocked[0, 2] = True
    triangles, _ = span_loop(points, blocked)
    assert not any({0, 2} <= set(t) and {1, 3} & set(t) == {1} for t in triangles.tolist())
    blocked[1, 3] = True
    assert len(span_loop(points, blocked)[0]) == 0
