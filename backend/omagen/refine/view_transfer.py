"""What some views say about a surface, brought into another view of it: through depth, by how well each one sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from omagen.geometry.view_raster import ViewRaster, rasterize_view
from omagen.refine.normal_pictures import unit
from omagen.refine.views import ViewNormals
from omagen.shapes import Mesh

DEPTH_PIXELS: Final = 3.0
"""How far apart in depth, in pixels across, two views may put the same surface"""
MIN_LENGTH: Final = 0.7
"""Of an interpolated normal; shorter ones lie across an edge"""


@dataclass(frozen=True)
class SeenSurface:
    """The places of a mesh that the pixels of a view show."""

    seen: np.ndarray
    """(H, W) bool"""
    position: np.ndarray
    """(N, 3) float64, of the seen pixels, row by row"""
    depth: np.ndarray
    """(H, W) float32, infinite where nothing is"""

    @classmethod
    def of(cls, mesh: Mesh, view: ViewNormals) -> SeenSurface:
        height, width = view.mask.shape
        raster: ViewRaster = rasterize_view(mesh.vertices, mesh.faces, view.camera, width, height)
        seen = raster.face >= 0
        corners = mesh.vertices[mesh.faces[raster.face[seen]]].astype(np.float64)
        return cls(seen, np.einsum("nk,nkc->nc", raster.barycentric[seen], corners), raster.depth)

    def thinned(self) -> SeenSurface:
        """With every third row and column only, for what is measured over all of it."""
        kept = np.zeros_like(self.seen)
        kept[1::3, 1::3] = self.seen[1::3, 1::3]
        return SeenSurface(kept, self.position[kept[self.seen]], self.depth)


@dataclass(frozen=True)
class Transferred:
    normal: np.ndarray
    """(H, W, 3) float32 unit, in the camera's frame of the view that it was brought into; 0 = nothing"""
    share: np.ndarray
    """(H, W) float32, 0 to 1: how far other views have decided the pixel"""


def transfer(
    views: Sequence[ViewNormals], surfaces: Sequence[SeenSurface], view: ViewNormals, surface: SeenSurface
) -> Transferred:
    """The normals of `views`, which see `surfaces`, where `view` sees them too, one fused from all that do.

    A view that sees a place at a steeper angle than `view` does by far has not decided it.
    """
    total = np.zeros((len(surface.position), 3))
    share = np.zeros(len(surface.position))
    rotation = view.camera.world_from_camera[:3, :3]
    normal = view.normal[surface.seen] @ rotation.T.astype(np.float32)
    own = _facing(view, surface.position, normal)
    for other, depth in zip(views, (s.depth for s in surfaces), strict=True):
        found, belief = _sampled(other, depth, surface.position)
        facing = _facing(other, surface.position, normal)
        decided = belief * _step(facing, 0.25, 0.45) * _step(facing / np.maximum(own, 0.05), 0.4, 0.7)
        total += (decided * facing**2)[:, None] * (found @ other.camera.world_from_camera[:3, :3].T)
        share = np.maximum(share, decided)
    normals = np.zeros((*surface.seen.shape, 3), np.float32)
    shares = np.zeros(surface.seen.shape, np.float32)
    normals[surface.seen] = unit(total) @ rotation
    shares[surface.seen] = share * (np.linalg.norm(total, axis=1) > 1e-9)
    return Transferred(normals, shares)


def disagreement(mesh: Mesh, views: Sequence[ViewNormals]) -> float:
    """Degrees between what pairs of `views` say about places that both see well; 0 where there are none."""
    surfaces = [SeenSurface.of(mesh, view) for view in views]
    angle = weight = 0.0
    for i, (view, surface) in enumerate(zip(views, surfaces, strict=True)):
        some = surface.thinned()
        for other, seen in list(zip(views, surfaces, strict=True))[i + 1 :]:
            found = transfer([other], [seen], view, some)
            both = (found.share > 0.05) & (view.mask > 0)
            cosine = (found.normal[both] * view.normal[both]).sum(-1)
            angle += float((np.degrees(np.arccos(np.clip(cosine, -1, 1))) * found.share[both]).sum())
            weight += float(found.share[both].sum())
    return angle / weight if weight else 0.0


def _sampled(view: ViewNormals, depth: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) unit normals that `view` has at places (N, 3), in its frame, and (N,) 0 to 1 how sure; 0 where hidden."""
    height, width = depth.shape
    place, away = view.camera.project(position)
    x, y = (np.nan_to_num(place * (width, height) - 0.5, nan=-9.0).astype(np.float32).T)[..., None]
    at = (np.ascontiguousarray(x), np.ascontiguousarray(y))
    normal = _remap(view.normal, at, cv2.INTER_LINEAR)
    mask = _remap(view.mask, at, cv2.INTER_LINEAR)
    there = _remap(np.where(np.isfinite(depth), depth, 1e9), at, cv2.INTER_NEAREST, 1e9)
    length = np.linalg.norm(normal, axis=1)
    # a surface that runs away from the viewer changes depth by as much as it is steep
    slope = np.maximum(np.abs(normal[:, 2]) / np.maximum(length, 1e-6), 0.2)
    tolerance = DEPTH_PIXELS * view.camera.pixel_length(np.maximum(away, 1e-6), height) / slope
    miss = (away - there) / np.maximum(tolerance, 1e-12)
    sure = np.exp(-(np.clip(miss, -9, 9) ** 2)) * (length > MIN_LENGTH) * mask * (away > 0)
    return unit(normal), np.where(sure > 0.1, sure, 0)


def _remap(picture: np.ndarray, at: tuple[np.ndarray, np.ndarray], how: int, outside: float = 0.0) -> np.ndarray:
    """(N,) or (N, C) float64: `picture` (H, W) or (H, W, C) at N places; pieces, as OpenCV takes 32767 rows at most."""
    picture = np.ascontiguousarray(picture, np.float32)
    pieces = [
        cv2.remap(picture, at[0][i : i + 2**14], at[1][i : i + 2**14], how, None, cv2.BORDER_CONSTANT, [outside] * 4)
        for i in range(0, len(at[0]), 2**14)
    ]
    shape = (0, *picture.shape[2:])
    joined = np.concatenate([p.reshape(-1, *picture.shape[2:]) for p in pieces]) if pieces else np.zeros(shape)
    return joined.astype(np.float64)


def _facing(view: ViewNormals, position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(N,) cosines, 0 at least, between normals (N, 3) in the world and the ways to the viewer."""
    return np.maximum((view.camera.towards(position) * normal).sum(1), 0)


def _step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
