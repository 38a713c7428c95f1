"""How far a mesh's outlines are from those of pictures: directions do not say how thick an object is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.sampling import vertex_normals
from omagen.refine.targets import Offsets
from omagen.shapes import Mesh

RIM: Final = 1.5
"""Pixels from the mesh's outline within which a vertex is on it"""
REACH: Final = 0.02
"""Share of the picture's height within which outlines belong together"""
MAX_COSINE: Final = 0.3
"""Between a vertex's normal and the way it is seen; the others are not at an outline"""


def outline_offsets(
    mesh: Mesh, cameras: Sequence[Camera], drawn: Sequence[np.ndarray | None], wanted: Sequence[np.ndarray | None]
) -> Offsets:
    """How far vertices at the outlines of `mesh` are from those wanted.

    `drawn` and `wanted` are pictures as from `depth_inside` (H, W), of the mesh and of what it should be,
    for each camera.
    """
    vertices = mesh.vertices.astype(np.float64)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    along, weight = np.zeros(len(vertices)), np.zeros(len(vertices))
    for camera, is_field, wanted_field in zip(cameras, drawn, wanted, strict=True):
        if wanted_field is None or is_field is None:
            continue
        height = len(wanted_field)
        if camera.kind == "orthographic":
            cosine = normals @ camera.backward
        else:
            cosine = (normals * camera.towards(vertices)).sum(1)
        seen = np.flatnonzero(np.abs(cosine) < MAX_COSINE)
        place, depth = camera.project(vertices[seen])
        edge = 2 / min(*is_field.shape, *wanted_field.shape)
        inside = (depth > 0) & (place > edge).all(1) & (place < 1 - edge).all(1)
        seen, place, depth = seen[inside], place[inside], depth[inside]
        here = _sampled(is_field, place) * (height / len(is_field))
        there = _sampled(wanted_field, place)
        rim = (np.abs(here) < RIM * height / len(is_field)) & (np.abs(there) < REACH * height)
        seen = seen[rim]
        along[seen] += (there - here)[rim] * camera.pixel_length(depth[rim], height)
        weight[seen] += 1
    return Offsets(along / np.maximum(weight, 1), np.minimum(weight, 1))


def _sampled(field: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(N,): `field` (H, W) between the pixels around `place` (N, 2), 0 to 1 but more than a pixel off the border"""
    place = place * field.shape[::-1] - 0.5
    left, top = (place[:, k].astype(np.int64) for k in range(2))
    across, down = place[:, 0] - left, place[:, 1] - top
    upper = field[top, left] * (1 - across) + field[top, left + 1] * across
    return upper * (1 - down) + (field[top + 1, left] * (1 - across) + field[top + 1, left + 1] * across) * down


def depth_inside(mask: np.ndarray) -> np.ndarray | None:
    """(H, W) float32, pixels to the outline, negative outside; None where there is none."""
    if mask.all() or not mask.any():
        return None
    inside, outside = (cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, 5) for m in (mask, ~mask))
    return inside - outside - np.where(mask, 0.5, -0.5).astype(np.float32)
