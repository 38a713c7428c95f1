"""The closed object: a front and a back surface glued along the outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.engines.inflate.surface import Surface


@dataclass(frozen=True)
class Relieved:
    """What relief and projection make of the front's vertices."""

    seen: np.ndarray
    """(V, 2) the points of the plane whose pixels they show"""
    offset: np.ndarray
    """(V,) what is added to z"""
    normals: np.ndarray
    """(V, 3) unit normals"""


@dataclass(frozen=True)
class Shell:
    """A closed surface in pixels of the opacity grid, y up, z towards the viewer. The outline lies at z = 0."""

    vertices: np.ndarray
    """(V, 3) float64"""
    faces: np.ndarray
    """(F, 3) int64, counter-clockwise from outside; those of the front first"""
    normals: np.ndarray
    """(F, 3, 3) float64, unit length, per corner"""
    seen: np.ndarray
    """(F, 3, 2) float64 the points of the plane whose pixels the corners show"""
    front: int
    """How many faces belong to the front"""


def close(front: Surface, back: Surface | None, relieved: Relieved) -> Shell:
    """Glue the halves. `back` is None for the mirrored front.

    A flat back meets the front in a hard edge; a mirrored one, which takes no relief, continues it smoothly.
    """
    rim = front.rim_count
    above = front.points
    above[:, 2] += relieved.offset
    if back is None:
        below, below_faces, below_seen = front.points * [1, 1, -1], front.faces, relieved.seen
        below_normals = front.normals * [1, 1, -1]
    else:
        below, below_faces, below_seen = back.points * [1, 1, 0], back.faces, back.xy
        below_normals = np.broadcast_to([0.0, 0.0, -1.0], below.shape)
    flipped = below_faces[:, [0, 2, 1]]
    shared = np.where(flipped < rim, flipped, flipped - rim + len(above))
    return Shell(
        vertices=np.concatenate([above, below[rim:]]),
        faces=np.concatenate([front.faces, shared]),
        normals=np.concatenate([relieved.normals[front.faces], below_normals[flipped]]),
        seen=np.concatenate([relieved.seen[front.faces], below_seen[flipped]]),
        front=len(front.faces),
    )
