"""Omage to mesh: charts triangulated, welded along their seams, textured with the omage's own maps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from omagen.omage.corners import corner_uv, smooth_normals, stored_normals
from omagen.omage.frame import restore_vertices
from omagen.omage.materials import material_of
from omagen.omage.orientation import pixel_normals
from omagen.omage.patches import chart_labels, patch_ranks
from omagen.omage.triangulate import Surface, build_surface
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

Switch = bool | Literal["auto"]
"""`auto`: for omages that do not say themselves which pixels are one point, as generated and published ones."""


def decode(
    omage: Omage,
    *,
    resolution: int = 0,
    close_seams: Switch = "auto",
    fill_holes: Switch = "auto",
    remove_outliers: Switch = "auto",
    normals: bool = True,
) -> tuple[Mesh, dict[str, Any]]:
    """The mesh of an omage: metres, +Y up, one material with textures of the omage's resolution; and how it came about.

    `resolution`: of the mesh, 0 for the omage's own. The textures keep theirs, with a normal map for the detail that a
    coarser mesh lacks. Texture coordinates are the centres of pixels. Corner normals are the stored ones, each side of
    a seam its own; without any they follow from the surface. Pixels with the same seam number are one vertex, so that
    what was closed is closed.

    Report, plain JSON: resolution, triangles, vertices, charts, lost_charts (without a triangle), dropped_pixels (in no
    triangle), split_edges; where it was asked for `outliers`, `seams` and `holes` with the counts of `Cleaned`,
    `Closing` and `Filling`, lengths in metres. Raises `OmagenError` (geometry) where there is no triangle.
    """
    repair = _Repair(
        remove_outliers=_is_on(remove_outliers, omage),
        close_seams=_is_on(close_seams, omage),
        fill_holes=_is_on(fill_holes, omage),
    )
    shape = _shape(omage, resolution, repair)
    surface = shape.surface
    vertices = restore_vertices(surface.vertices, omage.centre, omage.scale)
    ranks = patch_ranks(shape.labels, shape.position)
    mesh = Mesh(
        vertices=vertices,
        faces=surface.faces,
        uv=corner_uv(surface, shape.uv),
        normals=_corner_normals(shape, vertices) if normals else None,
        patches=ranks[surface.face_labels(shape.labels)],
        name=omage.name,
    )
    mesh = replace(mesh, materials=(material_of(omage, _detail(mesh, omage, resolution)),))
    return mesh, _report(surface, ranks, omage.scale, repair) | {"resolution": resolution or omage.resolution}


def _detail(mesh: Mesh, omage: Omage, resolution: int) -> np.ndarray | None:
    """The normal map that a coarser mesh needs."""
    if mesh.normals is None or omage.normal is None or not 0 < resolution < omage.resolution:
        return None
    from omagen.omage.normal_map import tangent_normal_map

    return tangent_normal_map(mesh, omage.normal)


@dataclass
class _Repair:
    """What to do about omages without side data, and what came of it."""

    remove_outliers: bool
    close_seams: bool
    fill_holes: bool
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Counts, and lengths in the unit of the positions, by what was done"""


def _is_on(switch: Switch, omage: Omage) -> bool:
    return omage.seam is None if switch == "auto" else bool(switch)


@dataclass(frozen=True)
class _Shape:
    """Triangles over labelled pixels, as in `build_surface`, and where these pixels are in the omage's maps."""

    surface: Surface
    labels: np.ndarray
    position: np.ndarray
    normal: np.ndarray | None
    uv: np.ndarray | None = None


def _shape(omage: Omage, resolution: int, repair: _Repair) -> _Shape:
    labels, position, seam, winding = chart_labels(omage), omage.position, omage.seam, None
    if repair.remove_outliers:
        from omagen.omage.outliers import remove_outliers

        cleaned = remove_outliers(labels, position)
        labels, position = cleaned.labels, cleaned.position
        repair.done["outliers"] = {"moved": cleaned.moved, "removed": cleaned.removed, "specks": cleaned.specks}
    if repair.close_seams and seam is None:
        from omagen.omage.closing import close_seams

        closing = close_seams(labels, position, omage.normal)
        seam, winding = closing.seam, closing.winding
        counts = {name: getattr(closing, name) for name in ("border", "joined", "pairs")}
        repair.done["seams"] = counts | {"gap_mean": closing.gap_mean, "gap_max": closing.gap_max}
    surface = build_surface(labels, position, seam, omage.normal, winding)
    if not len(surface.faces):
        raise OmagenError(
            ErrorCode.GEOMETRY,
            "The omage holds no surface: nowhere do three neighbouring pixels belong together.",
            "Choose an omage with occupied pixels.",
        )
    shape = _Shape(surface, labels, position, omage.normal)
    if resolution not in (0, omage.resolution):
        shape = _at_level(shape, omage, seam, winding, resolution)
    if repair.fill_holes:
        from omagen.omage.holes import fill_holes

        filling = fill_holes(shape.surface, shape.labels)
        shape = replace(shape, surface=filling.surface)
        counts = {"open_edges": filling.open_edges, "filled": filling.holes, "triangles": filling.triangles}
        repair.done["holes"] = counts
    return shape


def _at_level(
    shape: _Shape, omage: Omage, seam: np.ndarray | None, winding: np.ndarray | None, resolution: int
) -> _Shape:
    """`shape` at another resolution, with its place in the omage's maps."""
    from omagen.omage.lod import level_of

    normal = shape.normal
    if normal is None:  # a level knows which way its charts face by their normals only
        normal = pixel_normals(shape.labels, shape.position)
        if winding is not None and len(winding):
            normal *= winding[shape.labels][..., None]
    bare = Omage(shape.position, omage.occupancy, normal)
    level = level_of(bare, shape.surface, shape.labels, seam, resolution)
    return _Shape(level.surface, level.labels, level.position, None if shape.normal is None else level.normal, level.uv)


def _corner_normals(shape: _Shape, vertices: np.ndarray) -> np.ndarray:
    if shape.normal is None:
        return smooth_normals(vertices, shape.surface.faces)
    return stored_normals(shape.surface, shape.normal)


def _report(surface: Surface, ranks: np.ndarray, scale: float, repair: _Repair) -> dict[str, Any]:
    if "seams" in repair.done:
        repair.done["seams"] |= {name: repair.done["seams"][name] * scale for name in ("gap_mean", "gap_max")}
    return {
        "triangles": len(surface.faces),
        "vertices": len(surface.vertices),
        "charts": len(ranks) - surface.lost_labels,
        "lost_charts": surface.lost_labels,
        "dropped_pixels": surface.dropped_pixels,
        "split_edges": surface.splits,
    } | repair.done
