"""How far a mesh's outlines are from those of pictures: directions leave open how thick an object is, outlines do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from omagen.geometry.cameras import Camera
from omagen.geometry.sampling import face_normals
from omagen.geometry.view_raster import rasterize_view
from omagen.refine.targets import Offsets
from omagen.shapes import Mesh

RIM: Final = 1.5
"""Pixels from the mesh's outline within which a vertex is on it"""
REACH: Final = 0.02
"""Share of the picture's height within which outlines belong together"""
MAX_COSINE: Final = 0.3
"""Between a vertex's normal and the way it is seen; the others are not at an outline"""


def outline_offsets(mesh: Mesh, views: Sequence[tuple[Camera, np.ndarray]]) -> Offsets:
    """From `views`, cameras with masks (H, W) float32 of which more than 0.5 is the object. Masks without an outline say nothing."""
    vertices = mesh.vertices.astype(np.float64)
    normals = _vertex_normals(mesh)
    along, weight = np.zeros(len(vertices)), np.zeros(len(vertices))
    for camera, mask in views:
        height, width = mask.shape
        wanted = _depth_inside(mask > 0.5)
        drawn = _depth_inside(rasterize_view(mesh.vertices, mesh.faces, camera, width, height).face >= 0)
        if wanted is None or drawn is None:
            continue
        seen = np.flatnonzero(np.abs((normals * camera.towards(vertices)).sum(1)) < MAX_COSINE)
        place, depth = camera.project(vertices[seen])
        place = place * (width, height) - 0.5
        inside = (depth > 0) & (place > 1).all(1) & (place < (width - 2, height - 2)).all(1)
        seen, place, depth = seen[inside], place[inside], depth[inside]
        here, there = (map_coordinates(field, place.T[::-1], order=1) for field in (drawn, wanted))
        rim = (np.abs(here) < RIM) & (np.abs(there) < REACH * height)
        seen = seen[rim]
        along[seen] += (there - here)[rim] * camera.pixel_length(depth[rim], height)
        weight[seen] += 1
    return Offsets(along / np.maximum(weight, 1), np.minimum(weight, 1))


def _depth_inside(mask: np.ndarray) -> np.ndarray | None:
    """(H, W) float32, pixels to the outline, negative outside; None where there is none."""
    if mask.all() or not mask.any():
        return None
    inside, outside = (cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, 5) for m in (mask, ~mask))
    return inside - outside - np.where(mask, 0.5, -0.5).astype(np.float32)


def _vertex_normals(mesh: Mesh) -> np.ndarray:
    doubled = face_normals(mesh.vertices, mesh.faces)
    flat = mesh.faces.reshape(-1)
    sums = np.stack([np.bincount(flat, np.repeat(doubled[:, k], 3), len(mesh.vertices)) for k in range(3)], axis=1)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-300)
