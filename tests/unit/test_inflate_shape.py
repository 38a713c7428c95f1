"""The pieces of the shape: outline, sizing, planar triangulation, height, point location, projection."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.engines.inflate.evening import even_out, refine
from omagen.engines.inflate.height import Height
from omagen.engines.inflate.locator import Locator
from omagen.engines.inflate.outline import PADDING, area, contour, level_set
from omagen.engines.inflate.planar import Planar, counter_clockwise, triangulate
from omagen.engines.inflate.projection import project
from omagen.engines.inflate.sizing import Sizing, Thickness
from omagen.engines.inflate.surface import Surface
from omagen.protocol import OmagenError


def silhouette(alpha: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    level, _ = level_set(np.pad(alpha.astype(np.float32), PADDING))
    return level, contour(level)


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)


def planar_of(alpha: np.ndarray, length: float) -> tuple[Planar, Sizing]:
    level, loops = silhouette(alpha)
    thickness = Thickness(level, 0.6, 6)
    sizing = thickness.sizing(length, 1.0)
    return triangulate(loops, thickness.depth, sizing, 1.15), sizing


def test_outer_loops_run_counter_clockwise_and_holes_clockwise() -> None:
    _, loops = silhouette(np.minimum(disc(120, 50), 1 - disc(120, 20)))
    assert sorted(np.sign([area(loop) for loop in loops])) == [-1, 1]


@pytest.mark.parametrize("hard", [False, True])
def test_the_outline_of_a_disc_is_a_circle_without_steps(hard: bool) -> None:
    alpha = disc(240, 100)
    _, (loop,) = silhouette(np.round(alpha) if hard else alpha)
    radius = np.linalg.norm(loop - loop.mean(0), axis=1)
    assert np.abs(radius - 100).max() < (0.5 if hard else 0.2)
    along = np.diff(np.concatenate([loop, loop[:2]]), axis=0)
    turn = np.abs(np.diff(np.unwrap(np.arctan2(along[:, 1], along[:, 0]))))
    assert np.percentile(turn, 95) < np.radians(20), "steps would turn by 45 degrees and back"


def test_nothing_to_see_is_an_error_with_a_remedy() -> None:
    with pytest.raises(OmagenError) as caught:
        level_set(np.zeros((40, 40), np.float32))
    assert caught.value.remedy


def test_edges_are_short_at_thin_parts_and_long_on_broad_ones() -> None:
    alpha = disc(200, 60)
    alpha[98:102, :] = 1
    level, _ = silhouette(alpha)
    sizing = Thickness(level, 0.6, 6).sizing(10.0, 1.0)
    assert sizing.at(np.array([[100.0 + PADDING, 80.0 + PADDING]])) == pytest.approx(10.0)
    assert sizing.at(np.array([[10.0 + PADDING, 100.0 + PADDING]])) < 3.0


def test_the_triangulation_tiles_the_silhouette() -> None:
    alpha = np.minimum(disc(160, 70), 1 - disc(160, 25))
    planar, _ = planar_of(alpha, 6.0)
    assert Locator(planar).areas.min() > 0
    assert Locator(planar).areas.sum() == pytest.approx(alpha.sum(), rel=0.01)


def test_a_strip_becomes_half_a_cylinder() -> None:
    alpha = np.zeros((60, 300))
    alpha[10:50] = 1
    planar, _ = planar_of(alpha, 4.0)
    height = Height(planar, 1e4)
    y = np.linspace(-19.5, 19.5, 40)
    u, _, _ = height.potential(np.stack([np.full(40, 150.0 + PADDING), -(29.5 + PADDING) + y], 1))
    np.testing.assert_allclose(np.sqrt(u), np.sqrt(20.0**2 - y**2), rtol=0.03, atol=0.1)


def test_broad_areas_level_off_at_the_limit() -> None:
    planar, _ = planar_of(np.ones((300, 300)), 8.0)
    u, slope, _ = Height(planar, 15.0).potential(np.array([[150.0 + PADDING, -150.0 - PADDING]]))
    assert np.sqrt(u[0]) == pytest.approx(15.0, rel=0.01)
    assert np.linalg.norm(slope) < 0.1


def test_the_gradient_is_that_of_the_potential() -> None:
    planar, _ = planar_of(disc(120, 50), 5.0)
    height = Height(planar, 40.0)
    at = np.array([[60.0, -60.0], [80.0, -50.0], [40.3, -75.1]])
    _, slope, _ = height.potential(at)
    for axis in (0, 1):
        step = np.eye(2)[axis] * 1e-4
        difference = (height.potential(at + step)[0] - height.potential(at - step)[0]) / 2e-4
        np.testing.assert_allclose(slope[:, axis], difference, rtol=1e-3, atol=1e-3)


def test_points_are_located_in_the_triangle_that_contains_them() -> None:
    planar, _ = planar_of(np.minimum(disc(160, 70), 1 - disc(160, 25)), 6.0)
    corners = planar.points[planar.faces] * [1.0, -1.0]
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], len(corners))
    face, bary = Locator(planar).locate(np.einsum("nk,nkd->nd", weights, corners))
    assert np.array_equal(face, np.arange(len(corners)))
    np.testing.assert_allclose(bary, weights, atol=1e-6)


def test_the_projection_is_straight_except_near_the_outline_and_never_stretches_much() -> None:
    planar, sizing = planar_of(disc(200, 90), 3.0)
    surface = Surface(planar, Height(planar, 1e4), sizing, 1.0)
    surface.split_chords()
    refine(surface, 4000, lambda _: None)
    even_out(surface, 4000, lambda _: None)
    moved = np.linalg.norm(project(surface) - surface.xy, axis=1)
    assert moved[surface.normals[:, 2] > 0.95].max() < 1e-9
    assert moved.max() < 0.06 * 90
    edges = surface.edges()
    seen = project(surface)
    true = np.linalg.norm(surface.points[edges.a] - surface.points[edges.b], axis=1)
    shown = np.linalg.norm(seen[edges.a] - seen[edges.b], axis=1)
    assert np.percentile(true / shown, 99) < 4.5


def test_triangles_of_points_in_a_line_go_by_their_neighbours() -> None:
    """As Delaunay triangulations leave them along straight outlines; the sign of their area is rounding."""
    points = np.array([[0.0, 0], [1, 0], [2, 1e-17], [3, 0], [1.5, 2], [1.5, -2]])
    simplices = np.array([[0, 3, 4], [0, 2, 3], [0, 2, 1], [0, 1, 5], [1, 2, 5], [2, 3, 5]])
    neighbors = np.full((6, 3), -1)
    for f, g in ((0, 1), (1, 2), (2, 3), (2, 4), (1, 5), (3, 4), (4, 5)):
        for one, other in ((f, g), (g, f)):
            corner = np.flatnonzero(~np.isin(simplices[one], simplices[other]))
            neighbors[one, corner] = other
    turned, beside = counter_clockwise(points, simplices, neighbors)
    half = np.stack([turned, np.roll(turned, -1, axis=1)], axis=-1).reshape(-1, 2)
    assert len(np.unique(half, axis=0)) == len(half), "two triangles run along an edge in the same direction"
    assert turned[0].tolist() in ([0, 3, 4], [3, 4, 0], [4, 0, 3])
    for face, row in enumerate(beside):
        for corner, other in enumerate(row):
            if other >= 0:
                assert set(np.delete(turned[face], corner)) <= set(turned[other])
