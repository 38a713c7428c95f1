"""The rasteriser: every pixel once, whatever the triangles; values as the corners say; hostile coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage.raster import count_overlap, dilate, raster_faces, raster_planes
from scipy.spatial import Delaunay

SIZE = 32


def triangulation(points: np.ndarray) -> np.ndarray:
    """(F, 3, 2): the Delaunay triangles of `points` (N, 2), half of them wound the other way."""
    faces = Delaunay(points).simplices
    faces[::2] = faces[::2, ::-1]
    return points[faces]


def framed(points: np.ndarray) -> np.ndarray:
    """`points` with four corners around the whole picture, so that their triangulation covers it."""
    far = np.array([[-3, -3], [SIZE + 3, -3], [SIZE + 3, SIZE + 3], [-3, SIZE + 3]], float)
    return np.concatenate([points, far])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 300), grid=st.sampled_from([0, 1, 2, 4]))
def test_faces_side_by_side_cover_every_pixel_once(seed: int, count: int, grid: int) -> None:
    points = np.random.default_rng(seed).uniform(-2, SIZE + 2, (count, 2))
    if grid:  # vertices and edges on sample points and along rows: where ties are decided
        points = np.round(points * grid) / grid
    uv = triangulation(framed(np.unique(points, axis=0)))
    assert (count_overlap(uv, SIZE, SIZE) == 1).all()
    assert (raster_faces(uv, SIZE, SIZE)[0] >= 0).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), turn=st.floats(0, 6.3))
def test_turned_squares_meet_without_gap_or_overlap(seed: int, turn: float) -> None:
    step = np.random.default_rng(seed).uniform(0.3, 5)
    side = np.arange(-30, 31) * step
    grid = np.stack(np.meshgrid(side, side), -1) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    grid += SIZE / 2
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    uv = np.concatenate([np.stack(t, 2).reshape(-1, 3, 2) for t in ((a, b, c), (a, c, d))])
    inside = np.abs(np.arange(SIZE) + 0.5 - SIZE / 2) < 30 * step / 2**0.5 - 1
    assert (count_overlap(uv, SIZE, SIZE)[np.ix_(inside, inside)] == 1).all()


def test_weights_lead_back_to_the_sample_point() -> None:
    rng = np.random.default_rng(0)
    uv = triangulation(framed(rng.uniform(0, SIZE, (100, 2))))
    face, bary = raster_faces(uv, SIZE, SIZE)
    assert bary.min() >= 0 and bary.sum(-1).max() <= 1 + 1e-7
    a, b, c = (uv[face, k] for k in range(3))
    points = a + bary[..., :1] * (b - a) + bary[..., 1:] * (c - a)
    j, i = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    assert np.abs(points - np.stack([j + 0.5, i + 0.5], -1)).max() < 1e-5


@pytest.mark.parametrize("channels", [1, 3, 10, 15])
@pytest.mark.parametrize("size", [SIZE, 300], ids=["many faces", "large picture, drawn in bands"])
def test_planes_agree_with_faces_and_weights(channels: int, size: int) -> None:
    rng = np.random.default_rng(channels)
    uv = triangulation(rng.uniform(-0.1 * size, 1.1 * size, (60, 2)))
    values = rng.uniform(-1, 1, (len(uv), 3, channels)).astype(np.float32)
    planes, covered = raster_planes(uv, values, size, size - 7)
    face, bary = raster_faces(uv, size, size - 7)
    assert np.array_equal(covered, face >= 0) and not planes[~covered].any()
    weights = np.concatenate([1 - bary.sum(-1, keepdims=True), bary], -1)[covered]
    assert np.allclose(planes[covered], np.einsum("nk,nkc->nc", weights, values[face[covered]]), atol=1e-5)


def test_values_may_be_shared_by_corners() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, SIZE, (30, 2))
    corner = Delaunay(points).simplices.astype(np.int32)
    values = rng.random((30, 4), np.float32)
    shared, _ = raster_planes(points[corner], values, SIZE, SIZE, corner=corner)
    assert np.array_equal(shared, raster_planes(points[corner], values[corner], SIZE, SIZE)[0])


def test_bytes_are_rounded_not_cut_off() -> None:
    uv = np.array([[[0, 0], [SIZE, 0], [0, SIZE]]], float)
    values = np.array([[[0.0, 1.0]] * 3], np.float32) * np.float32(0.999)
    out = np.full((SIZE, SIZE, 2), 7, np.uint8)
    planes, covered = raster_planes(uv, values, SIZE, SIZE, out=out)
    assert planes is out
    assert (out[covered] == [0, 255]).all() and not out[~covered].any()


def test_a_sample_point_elsewhere_in_the_pixel_moves_the_picture() -> None:
    uv = triangulation(np.random.default_rng(2).uniform(0, SIZE, (40, 2)))
    moved = raster_faces(uv + np.array([0.25, -0.125]), SIZE, SIZE, (0.75, 0.375))
    for ours, theirs in zip(moved, raster_faces(uv, SIZE, SIZE), strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "corners",
    [
        [[np.nan, 1], [9, 1], [1, 9]],
        [[np.inf, 1], [9, 1], [1, 9]],
        [[-np.inf, 1], [np.inf, 1], [1, 9]],
        [[1e300, -1e300], [-1e300, 1e300], [1e300, 1e300]],
        [[1, 1], [9, 9], [5, 5]],
        [[5.5, 5.5]] * 3,
        [[3.5, 2], [3.5, 20], [3.5, 9]],
        [[2, 3.5], [20, 3.5], [9, 3.5]],
        [[-9, -9], [-1, -9], [-9, -1]],
        [[40, 40], [50, 40], [40, 50]],
        [[1, 40], [9, 40], [1, 50]],
    ],
)
def test_faces_without_area_or_place_cover_nothing(corners: list[list[float]]) -> None:
    uv = np.array([corners], float)
    assert not count_overlap(uv, SIZE, SIZE).any() and (raster_faces(uv, SIZE, SIZE)[0] == -1).all()
    for size in (3, 300):
        planes, covered = raster_planes(uv, np.ones((1, 3, 4), np.float32), size, 2 * size)
        inside = (slice(0, SIZE), slice(0, SIZE))
        assert not planes[inside].any() and not covered[inside].any()


def test_a_face_far_larger_than_the_picture_covers_it_evenly() -> None:
    uv = np.array([[[-1e8, -1e8], [1e8, -1e8], [0, 1e8]]])
    planes, covered = raster_planes(uv, np.ones((1, 3, 2), np.float32), SIZE, SIZE)
    assert covered.all() and np.allclose(planes, 1, atol=1e-6)


def test_the_last_of_overlapping_faces_wins_and_all_are_counted() -> None:
    uv = np.repeat(np.array([[[0, 0], [2 * SIZE, 0], [0, 2 * SIZE]]], float), 300, axis=0)
    assert (raster_faces(uv, SIZE, SIZE)[0] == 299).all() and (count_overlap(uv, SIZE, SIZE) == 300).all()


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (1, 1)])
def test_the_smallest_pictures_are_drawn(size: tuple[int, int]) -> None:
    uv = np.array([[[-9, -9], [30, -9], [-9, 30]]], float)
    assert (raster_faces(uv, *size)[0] == 0).all() and (raster_faces(np.zeros((0, 3, 2)), *size)[0] == -1).all()


def extended(planes: np.ndarray, filled: np.ndarray, steps: int) -> np.ndarray:
    """Blender's rule, written pixel by pixel."""
    planes = planes.copy()
    height, width = filled.shape
    for _ in range(steps):
        before, known = planes.copy(), filled.copy()
        for i in range(height):
            for j in range(width):
                around = [(i + a, j + b, 2 - abs(a * b)) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
                around = [(y, x, w) for y, x, w in around if 0 <= y < height and 0 <= x < width and known[y, x]]
                if not known[i, j] and any(w == 2 for _, _, w in around):
                    planes[i, j] = sum(w * before[y, x] for y, x, w in around) / sum(w for _, _, w in around)
                    filled[i, j] = True
    return planes


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_dilation_follows_the_published_rule(steps: int) -> None:
    rng = np.random.default_rng(steps)
    planes, occupancy = rng.random((13, 17, 3), np.float32), rng.random((13, 17)) < 0.08
    assert np.allclose(dilate(planes, occupancy, steps), extended(planes, occupancy.copy(), steps), atol=1e-6)


def test_dilation_without_limit_reaches_every_pixel_and_keeps_what_is_occupied() -> None:
    plane = np.full((40, 50), np.nan, np.float32)
    occupancy = np.zeros(plane.shape, bool)
    occupancy[3, 4], occupancy[30, 44] = True, True
    plane[3, 4], plane[30, 44] = 0, 1
    grown = dilate(plane, occupancy)
    assert grown[3, 4] == 0 and grown[30, 44] == 1 and (grown >= 0).all() and (grown <= 1).all()


def test_dilation_of_an_empty_picture_changes_nothing() -> None:
    plane = np.random.default_rng(0).random((5, 5), np.float32)
    assert np.array_equal(dilate(plane, np.zeros((5, 5), bool)), plane)
