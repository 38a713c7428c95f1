"""Cameras for pictures that came without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.cameras import Camera, bounding_sphere, look_at
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Picture

DIRECTIONS: Final[Mapping[str, tuple[float, float, float]]] = {
    "front": (0, 0, 1),
    "right": (1, 0, 0),
    "back": (0, 0, -1),
    "left": (-1, 0, 0),
    "top": (0, 1, 0),
    "bottom": (0, -1, 0),
}
"""From the object to the camera. Left and right are the picture's, seen from the front."""
SOLID: Final = 0.5
"""Of the greatest opacity: from there on a pixel shows the object"""


def fitted_camera(mesh: Mesh, picture: Picture, direction: tuple[float, float, float] = (0, 0, 1)) -> Camera:
    """An orthographic view of `mesh` from `direction`, so framed that the object in `picture` has its extent.

    The box around what is opaque in the picture meets the box around the mesh's outline, on all four sides: where
    their proportions differ the picture is stretched. Raises `OmagenError` (input) where nothing is opaque.
    """
    top, bottom, left, right = solid_box(picture)
    centre, radius = bounding_sphere(mesh)
    camera = Camera(look_at(centre + 2 * radius * np.array(direction, np.float64), centre), "orthographic", 1.0)
    view = camera.in_view(mesh.vertices[mesh.faces.reshape(-1)])[:, :2]
    low, high = view.min(0), view.max(0)
    extent = np.maximum(high - low, 1e-6 * radius)
    rows, columns = picture.rgba.shape[:2]
    width, height = extent * (columns / (right - left), rows / (bottom - top))
    middle = (low + high) / 2
    middle += (columns / 2 - (left + right) / 2) * width / columns, ((top + bottom) / 2 - rows / 2) * height / rows
    matrix = camera.world_from_camera.copy()
    matrix[:3, 3] += matrix[:3, :2] @ middle
    return Camera(matrix, "orthographic", float(height), float(width / height))


def stretch(camera: Camera, picture: Picture) -> float:
    """How much wider than tall `camera` makes the pixels of `picture`, or the other way round; 1 = square."""
    rows, columns = picture.rgba.shape[:2]
    ratio = camera.aspect * rows / columns
    return max(ratio, 1 / ratio)


def solid_box(picture: Picture) -> tuple[int, int, int, int]:
    """Rows and columns (top, bottom, left, right; half-open) of what shows the object."""
    alpha = picture.rgba[..., 3]
    solid = alpha >= max(SOLID * int(alpha.max(initial=0)), 1)
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    if not len(rows):
        raise OmagenError(ErrorCode.INPUT, "The picture is transparent all over.", "Choose another picture.")
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def opposite(mesh: Mesh, picture: Picture, camera: Camera) -> tuple[Picture, Camera]:
    """`picture` as if it shone through `mesh`: its mirror image, and a camera on the other side of the object."""
    centre, _ = bounding_sphere(mesh)
    backward = camera.backward
    position = camera.position - 2 * ((camera.position - centre) @ backward) * backward
    matrix = camera.world_from_camera.copy()
    matrix[:3, 0], matrix[:3, 2], matrix[:3, 3] = -matrix[:3, 0], -backward, position
    mirrored = replace(picture, rgba=np.ascontiguousarray(picture.rgba[:, ::-1]))
    return mirrored, replace(camera, world_from_camera=matrix)
