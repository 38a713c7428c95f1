"""One picture with its camera, as the points of a mesh see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from omagen.bake.surface_texels import SurfaceTexels
from omagen.geometry.cameras import Camera
from omagen.geometry.color import to_linear
from omagen.geometry.rays import RayCaster
from omagen.geometry.view_raster import rasterize_view
from omagen.shapes import Mesh, Picture
from omagen.texturing.fitting import SOLID

LARGEST_RASTER: Final = 1024
"""Pixels a side at which outlines are looked for"""
STEEP: Final = 12.0
"""Difference in depth between two pixels, in their width, from which there is an edge between them"""
NEAREST, FURTHEST = 1.0, 0.006
"""Distance from an outline within which a pixel does not count, in pixels, and from which it counts in full, as a share
of the picture's longer side (but at least three pixels more)"""
GRAZING: Final = (0.05, 0.3)
"""Cosines between the surface and the view: up to the first nothing is seen, from the second on all is trusted"""
LIFT: Final = 2e-5
"""Of the mesh's size: how far above the surface rays start"""
ROW: Final = 1024
"""cv2.remap takes pictures, not lists: points are arranged in rows of so many"""


@dataclass(frozen=True)
class Sight:
    """What a picture says about N texels."""

    color: np.ndarray
    """(N, 3) float32, linear"""
    opacity: np.ndarray
    """(N,) float32, 0 to 1"""
    trust: np.ndarray
    """(N,) float32, 0 to 1: 0 where a point is hidden, looks away, or lies too near an outline"""
    weight: np.ndarray
    """(N,) float32: how well it is seen in comparison with other pictures; 0 where trust is"""


class View:
    """A picture on a mesh."""

    def __init__(self, mesh: Mesh, caster: RayCaster, picture: Picture, camera: Camera) -> None:
        """`caster` of `mesh`; `camera.aspect` need not be the picture's own, which stretches it."""
        self._camera, self._caster = camera, caster
        self._rows, self._columns = picture.rgba.shape[:2]
        self._levels = _pyramid(picture.rgba)
        self._clear = _clearance(mesh, picture, camera)
        used = mesh.vertices[mesh.faces.reshape(-1)]
        self._lift = LIFT * float(np.ptp(used, axis=0).max()) if len(used) else 0.0

    def look(self, texels: SurfaceTexels) -> Sight:
        """What the picture says about `texels`."""
        count = len(texels.position)
        color, opacity = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
        trust, weight = np.zeros(count, np.float32), np.zeros(count, np.float32)
        place, depth = self._camera.project(texels.position)
        towards = self._camera.towards(texels.position)
        cosine = np.einsum("nc,nc->n", towards, texels.facing)
        with np.errstate(invalid="ignore"):
            inside = (place > 0).all(1) & (place < 1).all(1) & (depth > 0) & (cosine > GRAZING[0])
        seen = np.flatnonzero(inside)
        start = texels.position[seen] + self._lift * (texels.facing[seen] + towards[seen])
        way = np.linalg.norm(self._camera.position - start, axis=1)
        reach = np.where(self._camera.kind == "perspective", way, depth[seen])
        seen = seen[~self._caster.occluded(start, towards[seen], reach)]
        if not len(seen):
            return Sight(color, opacity, trust, weight)
        clear = _bilinear(self._clear, place[seen])[:, 0]
        length = self._camera.pixel_length(depth[seen], self._rows)
        texel = np.log2(np.maximum(texels.pitch[seen] / np.maximum(length, 1e-300), 1e-6))
        rgba = self._sampled(place[seen], texel)
        opacity[seen] = rgba[:, 3].clip(0, 1)
        color[seen] = (rgba[:, :3] / np.maximum(rgba[:, 3:], 1e-4)).clip(0, 1)
        low, high = GRAZING
        trust[seen] = clear * _smooth((cosine[seen] - low) / (high - low))
        # the share of a texel's area that one pixel shows: of two views the one that shows it larger counts for more
        weight[seen] = clear * cosine[seen] ** 2 / length
        return Sight(color, opacity, trust, weight)

    def _sampled(self, place: np.ndarray, level: np.ndarray) -> np.ndarray:
        """(N, 4) float32: the picture at `place` (N, 2), averaged over 2^`level` (N,) of its pixels."""
        level = level.clip(0, len(self._levels) - 1)
        result = np.zeros((len(place), 4), np.float32)
        for number, pixels in enumerate(self._levels):
            share = (1 - np.abs(level - number)).clip(0, 1).astype(np.float32)
            needed = np.flatnonzero(share)
            if len(needed):
                result[needed] += share[needed, None] * _bilinear(pixels, place[needed])
        return result


