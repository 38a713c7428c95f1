"""Between the frame of meshes (glTF: +Y up, metres) and the frame of omages (published: +Z up, longest side 1.9999).

Normalisation as in arXiv 2408.03178, section 3, and its code: the centre of the bounding box moves to the origin and
one scale makes the longest side 1.9999, so that coordinates lie within +-0.99995.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.protocol import ErrorCode, OmagenError

LONGEST_SIDE: Final = 1.9999
Triple = tuple[float, float, float]


def to_omage_frame(points: np.ndarray) -> np.ndarray:
    """(..., 3) points or directions, +Y up, to +Z up: (x, y, z) becomes (x, -z, y). Keeps the float type."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def from_omage_frame(points: np.ndarray) -> np.ndarray:
    """(..., 3) points or directions, +Z up, to +Y up: (x, y, z) becomes (x, z, -y). Keeps the float type."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def normalise_vertices(vertices: np.ndarray) -> tuple[np.ndarray, Triple, float]:
    """Vertices (V, 3) of a mesh as positions (V, 3) float64 of an omage, with the `centre` and `scale` that lead back.

    `position * scale + centre` is the point in metres, still +Z up. Every vertex counts for the bounding box, so those
    that no face uses should be gone. Raises `OmagenError` (geometry): no vertices, not finite, or all at one point.
    """
    points = to_omage_frame(vertices.astype(np.float64))
    if not len(points) or not np.isfinite(points).all():
        raise _no_extent("has no vertices" if not len(points) else "has coordinates that are not finite numbers")
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max())
    if longest <= 0:
        raise _no_extent("has no extent: all of its vertices are at one point")
    centre, scale = (low + high) / 2, longest / LONGEST_SIDE
    return (points - centre) / scale, (float(centre[0]), float(centre[1]), float(centre[2])), scale


def restore_vertices(position: np.ndarray, centre: Triple, scale: float) -> np.ndarray:
    """Positions (..., 3) of an omage as vertices (..., 3) float32 of a mesh: metres, +Y up."""
    return from_omage_frame(position.astype(np.float64) * scale + np.asarray(centre)).astype(np.float32)


def _no_extent(problem: str) -> OmagenError:
    return OmagenError(ErrorCode.GEOMETRY, f"The mesh {problem}.", "Choose a mesh that has a surface.")
