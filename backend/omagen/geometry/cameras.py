"""Cameras as glTF has them, and sets of views around an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from omagen.geometry.directions import spread_directions
from omagen.shapes import Mesh

MARGIN: Final = 1.02
"""How much larger than the object's bounding sphere a view of a set is"""


@dataclass(frozen=True)
class Camera:
    """A camera without lens errors: it looks along its own -Z, +Y is up, +X is right.

    Pictures: x runs from 0 at the left edge to 1 at the right, y from 0 at the top edge to 1 at the bottom. What is
    behind the camera is not in the picture, for both kinds.
    """

    world_from_camera: np.ndarray
    """(4, 4) float64, a rotation and a position"""
    kind: Literal["perspective", "orthographic"]
    size: float
    """Perspective: the vertical field of view, radians; orthographic: the height of the picture, metres"""
    aspect: float = 1.0
    """Width of the picture / its height"""

    @property
    def position(self) -> np.ndarray:
        """(3,) float64"""
        return self.world_from_camera[:3, 3]

    @property
    def backward(self) -> np.ndarray:
        """(3,) float64, unit: from the object towards the camera, along its axis"""
        return self.world_from_camera[:3, 2]

    def in_view(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float64: `points` (N, 3) in the camera's frame."""
        away = np.asarray(points, np.float64) - self.position
        # not a matrix product: for three columns its threads cost several times what they do
        return np.einsum("nk,kc->nc", away, self.world_from_camera[:3, :3])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where `points` (N, 3) are seen, (N, 2) float64 in the picture, and (N,) depth along its axis, metres.

        Depth is > 0 in front of the camera. What a perspective camera has not in front of it is at NaN.
        """
        homogeneous, depth = self.homogeneous(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = homogeneous[:, :2] / np.where(homogeneous[:, 2:] > 0, homogeneous[:, 2:], np.nan)
        return place, depth

    def homogeneous(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) float64: places in the picture before the division by the third column; and (N,) depth, metres."""
        view = self.in_view(points)
        depth = -view[:, 2]
        weight = depth if self.kind == "perspective" else np.ones_like(depth)
        half = np.tan(self.size / 2) if self.kind == "perspective" else self.size / 2
        x = 0.5 * weight + 0.5 * view[:, 0] / (half * self.aspect)
        y = 0.5 * weight - 0.5 * view[:, 1] / half
        return np.stack([x, y, weight], axis=1), depth

    def towards(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float64, unit: from `points` (N, 3) to where they are seen from."""
        if self.kind == "orthographic":
            return np.broadcast_to(self.backward, np.shape(points)).astype(np.float64)
        way = self.position - np.asarray(points, np.float64)
        return way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-300)

    def pixel_length(self, depth: np.ndarray, height: int) -> np.ndarray:
        """Metres that a pixel of a picture of `height` rows spans, across the axis, at `depth`."""
        if self.kind == "orthographic":
            return np.full(np.shape(depth), self.size / height)
        return np.asarray(depth) * (2 * np.tan(self.size / 2) / height)


def look_at(position: np.ndarray, target: np.ndarray, up: np.ndarray | None = None) -> np.ndarray:
    """(4, 4) float64: `world_from_camera` of a camera at `position` (3,) that looks at `target` (3,).

    `up` (3,) is up in the picture; by default +Y, and seen from straight above the front (+Z) is at the bottom.
    """
    position, target = np.asarray(position, np.float64), np.asarray(target, np.float64)
    backward = position - target
    backward = backward / np.linalg.norm(backward)
    if up is None:
        is_steep = abs(backward[1]) > 0.999
        up = np.array([0.0, 0.0, -np.sign(backward[1])]) if is_steep else np.array([0.0, 1.0, 0.0])
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(backward, right), backward], axis=1)
    matrix[:3, 3] = position
    return matrix


def bounding_sphere(surface: Mesh | np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) float64 and radius > 0 of the sphere around the box of a mesh, or around (2, 3) bounds."""
    if isinstance(surface, Mesh):
        used = surface.vertices[surface.faces.reshape(-1)]
        surface = np.stack([used.min(0), used.max(0)]) if len(used) else np.zeros((2, 3))
    low, high = np.asarray(surface, np.float64)
    return (low + high) / 2, float(np.linalg.norm(high - low)) / 2 or 1.0


def view_from(surface: Mesh | np.ndarray, direction: np.ndarray) -> Camera:
    """A square orthographic view of the whole of a mesh, or of (2, 3) bounds, from `direction` (3,)."""
    centre, radius = bounding_sphere(surface)
    direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    return Camera(look_at(centre + 2 * radius * direction, centre), "orthographic", 2 * radius * MARGIN)


def view_set(surface: Mesh | np.ndarray, count: int) -> list[Camera]:
    """`count` square orthographic views all around a mesh, or (2, 3) bounds, at one scale, the first from the front.

    2: and back. 4: front, right, back, left. 6: and top, bottom. 8 and 12: along the corners of a cube and of an
    icosahedron. Other counts spread evenly over the sphere.
    """
    return [view_from(surface, direction) for direction in spread_directions(count)]
