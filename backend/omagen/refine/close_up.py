"""Views of an object as large as they can be, for what works on pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from omagen.geometry.cameras import Camera
from omagen.shapes import Mesh

MARGIN: Final = 1.1
"""Of the object's larger side in the picture: image models draw borders badly"""


def close_up(mesh: Mesh, camera: Camera) -> Camera:
    """An orthographic `camera` moved and scaled so that `mesh` fills its picture; a perspective one as it is."""
    used = np.unique(mesh.faces)
    if camera.kind == "perspective" or not len(used):
        return camera
    place = camera.in_view(mesh.vertices[used])[:, :2]
    low, high = place.min(0), place.max(0)
    matrix = camera.world_from_camera.copy()
    matrix[:3, 3] += matrix[:3, :2] @ ((low + high) / 2)
    width, height = high - low
    size = MARGIN * max(height, width / camera.aspect)
    return replace(camera, world_from_camera=matrix, size=float(size) if size > 0 else camera.size)
