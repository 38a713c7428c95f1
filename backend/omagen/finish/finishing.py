"""Finishing as a whole: the mesh, its levels of detail, and one report of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omagen.engines.base import RunProgress
from omagen.finish.lod import lod_chain
from omagen.finish.needed_maps import needed_maps
from omagen.finish.pipeline import finish_mesh
from omagen.finish.settings import FinishSettings
from omagen.shapes import LodChain, Mesh


class _Part:
    """The progress of one part of the work."""

    def __init__(self, progress: RunProgress, low: float, high: float) -> None:
        self._progress, self._low, self._high = progress, low, high

    def __call__(self, stage: str, fraction: float) -> None:
        self._progress(stage, self._low + (self._high - self._low) * fraction)

    def warn(self, message: str) -> None:
        self._progress.warn(message)


def finish_with_levels(
    mesh: Mesh, settings: FinishSettings, progress: RunProgress, *, with_occlusion: bool = False
) -> tuple[Mesh | LodChain, dict[str, Any]]:
    """`finish_mesh` and, where `settings.lods` is more than 1, `lod_chain` of its result.

    The report: `finish`, stage by stage, and `lods`, level by level. `with_occlusion` adds occlusion to the maps that
    the surface needs. Raises as these two do.
    """
    if with_occlusion and settings.maps is None:
        maps = needed_maps(mesh, is_reshaped=bool(settings.faces and len(mesh.faces) > settings.faces))
        settings = replace(settings, maps=maps | {"occlusion"})
    share = 1.0 if settings.lods == 1 else 0.5
    finest, stages = finish_mesh(mesh, settings, _Part(progress, 0.0, share))
    report: dict[str, Any] = {"finish": stages}
    if settings.lods == 1:
        return finest, report
    levels, report["lods"] = lod_chain(finest, settings, _Part(progress, share, 1.0))
    return LodChain(levels, finest.name), report
