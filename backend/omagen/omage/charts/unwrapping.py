"""Cuts a surface into charts anew and flattens them."""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.omage.charts.charting import Progress
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.validity import signed_areas
from omagen.omage.charts.xatlas_charts import xatlas_charts


def unwrap(surface: Surface, chart_budget: int, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """`label` (F,) int32 and `uv` (F, 3, 2) float64 in the surface's units; not yet checked."""
    label, uv = xatlas_charts(surface.vertices, surface.faces, surface.opposite, 4.0)
    area = np.bincount(label + 1, weights=signed_areas(uv))
    uv[area[label + 1] < 0, :, 0] *= -1
    return label, uv
