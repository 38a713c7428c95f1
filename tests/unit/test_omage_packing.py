"""Packing: whatever the charts, they come out apart, inside, complete, and the same every time."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage.packing import ChartMasks, Packing, TooManyCharts, pack
from omagen.protocol import OmagenError
from skimage.draw import polygon

OUTLINE = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=7)
"""A polygon in the unit square; it may cross itself, shrink to a line, and fall apart when drawn."""


def drawn(outlines: list[np.ndarray], least: int = 1):
    """`masks_at` for polygons (K, 2) of (row, column) in units: at least `least` pixels high and wide, never empty."""

    def masks_at(scale: float) -> ChartMasks:
        bitmaps = []
        for outline in outlines:
            points = (outline - outline.min(0)) * scale
            size = np.maximum(np.ceil(points.max(0)).astype(int), least)
            bitmap = np.zeros(size, np.uint8)
            bitmap[polygon(points[:, 0], points[:, 1], size)] = 1
            bitmap[:least, :least] = 1
            bitmaps.append(bitmap)
        start = np.cumsum([0, *(bitmap.size for bitmap in bitmaps)]).astype(np.int64)
        height, width = np.array([bitmap.shape for bitmap in bitmaps], np.int32).reshape(-1, 2).T
        bits = np.concatenate([bitmap.reshape(-1) for bitmap in bitmaps])
        return ChartMasks(bits, start, np.ascontiguousarray(height), np.ascontiguousarray(width))

    return masks_at


def squares(count: int, side: float = 1.0) -> list[np.ndarray]:
    return [np.array([[0, 0], [side, 0], [side, side], [0, side]])] * count


def picture(packing: Packing, resolution: int) -> np.ndarray:
    """(R, R) int32: the chart of each pixel, -1 where there is none. Fails where two overlap or one lies outside."""
    labels = np.full((resolution, resolution), -1, np.int32)
    masks = packing.masks
    for chart, (height, width) in enumerate(zip(masks.height, masks.width, strict=True)):
        bitmap = masks.bits[masks.start[chart] : masks.start[chart + 1]].reshape(height, width) != 0
        for _ in range(packing.turns[chart]):
            bitmap = bitmap.T[:, ::-1]  # (i, j) -> (j, height - 1 - i)
        rows, columns = np.nonzero(bitmap)
        rows, columns = rows + packing.row[chart], columns + packing.column[chart]
        assert rows.min() >= 0 and columns.min() >= 0 and rows.max() < resolution and columns.max() < resolution
        assert (labels[rows, columns] == -1).all(), "two charts overlap"
        labels[rows, columns] = chart
    return labels


def assert_apart(labels: np.ndarray, gutter: int) -> None:
    """No two charts within `gutter` pixels of each other in any direction, nor across the borders of the picture."""
    assert (labels[:gutter] == -1).all() and (labels[:, :gutter] == -1).all()
    for i, j in itertools.product(range(gutter + 1), range(-gutter, gutter + 1)):
        other = np.roll(labels, (i, j), (0, 1))
        assert not ((labels >= 0) & (other >= 0) & (labels != other)).any()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(OUTLINE, st.floats(0.05, 3), st.floats(0.05, 3)), min_size=1, max_size=12),
    st.integers(32, 100),
    st.integers(0, 3),
    st.floats(0.1, 100),
)
def test_charts_keep_their_distance_and_stay_inside(shapes, resolution, gutter, start_scale):
    masks_at = drawn([np.array(outline) * (high, wide) for outline, high, wide in shapes])
    packing = pack(masks_at, resolution, gutter, start_scale, effort=0.01)
    labels = picture(packing, resolution)
    assert_apart(labels, gutter)
    assert set(labels[labels >= 0]) == set(range(len(shapes)))
    again = masks_at(packing.scale)
    assert np.array_equal(again.bits, packing.masks.bits) and np.array_equal(again.start, packing.masks.start)


def random_outlines(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    circle = np.stack([np.sin(angles), np.cos(angles)], 1)
    return [circle * random.uniform(0.3, 1, (8, 1)) * random.lognormal(0, 0.7) for _ in range(count)]


@pytest.mark.parametrize("resolution", [63, 64, 65, 200, 512, 1030])
def test_any_resolution_is_packed_well(resolution):
    packing = pack(drawn(random_outlines(40)), resolution, 2, 1.0, effort=0.2)
    labels = picture(packing, resolution)
    assert_apart(labels, 2)
    grown = [np.roll(labels >= 0, (-i, -j), (0, 1)) for i in range(3) for j in range(3)]
    assert np.any(grown, axis=0).mean() > 0.68


def test_the_same_charts_are_packed_the_same_way():
    first, second = (pack(drawn(random_outlines(60)), 256, 2, 10.0, effort=0.2) for _ in range(2))
    assert first.scale == second.scale
    for name in ("turns", "row", "column"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert (first.turns.dtype, first.row.dtype, first.column.dtype) == (np.uint8, np.int32, np.int32)


@pytest.mark.parametrize("start_scale", [1e-3, 1.0, 300.0])
def test_the_scale_found_does_not_hang_on_where_the_search_begins(start_scale):
    """Nine squares of one unit fill a picture of 96 pixels three by three, each with its gutter of two pixels."""
    assert pack(drawn(squares(9)), 96, 2, start_scale).scale == pytest.approx(30, rel=0.02)


def test_small_charts_lie_in_the_holes_of_large_ones():
    def masks_at(scale: float) -> ChartMasks:
        side, dot = max(round(scale), 1), max(round(scale / 4), 1)
        frame = np.ones((side, side), np.uint8)
        frame[side // 8 : -side // 8, side // 8 : -side // 8] = 0
        bits = np.concatenate([frame.reshape(-1), np.tile(np.ones(dot * dot, np.uint8), 4)])
        start = np.cumsum([0, side * side, *[dot * dot] * 4]).astype(np.int64)
        height = np.array([side, dot, dot, dot, dot], np.int32)
        return ChartMasks(bits, start, height, height)

    packing = pack(masks_at, 128, 2, 30.0)
    assert packing.scale > 120
    assert_apart(picture(packing, 128), 2)


def test_a_long_chart_takes_the_whole_width_and_no_more():
    packing = pack(drawn([np.array([[0, 0], [0.02, 0], [0.02, 50], [0, 50]])]), 256, 2, 1.0)
    assert 0.98 * 254 <= max(packing.masks.height.max(), packing.masks.width.max()) <= 254


def test_charts_that_shrink_no_further_are_packed_when_they_just_fit():
    packing = pack(drawn(squares(100, 1.0), least=3), 64, 2, 50.0)
    assert_apart(picture(packing, 64), 2)


def test_too_many_charts_are_refused_with_numbers():
    tries = []
    masks_at = drawn(squares(300), least=3)

    def counted(scale: float) -> ChartMasks:
        tries.append(scale)
        return masks_at(scale)

    with pytest.raises(TooManyCharts) as caught:
        pack(counted, 64, 2, 5.0)
    error = caught.value
    assert (error.charts, error.available) == (300, 4096)
    assert error.needed >= 300 * 25
    assert len(tries) <= 6
    assert isinstance(error, OmagenError) and error.remedy
    assert pickle.loads(pickle.dumps(error)).needed == error.needed


def test_a_cancelled_search_ends_at_once():
    calls = []

    def progress(stage: str, fraction: float) -> None:
        calls.append(fraction)
        if len(calls) == 3:
            raise OmagenError("cancelled", "Cancelled.")

    with pytest.raises(OmagenError, match="Cancelled"):
        pack(drawn(random_outlines(20)), 64, 2, 5.0, progress)
    assert len(calls) == 3 and all(0 <= fraction <= 1 for fraction in calls)


def test_thousands_of_charts_of_all_sizes_are_packed():
    random = np.random.default_rng(0)
    outlines = [np.array([[0, 0], [h, 0], [h, w], [0, w]]) for h, w in random.lognormal(0, 1, (1500, 2))]
    packing = pack(drawn(outlines), 512, 1, 5.0)
    labels = picture(packing, 512)
    assert_apart(labels, 1)
    assert len(np.unique(labels)) == 1501
