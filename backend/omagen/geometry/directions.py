"""Directions spread evenly over the sphere or the hemisphere."""

from __future__ import annotations

from typing import Final

import numpy as np

AXES: Final = np.array([[0, 0, 1], [1, 0, 0], [0, 0, -1], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float64)
"""Front, right, back, left, top, bottom"""
GOLDEN: Final = (1 + 5**0.5) / 2


def spread_directions(count: int) -> np.ndarray:
    """(count, 3) float64, unit: directions around an object, the first one +Z.

    Along the axes up to 4 and for 6, to the corners of a cube for 8, of an icosahedron for 12, else a golden spiral.
    """
    if count < 1:
        raise ValueError(f"count is {count}, not at least 1")
    if count in (1, 4, 6):
        return AXES[:count]
    if count == 2:
        return AXES[[0, 2]]
    if count == 8:
        corners = np.array([[x, y, z] for x in (1, -1) for y in (1, -1) for z in (1, -1)], np.float64)
    elif count == 12:
        corners = np.array(
            [np.roll([0, a, b], turn) for turn in range(3) for a in (1, -1) for b in (GOLDEN, -GOLDEN)], np.float64
        )
    else:
        corners = _spiral(count)
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    return corners @ _turn_to_front(corners[0]).T


def cosine_directions(count: int) -> np.ndarray:
    """(count, 3) float64, unit, z > 0: a hemisphere's directions, as dense as the cosine with +Z (Malley's method)."""
    number = np.arange(count)
    radius = np.sqrt((number + 0.5) / count)
    angle = 2 * np.pi * number / GOLDEN
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1)


def _spiral(count: int) -> np.ndarray:
    number = np.arange(count)
    height = 1 - (2 * number + 1) / count
    across, angle = np.sqrt(1 - height**2), 2 * np.pi * number / GOLDEN
    return np.stack([across * np.sin(angle), height, across * np.cos(angle)], axis=1)


def _turn_to_front(direction: np.ndarray) -> np.ndarray:
    """(3, 3): the least rotation that takes `direction` (3,), unit, to +Z."""
    axis, cosine = np.cross(direction, [0.0, 0.0, 1.0]), direction[2]
    if cosine < -0.999999:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)
