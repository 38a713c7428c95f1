"""Leaves out crumbs: pieces of a surface that are small beside the whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.geometry.cleaning import drop_unused_vertices, keep_faces
from omagen.geometry.components import face_components
from omagen.shapes import Mesh


@dataclass(frozen=True)
class Kept:
    mesh: Mesh
    dropped_pieces: int
    dropped_faces: int
    largest: float
    """Of what was dropped, as a share of the whole's size; 0 where nothing was"""


def drop_small_parts(mesh: Mesh, smallest: float) -> Kept:
    """`mesh` without pieces smaller than `smallest`, a share (0 to 1) of the whole; the largest piece always stays.

    Size is the diagonal of the bounding box; pieces are connected over edges.
    """
    piece = face_components(mesh.faces)
    pieces = int(piece.max(initial=-1)) + 1
    if smallest <= 0 or pieces < 2:
        return Kept(mesh, 0, 0, 0.0)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    order = np.argsort(piece, kind="stable")
    starts = np.searchsorted(piece[order], np.arange(pieces))
    low = np.minimum.reduceat(corners.min(axis=1)[order], starts)
    high = np.maximum.reduceat(corners.max(axis=1)[order], starts)
    size = np.linalg.norm(high - low, axis=1)
    share = size / max(float(np.linalg.norm(high.max(axis=0) - low.min(axis=0))), 1e-300)
    is_small = (share < smallest) & (np.arange(pieces) != size.argmax())
    if not is_small.any():
        return Kept(mesh, 0, 0, 0.0)
    kept = ~is_small[piece]
    small = drop_unused_vertices(keep_faces(mesh, kept))
    return Kept(small, int(is_small.sum()), int((~kept).sum()), float(share[is_small].max()))
