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

LEAST = 1e-3
"""Twice the area, in square pixels, below which triangles are spread out: more than rounding to float32 can undo."""
SPREADING_ROUNDS, SPREADING_STEPS = 120, 10
OVERSHOOT = 2.2
"""How many times further than the mean of what its triangles ask for a vertex is moved."""


def project(surface: Surface) -> np.ndarray:
    """(V, 2) points of the plane, y up, whose pixels the vertices of `surface` show. No triangle is turned over or
    flattened.
    """
    angle = np.arcsin(np.clip(surface.normals[:, 2], 0, 1))
    slide = surface.bend_radii() * GIVE * angle * np.clip(1 - angle / END, 0, None) ** 2
    inward = -surface.normals[:, :2] / np.maximum(np.linalg.norm(surface.normals[:, :2], axis=1, keepdims=True), 1e-9)
    straight = _signed_areas(surface.xy, surface.faces)
    least = np.where(straight > LEAST, 0.2 * straight, -np.inf)
    for _ in range(12):
        points = surface.xy + slide[:, None] * inward
        turned = _signed_areas(points, surface.faces) < least
        if not turned.any():
            break
        slide[surface.faces[turned]] *= 0.5
        slide[slide < 1e-3] = 0.0
    else:
        points = surface.xy.copy()
    _untangle(points, surface)
    return points


def _untangle(points: np.ndarray, surface: Surface) -> None:
    """Spread `points` out where triangles lean over or stand upright, until each has an area.

    Every triangle that lacks area pushes its inner corners away from its opposite sides, by as little as suffices
    (position-based dynamics, Müller et al. 2007).
    """
    inner = np.arange(len(points)) >= surface.rim_count
    for _ in range(SPREADING_ROUNDS):
        short = surface.faces[_signed_areas(points, surface.faces) < LEAST]
        if not len(short):
            return
        touched = np.zeros(len(points), bool)
        touched[short] = True
        patch = surface.faces[touched[surface.faces].any(1)]
        for _ in range(SPREADING_STEPS):
            _spread(points, patch, inner)


def _spread(points: np.ndarray, faces: np.ndarray, inner: np.ndarray) -> None:
    area = _signed_areas(points, faces)
    short = area < LEAST
    corner = faces[short]
    side = points[corner[:, [2, 0, 1]]] - points[corner[:, [1, 2, 0]]]
    push = np.stack([-side[..., 1], side[..., 0]], 2) * inner[corner][..., None]
    push *= ((2 * LEAST - area[short]) / np.maximum(np.sum(push**2, (1, 2)), 1e-12))[:, None, None]
    moved, index, shares = np.unique(corner, return_inverse=True, return_counts=True)
    for axis in (0, 1):
        total = np.bincount(index.ravel(), push[..., axis].ravel(), len(moved))
        points[moved, axis] += OVERSHOOT * total / shares


def _signed_areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
