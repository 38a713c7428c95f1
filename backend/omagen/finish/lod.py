"""Levels of detail of a finished mesh: each with half the faces of the one before, and its details as normals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from omagen.engines.base import RunProgress
from omagen.finish.needed_maps import needed_maps
from omagen.finish.settings import FinishSettings
from omagen.geometry.decimation import decimate
from omagen.geometry.distinct import distinct_rows
from omagen.shapes import Mesh

TOLERANCE: Final = 0.05
"""More faces than this above what is asked for, and the UVs are not worth keeping"""
MOST_FIXED: Final = 0.5
"""Share of a level's vertices that may be on the borders of charts: these stay, at the expense of all others"""
SMALLEST: Final = 16
"""Faces below which there are no more levels"""


def lod_chain(
    finest: Mesh, settings: FinishSettings, progress: RunProgress
) -> tuple[tuple[Mesh, ...], list[dict[str, Any]]]:
    """`finest` and up to `settings.lods` - 1 coarser levels, and for each of these what was asked and delivered.

    A level shares the UVs and, but for the normals, which are baked from the finest one, the textures, where its chart
    borders leave room for that; else it gets UVs and textures of its own (`uv`: `shared` or `new`). `bake` of the
    settings holds for all levels. Raises `OmagenError` (cancelled) from `progress`.
    """
    levels, reports = [finest], []
    for number in range(1, settings.lods):
        asked = len(finest.faces) >> number
        if asked < SMALLEST:
            progress.warn(f"There are {number} levels, not {settings.lods}: the next one would have hardly any faces.")
            break

        def tell(stage: str, part: float, number: int = number) -> None:
            progress(f"Level {number}: {stage}", (number - 1 + part) / (settings.lods - 1))

        level, report = _level(finest, asked, settings, tell)
        levels.append(level)
        reports.append({"level": number, "asked": asked, "delivered": len(level.faces)} | report)
    return tuple(levels), reports


def _level(finest: Mesh, asked: int, settings: FinishSettings, progress: Any) -> tuple[Mesh, dict[str, Any]]:
    from omagen.bake import bake
    from omagen.geometry.texture_layout import unwrap
    from omagen.omage.surface_normals import corner_normals

    bakes = settings.materials == "bake" and settings.maps != frozenset()
    if finest.uv is not None and (not bakes or _border_vertices(finest) <= MOST_FIXED * asked / 2):
        level = decimate(finest, asked, lambda part: progress("simplifying", 0.3 * part), keep_uv=True).mesh
        if len(level.faces) <= asked * (1 + TOLERANCE) or not bakes:
            level = replace(level, normals=corner_normals(level))
            if not bakes or len(finest.materials) > 1:
                return level, {"uv": "shared", "normals": "computed"}
            maps = frozenset({"normal"})
            level = bake(level, finest, settings.texture, maps, lambda stage, part: progress(stage, 0.3 + 0.7 * part))
            return level, {"uv": "shared", "normals": "baked"}
    level = decimate(finest, asked, lambda part: progress("simplifying", 0.3 * part)).mesh
    if not bakes:
        return replace(level, normals=corner_normals(level)), {"uv": "none", "normals": "computed"}
    made = unwrap(level, settings.texture, lambda stage, part: progress(stage, 0.3 + 0.3 * part), settings.budget_s / 3)
    level = replace(level, uv=made.uv)
    maps = needed_maps(finest, is_reshaped=True)
    level = bake(level, finest, settings.texture, maps, lambda stage, part: progress(stage, 0.6 + 0.4 * part))
    return level, {"uv": "new", "normals": "baked"}


def _border_vertices(mesh: Mesh) -> int:
    """How many vertices have more than one UV."""
    assert mesh.uv is not None
    corners = np.column_stack([mesh.faces.reshape(-1).view(np.float32), mesh.uv.reshape(-1, 2)])
    first, _ = distinct_rows(corners.view(np.uint32))
    return int((np.bincount(mesh.faces.reshape(-1)[first]) > 1).sum())
