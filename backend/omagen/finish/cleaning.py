"""The first stage of finishing: a surface that all others can rely on, and what was wrong with the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from omagen.finish.settings import FinishSettings
from omagen.geometry import cleaning
from omagen.geometry.hole_filling import fill_holes
from omagen.geometry.manifold import split_non_manifold
from omagen.geometry.small_parts import drop_small_parts
from omagen.geometry.winding import wind_consistently
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh


def clean(
    mesh: Mesh, settings: FinishSettings, progress: Callable[[float], None], *, is_baked: bool
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` repaired, and counts of what was done: joined_vertices, degenerate_faces, duplicate_faces, turned_faces,
    split_edges, split_vertices, dropped_parts, dropped_part_faces, largest_dropped_part, holes, filled_holes.

    `is_baked`: colours of vertices are read from the original afterwards, so those in one place may be joined whatever
    their colours. Raises `OmagenError` (geometry) where nothing is left.
    """
    mesh = replace(mesh, region=None, numbered=False, patches=None)
    before = len(np.unique(mesh.faces))
    mesh = cleaning.join_places(mesh) if is_baked else cleaning.weld_vertices(mesh)
    report: dict[str, Any] = {"joined_vertices": before - len(np.unique(mesh.faces))}
    progress(0.2)
    count = len(mesh.faces)
    mesh = _without_flat_faces(mesh)
    report["degenerate_faces"], count = count - len(mesh.faces), len(mesh.faces)
    mesh = cleaning.drop_duplicate_faces(mesh)
    report["duplicate_faces"] = count - len(mesh.faces)
    if len(mesh.faces) == 0:
        raise OmagenError(ErrorCode.GEOMETRY, "Nothing is left of the mesh after cleaning.", "Leave out cleaning.")
    progress(0.4)
    wound = wind_consistently(mesh)
    report["turned_faces"] = wound.turned_faces
    progress(0.5)
    split = split_non_manifold(wound.mesh)
    report |= {"split_edges": split.edges, "split_vertices": split.vertices}
    progress(0.7)
    parts = drop_small_parts(split.mesh, settings.smallest_part)
    report |= {"dropped_parts": parts.dropped_pieces, "dropped_part_faces": parts.dropped_faces}
    report["largest_dropped_part"] = round(parts.largest, 6)
    filled = fill_holes(parts.mesh, settings.largest_hole, lambda share: progress(0.8 + 0.2 * share))
    report |= {"holes": filled.holes, "filled_holes": filled.filled}
    return cleaning.drop_unused_vertices(filled.mesh), report


def _without_flat_faces(mesh: Mesh) -> Mesh:
    """Without faces that name a vertex twice, and without those of no area whose absence leaves no slit."""
    from omagen.geometry.quality import is_degenerate
    from omagen.geometry.topology import without_flaps

    a, b, c = mesh.faces.T
    mesh = cleaning.keep_faces(mesh, (a != b) & (b != c) & (c != a))
    kept = without_flaps(mesh.faces, is_degenerate(mesh.vertices, mesh.faces))
    return mesh if len(kept) == len(mesh.faces) else cleaning.keep_faces(mesh, kept)
