"""The pixels of charts decode to what the charts are: one piece with the same borders, however thin or notched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from omagen.omage.boundary import Boundary, trace_boundary
from omagen.omage.grids import MARGIN, Grids, build_grids, chart_frames, fitted_uv
from omagen.omage.mask_topology import _trace, link_borders
from scipy.spatial import Delaunay


def polygon(outline: Sequence[tuple[float, float]], holes: Sequence[Sequence[tuple[float, float]]] = ()) -> np.ndarray:
    """(F, 3, 2): a triangulated polygon; its corners are dense enough that Delaunay keeps its sides."""
    rings = [np.array(ring, float) for ring in (outline, *holes)]
    points = np.concatenate([dense(ring) for ring in rings])
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = np.meshgrid(*(np.arange(low[k] + 0.27, high[k], 0.5) for k in (0, 1)))
    inner = np.stack([x.ravel(), y.ravel()], 1)
    points = np.concatenate([points, inner[[is_inside(p, rings) for p in inner]]])
    triangles = Delaunay(points).simplices
    corners = points[triangles]
    corners = corners[[is_inside(p, rings) for p in corners.mean(axis=1)]]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    corners[area < 0] = corners[area < 0][:, ::-1]
    return corners[np.abs(area) > 1e-9]


def dense(ring: np.ndarray) -> np.ndarray:
    following = np.roll(ring, -1, axis=0)
    return np.concatenate(
        [a + np.linspace(0, 1, max(int(np.linalg.norm(b - a) / 0.2), 1), endpoint=False)[:, None] * (b - a)
         for a, b in zip(ring, following, strict=True)]
    )  # fmt: skip


def is_inside(point: np.ndarray, rings: list[np.ndarray]) -> bool:
    inside = False
    for ring in rings:
        a, b = ring, np.roll(ring, -1, axis=0)
        crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            x = a[:, 0] + (point[1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
        inside ^= bool((crosses & (point[0] < x)).sum() % 2)
    return inside


def drawn(uv: np.ndarray, scale: float = 1.0, fit: bool = False) -> tuple[Grids, Boundary]:
    chart = np.zeros(len(uv), np.int32)
    places, inverse = np.unique(uv.reshape(-1, 2).round(9), axis=0, return_inverse=True)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    uv = places[faces]
    boundary = trace_boundary(faces, uv, chart)
    low, high = chart_frames(uv, chart, 1)
    flat = fitted_uv(uv, chart, low, high, scale) if fit else (uv - low[0]) * scale + MARGIN + 0.31
    return build_grids(flat, chart, 1, boundary), boundary


def borders(grids: Grids) -> tuple[int, int]:
    """How many outer and inner borders the pixels have."""
    cells = grids.mask.reshape(grids.height[0], grids.width[0])
    links = np.empty(cells.size, np.int64)
    assert link_borders(cells, links)
    areas = _trace(links, cells.shape[1])[:, 1]
    return int((areas > 0).sum()), int((areas < 0).sum())


SQUARE = [(0, 0), (9, 0), (9, 9), (0, 9)]
RING = (SQUARE, [[(3, 3), (3, 6), (6, 6), (6, 3)]])
NOTCHED = [(0, 0), (12, 0), (12, 9), (6.2, 9), (6.0, 2), (5.8, 9), (0, 9)]
COMB = [(0, 0), (12, 0), (12, 8), (10, 8), (10, 2), (7, 2), (7, 8), (5, 8), (5, 2), (2, 2), (2, 8), (0, 8)]
BAND = [(0, 0), (20, 6), (20, 6.4), (0, 0.4)]


@pytest.mark.parametrize(
    ("outline", "holes", "expected"),
    [(SQUARE, [], (1, 0)), (*RING, (1, 1)), (NOTCHED, [], (1, 0)), (COMB, [], (1, 0)), (BAND, [], (1, 0))],
    ids=["square", "ring", "notched", "comb", "band thinner than a pixel"],
)
@pytest.mark.parametrize("fit", [False, True])
def test_pixels_have_the_borders_of_the_chart(outline, holes, expected, fit):
    grids, _ = drawn(polygon(outline, holes), fit=fit)
    assert grids.sound.all()
    assert borders(grids) == expected


def test_the_two_banks_of_a_narrow_notch_stay_apart():
    grids, _ = drawn(polygon(NOTCHED))
    cells = grids.mask.reshape(grids.height[0], grids.width[0])
    row = cells[MARGIN + 7]
    assert (np.diff(np.flatnonzero(row)) > 1).any(), "an empty pixel lies between the banks"


def test_pixels_cover_the_inside_and_reach_at_most_half_a_pixel_out():
    grids, _ = drawn(polygon(SQUARE))
    cells = grids.mask.reshape(grids.height[0], grids.width[0])
    rows, columns = np.nonzero(cells)
    for places in (rows + 0.5, columns + 0.5):
        assert places.min() >= MARGIN + 0.31 - 0.5 - 1e-5
        assert places.max() <= MARGIN + 0.31 + 9.5 + 1e-5
    assert cells.sum() >= 9 * 9


@pytest.mark.parametrize("scale", [0.001, 0.1, 0.5])
def test_a_chart_of_any_smallness_keeps_a_block_of_pixels(scale):
    grids, _ = drawn(polygon(SQUARE), scale, fit=True)
    assert grids.sound.all()
    assert 4 <= grids.mask.sum() <= 36


def test_border_pixels_follow_each_other_around_the_chart():
    grids, _ = drawn(polygon(SQUARE))
    first = int(np.flatnonzero(grids.following >= 0)[0])
    place, seen = first, []
    while place not in seen:
        seen.append(place)
        place = int(grids.following[place])
    assert place == first
    assert len(seen) == (grids.following >= 0).sum()
    x, y = np.array(seen) % grids.width[0], np.array(seen) // grids.width[0]
    assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0, "counter-clockwise"
