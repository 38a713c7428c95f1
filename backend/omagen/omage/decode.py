"""Omage to mesh: charts triangulated, welded along their seams, textured with the omage's own maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from omagen.omage.corners import corner_uv, smooth_normals, stored_normals
from omagen.omage.frame import restore_vertices
from omagen.omage.materials import material_of
from omagen.omage.patches import chart_labels, patch_ranks
from omagen.omage.triangulate import Surface, build_surface
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

Switch = bool | Literal["auto"]
"""`auto`: only where the omage does not say itself which pixels are one point, as generated ones do not."""


def decode(omage: Omage, *, normals: bool = True) -> tuple[Mesh, dict[str, Any]]:
    """The mesh of an omage: metres, +Y up, one material with textures of the omage's resolution; and how it came about.

    Texture coordinates are the centres of pixels. Corner normals are the stored ones, each side of a seam its own;
    without any they follow from the surface. Pixels with the same seam number are one vertex, so that what was closed
    is closed. Report, plain JSON: triangles, vertices, charts, lost_charts (without a triangle), dropped_pixels (in no
    triangle), split_edges. Raises `OmagenError` (geometry) where there is no triangle.
    """
    labels = chart_labels(omage)
    surface = build_surface(labels, omage.position, omage.seam, omage.normal)
    if not len(surface.faces):
        raise OmagenError(
            ErrorCode.GEOMETRY,
            "The omage holds no surface: nowhere do three neighbouring pixels belong together.",
            "Choose an omage with occupied pixels.",
        )
    ranks = patch_ranks(labels, omage.position)
    vertices = restore_vertices(surface.vertices, omage.centre, omage.scale)
    mesh = Mesh(
        vertices=vertices,
        faces=surface.faces,
        uv=corner_uv(surface),
        normals=_corner_normals(surface, vertices, omage) if normals else None,
        materials=(material_of(omage),),
        name=omage.name,
    )
    return replace(mesh, patches=ranks[surface.face_labels(labels)]), _report(surface, ranks)


def _corner_normals(surface: Surface, vertices: np.ndarray, omage: Omage) -> np.ndarray:
    if omage.normal is None:
        return smooth_normals(vertices, surface.faces)
    return stored_normals(surface, omage.normal)


def _report(surface: Surface, ranks: np.ndarray) -> dict[str, Any]:
    return {
        "triangles": len(surface.faces),
        "vertices": len(surface.vertices),
        "charts": len(ranks) - surface.lost_labels,
        "lost_charts": surface.lost_labels,
        "dropped_pixels": surface.dropped_pixels,
        "split_edges": surface.splits,
    }
