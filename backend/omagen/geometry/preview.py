"""The thumbnail of a mesh: three-quarter view, textured and lit, on a transparent background."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from omagen.geometry.color import to_srgb
from omagen.geometry.shading import Points, base_color, shade, unit
from omagen.geometry.view_raster import ViewRaster, rasterize_corners
from omagen.shapes import Material, Mesh

VIEW: Final = np.array([0.62, 0.42, 1.0], np.float32)
"""From the object to the camera: front, right, above."""
DISTANCE: Final = 4.0
"""Of the camera from the object's centre, in radii of its bounding sphere."""
MARGIN: Final = 0.04
SUPERSAMPLING: Final = 2
MOST_LAYERS: Final = 64
"""Transparent surfaces one behind the other that are seen through"""
DITHER: Final = np.array([[0.125, 0.625], [0.875, 0.375]], np.float32)
"""Opacity above which each sample of a pixel is drawn: four samples make five levels of transparency."""


def render_preview(mesh: Mesh, size: int = 256) -> np.ndarray:
    """(size, size, 4) uint8, sRGB, straight alpha, row 0 at the top: `mesh` seen from the front, right and above.

    Deterministic. A mesh without faces gives an empty picture.
    """
    if len(mesh.faces) == 0:
        return np.zeros((size, size, 4), np.uint8)
    fine = size * SUPERSAMPLING
    view = _View(mesh, fine)
    triangle, weights, depth = view.surface()
    seen = np.flatnonzero(triangle >= 0)
    light = np.zeros((fine * fine, 4), np.float32)
    light[seen, :3] = view.shade(triangle.reshape(-1)[seen], weights.reshape(-1, 3)[seen], view.openness(depth))
    light[seen, 3] = 1
    light = cv2.resize(light.reshape(fine, fine, 4), (size, size), interpolation=cv2.INTER_AREA)
    alpha = light[..., 3:]
    color = to_srgb(_compressed(light[..., :3] / np.maximum(alpha, 1e-6)))
    return np.round(np.concatenate([color, alpha], axis=2).clip(0, 1) * 255).astype(np.uint8)


def _compressed(light: np.ndarray) -> np.ndarray:
    """Linear up to 0.7, above it rolling off towards 1, so that highlights keep their shape."""
    knee = 0.7
    over = np.maximum(light - knee, 0)
    return np.minimum(light, knee) + (1 - knee) * over / (over + 1 - knee)


