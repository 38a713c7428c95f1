"""Density, stretch and survival of charts, on layouts where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.omage.quality import layout_report
from omagen.omage.texels import surviving_charts, texel_shapes
from omagen.shapes import Omage


def plane(size: int, step: tuple[float, float]) -> np.ndarray:
    """(size, size, 3): a flat surface on which pixels lie `step` apart along rows and columns."""
    row, column = np.mgrid[:size, :size].astype(np.float32)
    return np.stack([column * step[1], row * step[0], 0 * row], -1).astype(np.float32)


def test_a_stretched_plane_has_its_ratio_everywhere() -> None:
    chart = np.full((16, 16), -1, np.int32)
    chart[2:12, 3:13] = 0
    area, stretch = texel_shapes(plane(16, (0.02, 0.05)), chart)
    assert area == pytest.approx(0.001)
    assert stretch == pytest.approx(2.5, rel=1e-4)
    assert len(area) == 7 * 7  # of 10 x 10 the inner 8 x 8, which need inner ones above and to the right


def test_charts_without_inner_pixels_are_measured_all_the_same() -> None:
    chart = np.full((8, 8), -1, np.int32)
    chart[2:4, 1:7] = 0
    assert len(texel_shapes(plane(8, (0.1, 0.1)), chart)[0]) == 5


def test_the_report_gives_density_in_pixels_per_metre() -> None:
    occupancy = np.zeros((16, 16), bool)
    occupancy[:8] = True
    report = layout_report(Omage(plane(16, (0.1, 0.1)), occupancy, scale=0.5))
    assert report["occupancy"] == 0.5
    assert report["texel_density"]["median"] == pytest.approx(20, rel=1e-4)
    assert report["texel_density"]["ratio"] == pytest.approx(1, rel=1e-4)
    assert report["stretch"] == pytest.approx(1, rel=1e-4)


def test_an_empty_omage_has_no_density() -> None:
    report = layout_report(Omage(plane(8, (0, 0)), np.zeros((8, 8), bool)))
    assert (report["occupancy"], report["texel_density"], report["stretch"]) == (0, None, None)


@pytest.mark.parametrize("missing", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_three_pixels_of_a_block_are_a_surviving_chart_and_two_are_not(missing: tuple[int, int]) -> None:
    chart = np.full((8, 8), -1, np.int32)
    chart[1:3, 1:3] = 1
    chart[1 + missing[0], 1 + missing[1]] = -1
    chart[5, 1:7] = 2
    chart[7, 7] = 0
    apart = np.full_like(chart, -1)
    assert surviving_charts(chart, apart, 3).tolist() == [False, True, False]


def test_pixels_of_one_seam_point_are_no_triangle() -> None:
    chart, seam = np.full((8, 8), -1, np.int32), np.full((8, 8), -1, np.int32)
    chart[1:3, 1:3] = 0
    seam[1, 1:3] = 7
    assert surviving_charts(chart, seam, 1).tolist() == [True]
    seam[2, 1] = 7
    assert surviving_charts(chart, seam, 1).tolist() == [False]
