"""A new surface of four-sided faces of even size, as animators and subdivision want it; its failures are noticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.cleaning import drop_unused_vertices
from omagen.geometry.decimation import decimate
from omagen.geometry.hole_filling import fill_holes
from omagen.geometry.manifold import split_non_manifold
from omagen.geometry.quad_process import run_quads
from omagen.geometry.topology import borders
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh

TRIES: Final = 4
NEAR: Final = 0.02
"""Share of the faces asked for by which the delivered ones may differ without another try"""
FAR: Final = 4.0
"""Times as many or as few as asked for is a failure"""
MOST_GIVEN: Final = 200_000
"""Triangles that the library gets: more take longer and show nothing in quads of usual sizes"""
SHRUNK: Final = 0.1
"""Of the size, by which the new surface may fall short of the old one before something is missing"""


def remesh_to_quads(mesh: Mesh, wanted: int, progress: Callable[[float], None], patience_s: float = 60.0) -> Mesh:
    """About `wanted` quads over the surface of `mesh`, as pairs of triangles (see `Mesh.quads`); no UVs, no colours.

    `mesh` is wound consistently and without non-manifold edges. Holes that appear are closed, with triangles.
    `progress` may raise. Raises `OmagenError` (geometry) where the library fails, takes longer than `patience_s`, gives
    holes where there were none, parts of the surface only, or far too many or few faces.
    """
    deadline = time.monotonic() + patience_s
    was_closed = len(borders(mesh.faces).open_edges) == 0
    given = decimate(mesh, max(MOST_GIVEN, 8 * wanted), lambda share: progress(0.3 * share)).mesh
    request, best = wanted, None
    for attempt in range(TRIES):
        share = 0.3 + 0.6 * attempt / TRIES
        made = run_quads(given.vertices, given.faces, request, deadline, lambda share=share: progress(share))
        if made is None:
            break
        found = _as_mesh(mesh, *made)
        count = 0 if found is None else len(found.faces) - len(_quads(found))
        if found is not None and (best is None or abs(count - wanted) < abs(best[0] - wanted)):
            best = count, found
        if count == 0 or abs(count - wanted) <= NEAR * wanted or time.monotonic() > deadline:
            break
        request = max(round(request * wanted / count), 8)
    if best is None:
        raise _failed("it gives no usable faces")
    count, found = best
    if was_closed and len(borders(found.faces).open_edges):
        found = fill_holes(found, 1.0).mesh
        if len(borders(found.faces).open_edges):
            raise _failed("it leaves holes")
    if not wanted / FAR <= count <= wanted * FAR:
        raise _failed(f"it gives {count:,} faces instead of {wanted:,}")
    if _falls_short(mesh, found):
        raise _failed("parts of the surface are missing")
    progress(1.0)
    return found


def _quads(mesh: Mesh) -> np.ndarray:
    return np.zeros(0, np.int32) if mesh.quads is None else mesh.quads


def _as_mesh(mesh: Mesh, vertices: np.ndarray, quads: np.ndarray) -> Mesh | None:
    """Quads (Q, 4) as pairs of triangles along their shorter diagonal; None where they are no use."""
    if len(quads) == 0 or quads.shape[1] != 4 or not np.isfinite(vertices).all():
        return None
    ends = vertices[quads].astype(np.float64)
    is_other = np.linalg.norm(ends[:, 0] - ends[:, 2], axis=1) > np.linalg.norm(ends[:, 1] - ends[:, 3], axis=1)
    quads = np.where(is_other[:, None], np.roll(quads, -1, axis=1), quads)
    is_proper = (np.diff(np.sort(quads, axis=1), axis=1) > 0).all(axis=1)
    quads = quads[is_proper]
    if len(quads) == 0:
        return None
    faces = np.ascontiguousarray(quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), np.int32)
    pairs = np.arange(0, len(faces), 2, dtype=np.int32)
    new = Mesh(np.ascontiguousarray(vertices, np.float32), faces, name=mesh.name, quads=pairs)
    return drop_unused_vertices(_whole_quads_only(split_non_manifold(new).mesh))


def _whole_quads_only(mesh: Mesh) -> Mesh:
    """`mesh` without the quads whose halves were parted where vertices were split; their triangles stay."""
    if mesh.quads is None:
        return mesh
    first, second = mesh.faces[mesh.quads], mesh.faces[mesh.quads + 1]
    touch = (first[:, 0] == second[:, 0]) & (first[:, 2] == second[:, 1])
    return replace(mesh, quads=mesh.quads[touch])


def _falls_short(before: Mesh, after: Mesh) -> bool:
    low, high = (getattr(before.vertices[before.faces.reshape(-1)], end)(axis=0) for end in ("min", "max"))
    new_low, new_high = (getattr(after.vertices[after.faces.reshape(-1)], end)(axis=0) for end in ("min", "max"))
    size = float((high - low).max())
    return bool(np.abs(low - new_low).max() > SHRUNK * size or np.abs(high - new_high).max() > SHRUNK * size)


def _failed(why: str) -> OmagenError:
    return OmagenError(ErrorCode.GEOMETRY, f"Quads cannot be made of this surface: {why}.", "Use triangles.")
