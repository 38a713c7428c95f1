"""Pictures of normals from known cameras: drawn from a mesh, and gathered from them onto a mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.sampling import face_normals, vertex_normals
from omagen.geometry.topology import borders
from omagen.geometry.view_raster import ViewRaster, rasterize_view
from omagen.omage.cores import on_cores
from omagen.refine.gathering import gather, settle
from omagen.refine.outlines import depth_inside, outline_offsets
from omagen.refine.settings import RefineSettings
from omagen.refine.targets import FaceTargets, Offsets
from omagen.shapes import Mesh

ENOUGH: Final = 512
"""Pixels a side at which the mesh is drawn where the pictures have twice as many or more: what hides what, and where
outlines are on average, needs no more than half of theirs"""
ProgressCall = Callable[[str, float], None]


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
    return vertex_normals(mesh.vertices, mesh.faces).astype(np.float32)[mesh.faces]


class ViewSource:
    """Normals of several views, settled face by face: what few views say against the others counts little."""

    any_mesh = True
    knows_places = True

    def __init__(self, views: Sequence[ViewNormals]) -> None:
        self._views = views
        self._outlines: list[np.ndarray | None] | None = None
        self._closed: tuple[np.ndarray | None, bool] = None, False
        self._drawn: tuple[Mesh | None, list[ViewRaster]] = None, []

    def targets(self, mesh: Mesh) -> FaceTargets:
        found = np.empty((len(self._views), len(mesh.faces), 4), np.float32)

        def bring(row: tuple[ViewNormals, ViewRaster, np.ndarray]) -> None:
            view, raster, place = row
            gather(mesh, raster, view.camera, (view.normal, view.mask, view.weight), place)

        on_cores(bring, zip(self._views, self._rasters(mesh), found, strict=True))
        normal, weight = settle(found)
        return FaceTargets(normal, weight)

    def offsets(self, mesh: Mesh) -> Offsets | None:
        if self._outlines is None:
            self._outlines = on_cores(lambda view: depth_inside(_shrunk(view.mask) > 0.5), self._views)
        drawn = on_cores(lambda raster: depth_inside(raster.face >= 0), self._rasters(mesh))
        return outline_offsets(mesh, [view.camera for view in self._views], drawn, self._outlines)

    def _is_closed(self, mesh: Mesh) -> bool:
        if self._closed[0] is not mesh.faces:
            self._closed = mesh.faces, len(borders(mesh.faces).open_edges) == 0
        return self._closed[1]

    def _rasters(self, mesh: Mesh) -> list[ViewRaster]:
        """The mesh in all views; remembered for the next question about it"""

        closed = face_normals(mesh.vertices, mesh.faces) if self._is_closed(mesh) else None

        def draw(view: ViewNormals) -> ViewRaster:
            height, width = _drawn_shape(view.mask)
            return _front(mesh, closed, view.camera, width, height)

        if self._drawn[0] is not mesh:
            self._drawn = mesh, on_cores(draw, self._views)
        return self._drawn[1]


def _drawn_shape(mask: np.ndarray) -> tuple[int, int]:
    height, width = mask.shape
    return (height // 2, width // 2) if min(height, width) >= 2 * ENOUGH else (height, width)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """`mask` as large as the mesh is drawn"""
    return cv2.resize(mask, _drawn_shape(mask)[::-1], interpolation=cv2.INTER_AREA)


def _front(mesh: Mesh, closed: np.ndarray | None, camera: Camera, width: int, height: int) -> ViewRaster:
    """`mesh` in a view. Where it is closed, with the face normals `closed` (F, 3), its far side needs no drawing."""
    if closed is None or camera.kind != "orthographic":
        return rasterize_view(mesh.vertices, mesh.faces, camera, width, height)
    facing = np.flatnonzero(closed @ camera.backward > 0).astype(np.int32)
    raster = rasterize_view(mesh.vertices, mesh.faces[facing], camera, width, height)
    number = np.append(facing, np.int32(-1))  # the last one is what -1 leads to
    return raster._replace(face=number[raster.face])


def refine_from_views(
    mesh: Mesh, views: Sequence[ViewNormals], settings: RefineSettings, progress: ProgressCall
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` refined by the normals of `views`; see `refinement.refine`."""
    from omagen.refine.refinement import refine

    return refine(mesh, ViewSource(views), settings, progress)