def _pyramid(rgba: np.ndarray) -> list[np.ndarray]:
    """The picture (H, W, 4) float32, linear and premultiplied, and its halves."""
    table = to_linear(np.arange(256) / 255).astype(np.float32)
    alpha = rgba[..., 3:].astype(np.float32) / 255
    levels: list[np.ndarray] = [np.concatenate([table[rgba[..., :3]] * alpha, alpha], axis=2)]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        half = (max(width // 2, 1), max(height // 2, 1))
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return levels


def _bilinear(pixels: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(N, C) float32: `pixels` (H, W, C) at `place` (N, 2), 0 to 1 in x and y."""
    height, width, channels = pixels.shape
    rows = -(-len(place) // ROW)
    grid = np.zeros((rows * ROW, 2), np.float32)
    grid[: len(place)] = place * (width, height) - 0.5
    grid = grid.reshape(rows, ROW, 2)
    found = cv2.remap(pixels, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return found.reshape(-1, channels)[: len(place)]


def _clearance(mesh: Mesh, picture: Picture, camera: Camera) -> np.ndarray:
    """(h, w, 1) float32, 0 to 1: whether a pixel is far enough from outlines to show what it seems to.

    Outlines are those of the picture's object, those of the mesh, and where one part of the mesh hides another: next
    to them a picture that fits the mesh almost shows what lies beside or behind.
    """
    rows, columns = picture.rgba.shape[:2]
    scale = min(1.0, LARGEST_RASTER / max(rows, columns))
    height, width = max(round(rows * scale), 1), max(round(columns * scale), 1)
    alpha = cv2.resize(picture.rgba[..., 3], (width, height), interpolation=cv2.INTER_AREA)
    alpha = alpha.reshape(height, width)
    raster = rasterize_view(mesh.vertices, mesh.faces, camera, width, height)
    solid = (alpha > 0) & (alpha >= SOLID * float(alpha.max())) & (raster.face >= 0) & ~_broken(raster.depth, camera)
    framed = np.pad(solid.astype(np.uint8), 1)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    span = max(FURTHEST * max(height, width), 3.0)
    # what is thin has no middle as far from its outline as that: there its own middle counts in full
    reach = 2 * int(np.ceil(NEAREST + span)) + 1
    widest = cv2.dilate(distance, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    distance = distance * ((NEAREST + span) / np.clip(widest, 0.5, NEAREST + span))
    return _smooth((distance - NEAREST) / span)[..., None].astype(np.float32)


def _broken(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) bool: pixels next to which there is surface too, but suddenly elsewhere."""
    edge = np.zeros(depth.shape, bool)
    limit = STEEP * camera.pixel_length(np.where(np.isfinite(depth), depth, 0), depth.shape[0])
    for axis in (0, 1):
        with np.errstate(invalid="ignore"):
            step = np.abs(np.diff(depth, axis=axis))
        step = np.isfinite(step) & (step > np.delete(limit, -1, axis))
        for side in (0, 1):
            edge |= np.insert(step, 0 if side else step.shape[axis], False, axis)
    return edge


def _smooth(values: np.ndarray) -> np.ndarray:
    values = values.clip(0, 1)
    return values * values * (3 - 2 * values)
