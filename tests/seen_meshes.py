"""Pictures of meshes' base colours, as cameras see them."""

from __future__ import annotations

import numpy as np
from omagen.geometry.cameras import Camera
from omagen.geometry.color import to_srgb
from omagen.geometry.view_raster import rasterize_view
from omagen.omage.surface import sample_surface
from omagen.shapes import Mesh, Picture


def seen(mesh: Mesh, camera: Camera, width: int, height: int, fine: int = 3) -> Picture:
    """`mesh` unlit on a transparent ground, `fine` x `fine` samples a pixel."""
    raster = rasterize_view(mesh.vertices, mesh.faces, camera, width * fine, height * fine)
    at = np.flatnonzero(raster.face.reshape(-1) >= 0)
    surface = sample_surface(mesh, raster.face.reshape(-1)[at], raster.barycentric.reshape(-1, 3)[at, 1:])
    light = np.zeros((raster.face.size, 4), np.float32)
    light[at, :3], light[at, 3] = surface.albedo, 1
    light = light.reshape(height, fine, width, fine, 4).mean((1, 3))
    color = to_srgb(light[..., :3] / np.maximum(light[..., 3:], 1e-6))
    return Picture(np.round(np.dstack([color, light[..., 3]]).clip(0, 1) * 255).astype(np.uint8), has_alpha=True)