class _View:
    """A mesh as the preview's camera sees it, on a square of `size` samples."""

    def __init__(self, mesh: Mesh, size: int) -> None:
        self._mesh, self._size = mesh, size
        self._materials = mesh.materials or (Material(),)
        forward = unit(VIEW)
        right = unit(np.cross(np.array([0, 1, 0], np.float32), forward))
        self._rotation = np.stack([right, np.cross(forward, right), forward])
        is_used = np.zeros(len(mesh.vertices), bool)
        is_used[mesh.faces] = True
        used = np.flatnonzero(is_used)
        low, high = mesh.vertices[used].min(0).astype(np.float64), mesh.vertices[used].max(0).astype(np.float64)
        self._radius = max(float(np.linalg.norm(high - low)) / 2, 1e-30)
        self._placed = ((mesh.vertices - (low + high) / 2) / self._radius).astype(np.float32) @ self._rotation.T
        depth = np.maximum(DISTANCE - self._placed[:, 2:], np.float32(1e-3))
        screen = self._placed[:, :2] / depth * np.array([1, -1], np.float32)
        low, high = screen[used].min(0), screen[used].max(0)
        scale = (1 - 2 * MARGIN) * size / max(float((high - low).max()), 1e-12)
        screen = ((screen - (low + high) / 2) * scale + size / 2).astype(np.float32)
        self._corners = np.column_stack([screen * depth, depth, depth])
        """(V, 4): x, y in samples times depth, and depth twice"""
        self._screen = screen

    def surface(self) -> ViewRaster:
        """What is seen at each sample; through what is transparent there, what is behind it."""
        raster = rasterize_corners(self._corners, self._mesh.faces, self._size, self._size)
        if all(material.alpha_mode == "OPAQUE" for material in self._materials):
            return raster
        face, weights, depth = (plane.reshape(self._size**2, *plane.shape[2:]) for plane in raster)
        behind = np.full(self._size**2, np.inf, np.float32)
        left = np.flatnonzero(face >= 0)
        for _ in range(MOST_LAYERS):
            left = left[~self._is_there(face[left], weights[left], left)]
            if not len(left):
                break
            behind[left] = depth[left]
            further = rasterize_corners(
                self._corners, self._mesh.faces, self._size, self._size, behind.reshape(self._size, self._size)
            )
            for plane, deeper in zip((face, weights, depth), further, strict=True):
                plane[left] = deeper.reshape(plane.shape)[left]
            left = left[face[left] >= 0]
        face[left] = -1
        depth[left] = np.inf
        return raster

    def _is_there(self, triangles: np.ndarray, weights: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(N,) bool: whether the surface is opaque enough to be drawn in the samples `pixels` (N,)."""
        kept = np.ones(len(triangles), bool)
        threshold = DITHER[pixels // self._size % 2, pixels % self._size % 2]
        for material, chosen in self._by_material(triangles):
            if material.alpha_mode != "OPAQUE":
                points = self._points(triangles[chosen], weights[chosen])
                limit = material.alpha_cutoff if material.alpha_mode == "MASK" else threshold[chosen]
                kept[chosen] = base_color(material, points)[:, 3] >= limit
        return kept

    def openness(self, depth: np.ndarray) -> np.ndarray:
        """(N,) float32 for the N samples that show something: how little of the sky their surroundings hide.

        Luft, Colditz, Deussen, "Image enhancement by unsharp masking the depth buffer", 2006.
        """
        seen = np.isfinite(depth)
        depth = np.where(seen, depth, np.float32(0))
        hidden = np.zeros(seen.shape, np.float32)
        for radius in (0.012, 0.04):
            blur = (0, 0), radius * self._size
            around = cv2.GaussianBlur(depth, *blur) / np.maximum(cv2.GaussianBlur(seen.astype(np.float32), *blur), 1e-3)
            hidden += (6 * (depth - around)).clip(0, 0.4)
        return 1 - hidden[seen]

    def shade(self, triangles: np.ndarray, weights: np.ndarray, openness: np.ndarray) -> np.ndarray:
        """(N, 3) float32, linear: the colour of each sample, given its triangle and its place on it."""
        light = np.zeros((len(triangles), 3), np.float32)
        for material, chosen in self._by_material(triangles):
            points = self._points(triangles[chosen], weights[chosen])
            light[chosen] = shade(material, points, openness[chosen])
        return light

    def _by_material(self, triangles: np.ndarray) -> Iterator[tuple[Material, np.ndarray]]:
        if self._mesh.material_index is None:
            yield self._materials[0], np.arange(len(triangles))
            return
        index = self._mesh.material_index[triangles]
        order = np.argsort(index, kind="stable")
        values, starts = np.unique(index[order], return_index=True)
        for value, chosen in zip(values, np.split(order, starts[1:]), strict=True):
            yield self._materials[value], chosen

    def _points(self, triangles: np.ndarray, weights: np.ndarray) -> Points:
        """The surface at `weights` (N, 3), barycentric, of `triangles` (N,)."""
        mesh = self._mesh
        faces = mesh.faces[triangles]
        corners = self._placed[faces]
        sides = corners[:, 1:] - corners[:, :1]
        flat = unit(np.cross(sides[:, 0], sides[:, 1]))
        normal = flat if mesh.normals is None else unit(_blend(weights, mesh.normals[triangles])) @ self._rotation.T
        to_camera = np.array([0, 0, DISTANCE], np.float32) - _blend(weights, corners)
        normal = np.where((flat * to_camera).sum(1, keepdims=True) < 0, -normal, normal)
        color = None if mesh.colors is None else _blend(weights, mesh.colors[faces])
        if mesh.uv is None or len(triangles) == 0:
            return Points(normal, color=color)
        uv = mesh.uv[triangles]
        return Points(normal, _blend(weights, uv), color, _tangents(sides, uv), self._footprint(triangles, uv))

    def _footprint(self, triangles: np.ndarray, uv: np.ndarray) -> float:
        mesh = self._mesh
        covered = np.median(np.sqrt(_area(uv) / np.maximum(_area(self._screen[mesh.faces[triangles]]), 1e-6)))
        return float(covered) if np.isfinite(covered) else 0.0


def _blend(weights: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, K) float32: `corners` (N, 3, K) averaged by `weights` (N, 3)."""
    return np.einsum("nc,nck->nk", weights, corners)


def _area(corners: np.ndarray) -> np.ndarray:
    """(N,) twice the area of triangles in the plane, (N, 3, 2)."""
    b, c = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])


def _tangents(sides: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, 2, 3) float32, unit: where u and v grow, on triangles with `sides` (N, 2, 3) and `uv` (N, 3, 2)."""
    b, c = (uv[:, 1] - uv[:, 0])[..., None], (uv[:, 2] - uv[:, 0])[..., None]
    sign = np.where(b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0] < 0, np.float32(-1), np.float32(1))
    along_u = unit((sides[:, 0] * c[:, 1] - sides[:, 1] * b[:, 1]) * sign)
    along_v = unit((sides[:, 1] * b[:, 0] - sides[:, 0] * c[:, 0]) * sign)
    return np.stack([along_u, along_v], axis=1)
