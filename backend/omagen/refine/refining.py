"""A mesh and a source of normals to what is delivered: geometry, or maps on the mesh as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from omagen.omage.surface_normals import corner_normals
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.maps import as_maps, remaining_normal_map
from omagen.refine.refinement import refine
from omagen.refine.settings import RefineSettings
from omagen.refine.sources import MapNormals
from omagen.refine.targets import NormalSource
from omagen.shapes import DisplacedMesh, Mesh


def deliver(
    mesh: Mesh,
    source: NormalSource,
    settings: RefineSettings,
    output: Literal["geometry", "maps"],
    texture: int,
    progress: Callable[[str, float], None],
) -> tuple[Mesh | DisplacedMesh, dict[str, Any]]:
    """The refined mesh, or the mesh as it was with a normal map and heights of `texture` pixels; and a report.

    A normal map of the mesh's own that has become geometry is put into words of the new surface.
    """
    if output == "maps" and settings.remesh:
        raise OmagenError(ErrorCode.INPUT, "Maps lie on the mesh's own triangles.", "Turn remeshing off, or maps.")
    if settings.strength == 0:
        return refine(mesh, source, settings, progress)
    smooth = mesh if settings.remesh else replace(mesh, normals=corner_normals(mesh))
    refined, facts = refine(smooth, source, settings, lambda stage, fraction: progress(stage, 0.9 * fraction))
    progress("Writing maps" if output == "maps" else "Finishing", 0.9)
    if output == "maps":
        displaced = as_maps(mesh, refined, texture)
        return displaced, facts | {"displacement_scale_m": displaced.scale, "displacement_middle": 0.5}
    if isinstance(source, MapNormals) and source.is_own and mesh.region is None and settings.strength >= 1:
        refined = remaining_normal_map(smooth, refined)
    return refined, facts
