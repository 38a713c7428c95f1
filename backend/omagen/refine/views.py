"""Pictures of normals from known cameras: drawn from a mesh, and gathered from them onto a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.sampling import face_normals
from omagen.geometry.view_raster import rasterize_view
from omagen.refine.gathering import gather, settle
from omagen.refine.outlines import outline_offsets
from omagen.refine.targets import FaceTargets, Offsets
from omagen.shapes import Mesh


@dataclass(frozen=True)
class ViewNormals:
    """What a camera sees of a surface's directions, row 0 at the top."""

    camera: Camera
    normal: np.ndarray
    """(H, W, 3) float32 in the camera's frame (+X right, +Y up, +Z towards the viewer), unit length; 0 = nothing"""
    mask: np.ndarray
    """(H, W) float32, 0 to 1: how sure each pixel is; 0 where nothing is"""
    weight: float = 1.0
    """How much the view counts among others"""


def render_normals(mesh: Mesh, cameras: Sequence[Camera], size: int) -> list[ViewNormals]:
    """The normals of `mesh` as `cameras` see them, pictures of `size` rows; its corner normals, else smooth ones."""
    corners = shading_normals(mesh)
    return [_render(mesh, corners, camera, size) for camera in cameras]


def _render(mesh: Mesh, corners: np.ndarray, camera: Camera, size: int) -> ViewNormals:
    raster = rasterize_view(mesh.vertices, mesh.faces, camera, max(1, round(size * camera.aspect)), size)
    seen = raster.face >= 0
    normal = np.zeros((*seen.shape, 3), np.float32)
    weights = raster.barycentric[seen]
    directions = np.einsum("ni,nij->nj", weights, corners[raster.face[seen]])
    directions = directions @ camera.world_from_camera[:3, :3].astype(np.float32)
    normal[seen] = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-20)
    return ViewNormals(camera, normal, seen.astype(np.float32))


def shading_normals(mesh: Mesh) -> np.ndarray:
    """(F, 3, 3) float32: the mesh's own normals at its corners, else those of its vertices, by the area around them."""
    if mesh.normals is not None:
        return mesh.normals
    doubled = face_normals(mesh.vertices, mesh.faces)
    flat = mesh.faces.reshape(-1)
    sums = np.stack([np.bincount(flat, np.repeat(doubled[:, k], 3), len(mesh.vertices)) for k in range(3)], axis=1)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-300)
    return sums.astype(np.float32)[mesh.faces]


class ViewSource:
    """Normals of several views, settled face by face: what few views say against the others counts little."""

    def __init__(self, views: Sequence[ViewNormals]) -> None:
        self._views = views

    def targets(self, mesh: Mesh) -> FaceTargets:
        found = np.zeros((len(self._views), len(mesh.faces), 4), np.float32)
        for place, view in zip(found, self._views, strict=True):
            gather(mesh, view.camera, view.normal, view.mask, view.weight, place)
        normal, weight = settle(found)
        return FaceTargets(normal, weight)

    def offsets(self, mesh: Mesh) -> Offsets | None:
        return outline_offsets(mesh, [(view.camera, view.mask) for view in self._views])
