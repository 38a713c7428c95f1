"""A view's normals as a picture that a user paints on, and what the painting asks of the mesh: there and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.view_raster import rasterize_view
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.normal_pictures import decode, encode
from omagen.refine.targets import Offsets
from omagen.refine.views import ViewNormals, ViewSource, render_normals
from omagen.shapes import Mesh, Picture

STEP: Final = 2
"""Of 255: how much a pixel has to differ to count as painted; saving a picture may change it by one"""
LEAST_LENGTH: Final = 0.3
"""Of a painted direction: greyer paint means none"""


class EditedSource(ViewSource):
    """The painted pixels of one view. They say nothing of places: where they end, the object does not."""

    def offsets(self, mesh: Mesh) -> Offsets | None:
        return None


def view_picture(mesh: Mesh, camera: Camera, height: int) -> Picture:
    """The normals of `mesh` as `camera` sees them: red to the right, green up, blue towards the viewer.

    (H, W, 4) uint8, clear where nothing is seen. Raises `OmagenError` (input) where the camera sees nothing at all.
    """
    (view,) = render_normals(mesh, [camera], height)
    seen = view.mask > 0
    if not seen.any():
        raise OmagenError(ErrorCode.INPUT, "The view does not show the object.", "Turn the view towards it.")
    colors = np.round(encode(view.normal, view.mask) * 255).astype(np.uint8)
    return Picture(np.dstack([colors, np.where(seen, 255, 0).astype(np.uint8)]), has_alpha=True)


def edited_view(mesh: Mesh, camera: Camera, picture: Picture) -> tuple[Mesh, EditedSource]:
    """What was painted on `picture`, which was `view_picture(mesh, camera, …)` before, and `mesh` with what it covers
    as its region.

    Raises `OmagenError` (input): for a picture of another shape than the view, and where nothing was painted.
    """
    height, width = picture.rgba.shape[:2]
    if width != max(1, round(height * camera.aspect)):
        raise OmagenError(
            ErrorCode.INPUT,
            f"The picture is {width} x {height}, another shape than the view it was made for.",
            "Paint on the picture without cropping it.",
        )
    before = view_picture(mesh, camera, height).rgba
    normal, length = decode(picture.rgba[..., :3] / np.float32(255))
    change = np.abs(picture.rgba[..., :3].astype(np.int16) - before[..., :3]).max(-1)
    painted = (change > STEP) & (before[..., 3] > 0) & (length > LEAST_LENGTH) & (picture.rgba[..., 3] > 127)
    if not painted.any():
        raise OmagenError(
            ErrorCode.INPUT, "Nothing was painted on the picture of normals.", "Paint on it, then apply it."
        )
    view = ViewNormals(camera, normal, painted.astype(np.float32))
    region = _covered(mesh, camera, painted)
    if mesh.region is not None:
        region = np.minimum(region, mesh.region)
    return replace(mesh, region=region), EditedSource([view])


def _covered(mesh: Mesh, camera: Camera, painted: np.ndarray) -> np.ndarray:
    """(V,) float32, 1 for the corners of faces that the painted pixels and those next to them show, else 0."""
    height, width = painted.shape
    face = rasterize_view(mesh.vertices, mesh.faces, camera, width, height).face
    around = cv2.dilate(painted.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    shown = np.unique(face[around & (face >= 0)])
    region = np.zeros(len(mesh.vertices), np.float32)
    region[mesh.faces[shown]] = 1
    return region
