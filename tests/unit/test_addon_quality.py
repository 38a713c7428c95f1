"""The line that says how good an omage is."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import pytest
from omagen_extension.addon.panels import quality


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ({}, ""),
        ({"occupancy": None, "triangles": 5}, ""),
        ({"occupancy": 0.712, "stretch": 1.234}, "71% used  ·  stretch 1.23"),
        ({"chamfer": 0.000213, "seam_gap": {"mean": 0.0, "max": 0.0}}, "Chamfer 0.021 %  ·  seams closed"),
        ({"chamfer": 3.4e-7}, "Chamfer under 0.001 %"),
        ({"seam_gap": {"mean": 2e-9, "max": 1e-7}}, "Seams closed"),
        ({"seam_gap": {"mean": 4e-4, "max": 1e-3}}, "Seams 0.04 %"),
        ({"lost_components": 1}, "1 part lost"),
        ({"lost_components": 0, "texel_density": {"median": 41.59, "ratio": 2}}, "All parts kept  ·  41.6 px per m"),
    ],
)
def test_the_line_holds_what_is_known_and_no_more(report: dict, line: str) -> None:
    assert quality.line(report) == line
