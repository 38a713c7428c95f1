"""The closed object: a front and a back surface glued along the outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.engines.inflate.surface import Surface


@dataclass(frozen=True)
class Shell:
    """A closed surface in pixels of the opacity grid, y up, z towards the viewer. The outline lies at z = 0."""

    vertices: np.ndarray
    """(V, 3) float64"""
    faces: np.ndarray
    """(F, 3) int64, counter-clockwise from outside; those of the front first"""
    normals: np.ndarray
    """(F, 3, 3) float64, unit length, per corner"""
    front: int
    """How many faces belong to the front"""


def close(front: Surface, back: Surface | None, front_offset: np.ndarray, front_normals: np.ndarray) -> Shell:
    """Glue the halves.

    back: its own surface, or None for the mirrored front. front_offset, front_normals: what relief adds to z and makes of
    the normals, (V,) and (V, 3). A flat back meets the front in a hard edge; a mirrored one continues it smoothly.
    """
    rim = front.rim_count
    above = front.points
    above[:, 2] += front_offset
    if back is None:
        below, below_faces = front.points * [1, 1, -1], front.faces
        below_normals = front.normals * [1, 1, -1]
    else:
        below, below_faces = back.points * [1, 1, 0], back.faces
        below_normals = np.broadcast_to([0.0, 0.0, -1.0], below.shape)
    flipped = below_faces[:, [0, 2, 1]]
    shared = np.where(flipped < rim, flipped, flipped - rim + len(above))
    return Shell(
        vertices=np.concatenate([above, below[rim:]]),
        faces=np.concatenate([front.faces, shared]),
        normals=np.concatenate([front_normals[front.faces], below_normals[flipped]]),
        front=len(front.faces),
    )
