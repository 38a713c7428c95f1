"""The front and the back surface with, together, as many triangles as were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from omagen.engines.base import RunProgress
from omagen.engines.inflate.evening import even_out, refine
from omagen.engines.inflate.height import Height
from omagen.engines.inflate.planar import triangulate
from omagen.engines.inflate.sizing import Sizing, Thickness
from omagen.engines.inflate.surface import Surface

SPREAD = 1.15
"""Spacing of the planar triangulation's interior relative to the outline's; splitting adds what is missing."""
FLAT = 1e-4
"""Height of a flat back over that of a round one while it is triangulated."""
ATTEMPTS = 8


def halves(
    loops: list[np.ndarray], thickness: Thickness, settings: Mapping[str, Any], progress: RunProgress
) -> tuple[Surface, Surface | None]:
    """The front and, unless it is the mirrored front, the back. `progress` gets fractions from 0.1 to 0.6."""
    flat, total = settings["back"] == "flat", settings["faces"]
    size = float(max(np.ptp(np.concatenate(loops), axis=0)))
    limit = settings["depth_limit"] * size / (settings["thickness"] * (1 if flat else 2))
    wanted, width = total * (0.6 if flat else 0.5), 1.0
    for _ in range(ATTEMPTS):
        sizing = _sizing(thickness, wanted, width)
        planar = triangulate(loops, thickness.depth, sizing, SPREAD)
        if planar.fewest_faces <= 0.45 * total:
            break
        wanted, width = 0.75 * wanted, 1.2 * width
        progress("Triangulating", 0.1)
    progress("Inflating", 0.2)
    height = Height(planar, limit)
    progress("Inflating", 0.25)
    front = Surface(planar, height, sizing, settings["thickness"])
    back = Surface(planar, height, sizing, FLAT) if flat else None
    share = front.area() / (front.area() + back.area()) if back else 0.5
    surfaces = [(front, share * total)] + ([(back, (1 - share) * total)] if back else [])
    for number, (surface, count) in enumerate(surfaces):
        step = 0.3 / len(surfaces)
        start = 0.3 + number * step
        _shape(surface, count, partial(_report, progress, start, step))
    return front, back


def _shape(surface: Surface, faces: float, report: Callable[[float], None]) -> None:
    """Give `surface` its triangles."""
    surface.split_chords()
    target = _vertices(surface, faces)
    refine(surface, target, lambda fraction: report(0.4 * fraction))
    even_out(surface, target, lambda fraction: report(0.4 + 0.6 * fraction))


def _report(progress: RunProgress, start: float, step: float, fraction: float) -> None:
    progress("Shaping the triangles", start + step * fraction)


def _sizing(thickness: Thickness, triangles: float, width: float) -> Sizing:
    """Edge lengths with which one side of the silhouette takes about so many `triangles`."""
    low, high = 0.2, float(2 * max(thickness.depth.shape))
    for _ in range(24):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if thickness.triangles(middle, width) > triangles else (low, middle)
    return thickness.sizing(high, width)


def _vertices(surface: Surface, faces: float) -> int:
    """How many vertices `surface` has once it has so many `faces` (Euler's formula for surfaces with a border)."""
    inner, rim = len(surface.xy) - surface.rim_count, surface.rim_count
    doubled_euler = 2 * inner + rim - len(surface.faces)
    return rim + round((faces - rim + doubled_euler) / 2)
