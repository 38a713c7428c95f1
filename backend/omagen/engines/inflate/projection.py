"""Where the picture lands on the surface: seen from the front as it is, except for a narrow band along the outline.

Straight projection would draw the last pixels before the outline out over the whole steep side. So the picture is let
slide outwards a little there: along a circular cross-section, at the angle t from the outline, the surface point at
distance R (1 - cos t) from the outline shows the pixel at distance R (1 - cos t + K t (1 - t / T)²).
"""

from __future__ import annotations

import numpy as np

from omagen.engines.inflate.surface import Surface

GIVE = 0.3
"""K: one over the largest stretch. Pixels move by at most a fifth of K times the radius of the cross-section."""
END = 1.2
"""T: the angle from the outline, in radians, from which the projection is straight."""


def project(surface: Surface) -> np.ndarray:
    """(V, 2) points of the plane, y up, whose pixels the vertices of `surface` show. No triangle is turned over or
    flattened.
    """
    angle = np.arcsin(np.clip(surface.normals[:, 2], 0, 1))
    slide = surface.bend_radii() * GIVE * angle * np.clip(1 - angle / END, 0, None) ** 2
    inward = -surface.normals[:, :2] / np.maximum(np.linalg.norm(surface.normals[:, :2], axis=1, keepdims=True), 1e-9)
    straight = _signed_areas(surface.xy, surface.faces)
    for _ in range(12):
        points = surface.xy + slide[:, None] * inward
        turned = _signed_areas(points, surface.faces) < 0.2 * straight
        if not turned.any():
            return points
        slide[surface.faces[turned]] *= 0.5
        slide[slide < 1e-3] = 0.0
    slide[:] = 0.0
    return surface.xy


def _signed_areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
