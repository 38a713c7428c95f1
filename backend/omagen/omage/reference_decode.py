"""Omage to mesh exactly as published (`meshing_objamage`, arXiv 2408.03178), its defects included.

One fixed diagonal per quad, neighbours taken with wrap-around at the picture's border, texture coordinates half a texel
off: for parity and comparison. `omagen.omage.decode` is the decoder to use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

NORMAL: Final = slice(4, 7)


@dataclass(frozen=True)
class ReferenceMesh:
    vertices: np.ndarray
    """(V, 3) float64, omage frame"""
    faces: np.ndarray
    """(F, 3) int64 into the vertices"""
    uv: np.ndarray
    """(V, 2) float64"""
    pixel: np.ndarray
    """(V,) int64: the pixel of each vertex, row * R + column; picks per-vertex values out of any plane"""
    pixel_faces: np.ndarray
    """(F, 3) int64: the faces as pixels"""


def reference_decode(omage: np.ndarray, *, use_normals: bool = True) -> ReferenceMesh:
    """The mesh of `omage`, (R, R, C) in [0, 1] with position and occupancy in front, float64 inside.

    With `use_normals` each face is turned to the side of the normal at its first corner (channels 4 to 6). Where these
    are missing they count as (-1, -1, -1), as published; without `use_normals` faces keep the picture's winding.
    """
    omage = omage.astype(np.float64)
    height, width, channels = omage.shape
    occupied = omage[..., 3] > 0.5
    index = np.arange(height * width).reshape(height, width)
    faces = np.concatenate([_corners(occupied, index, step) for step in (1, -1)])
    points = omage[..., :3].reshape(-1, 3) * 2 - 1
    if use_normals:
        normals = omage[..., NORMAL].reshape(-1, 3) if channels >= NORMAL.stop else np.zeros_like(points)
        a, b, c = (points[faces[:, k]] for k in range(3))
        towards = np.einsum("ij,ij->i", np.cross(b - a, c - a), normals[faces[:, 0]] * 2 - 1)
        faces = np.where((towards < 0)[:, None], faces[:, [0, 2, 1]], faces)
    pixel, compact = np.unique(faces, return_inverse=True)
    row, column = np.divmod(pixel, width)
    uv = np.stack([column / (width - 1), row / (height - 1)], axis=1)
    return ReferenceMesh(points[pixel], compact.reshape(faces.shape), uv, pixel, faces)


def _corners(occupied: np.ndarray, index: np.ndarray, step: int) -> np.ndarray:
    """Triangles pixel, neighbour in the row, neighbour in the column, both `step` away, wherever all are occupied."""
    across, along = (np.roll(index, -step, axis) for axis in (1, 0))
    whole = occupied & np.roll(occupied, -step, 1) & np.roll(occupied, -step, 0)
    return np.stack([index[whole], across[whole], along[whole]], axis=1)
