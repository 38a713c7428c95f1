"""Which triangle a camera sees at each pixel, and where on it: a z-buffer over homogeneous coordinates.

Olano, Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997: what reaches behind the camera needs
no clipping, and weights come out correct in perspective.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.kernels import cache

cache.install()


MOST_TESTS: Final = 2.0**30
"""Pixels that are looked at, all faces together, before large faces are thinned out: no mesh takes unbounded time"""
LARGE: Final = 64
"""Pixels from which a face counts as large"""


class ViewRaster(NamedTuple):
    """What is seen at the centre of each pixel, row 0 at the top."""

    face: np.ndarray
    """(H, W) int32, -1 where nothing is"""
    barycentric: np.ndarray
    """(H, W, 3) float32, on the surface, not on the screen; 0 where nothing is"""
    depth: np.ndarray
    """(H, W) float32, metres along the camera's axis; infinite where nothing is"""


def rasterize_view(vertices: np.ndarray, faces: np.ndarray, camera: Camera, width: int, height: int) -> ViewRaster:
    """The triangles `faces` (F, 3) over `vertices` (V, 3) as `camera` sees them, from either side.

    Pictures of neighbouring triangles have no gaps between them. Of faces at the same depth the first one counts.
    Corners that are not finite make their faces invisible.
    """
    homogeneous, depth = camera.homogeneous(vertices)
    return rasterize_corners(np.column_stack([homogeneous * (width, height, 1), depth]), faces, width, height)


def rasterize_corners(
    corners: np.ndarray, faces: np.ndarray, width: int, height: int, behind: np.ndarray | None = None
) -> ViewRaster:
    """Like `rasterize_view` for vertices whose places are known: `corners` (V, 4), x and y in pixels times w, w, depth.

    `behind` (H, W) float32: only what is deeper than that is drawn, so that what is seen through can be taken away.
    """
    face = np.full((height, width), -1, np.int32)
    barycentric = np.zeros((height, width, 3), np.float32)
    nearest = np.full((height, width), np.inf, np.float32)
    if behind is None:
        behind = np.zeros((height, width), np.float32)
    faces = np.ascontiguousarray(faces, np.int32)
    _draw(np.ascontiguousarray(corners, np.float64), faces, behind, face, barycentric, nearest)
    return ViewRaster(face, barycentric, nearest)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw(
    corners: np.ndarray,
    faces: np.ndarray,
    behind: np.ndarray,
    face: np.ndarray,
    barycentric: np.ndarray,
    nearest: np.ndarray,
) -> None:
    """Draw all `faces`; `corners` (V, 4) float64: x, y in pixels times w, w, and depth."""
    height, width = face.shape
    tests = 0.0
    for f in range(len(faces)):
        left, right, top, bottom = _extent(corners, faces[f, 0], faces[f, 1], faces[f, 2], width, height)
        tests += float(max(right - left, 0)) * max(bottom - top, 0)
    step = int(np.ceil(max(tests, 1.0) / MOST_TESTS))
    edge = np.empty((3, 3), np.float64)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        left, right, top, bottom = _extent(corners, a, b, c, width, height)
        if left >= right or top >= bottom:
            continue
        if f % step and (right - left) * (bottom - top) >= LARGE:
            continue
        _edge(corners, b, c, edge, 0)
        _edge(corners, c, a, edge, 1)
        _edge(corners, a, b, edge, 2)
        twice = corners[a, 0] * edge[0, 0] + corners[a, 1] * edge[0, 1] + corners[a, 2] * edge[0, 2]
        if not (twice > 0 or twice < 0):
            continue
        side = 1.0 if twice > 0 else -1.0
        for i in range(top, bottom):
            y = i + 0.5
            begin, end = float(left), float(right)
            for k in range(3):
                slope = side * edge[k, 0]
                start = side * (edge[k, 1] * y + edge[k, 2])
                # a pixel more on either side: the exact test below decides
                if slope > 0:
                    begin = max(begin, -start / slope - 1.5)
                elif slope < 0:
                    end = min(end, -start / slope + 1.5)
                elif start < 0:
                    end = begin
            if not begin < end:
                continue
            for j in range(int(begin), int(end)):
                x = j + 0.5
                # the same products, with the other sign, on the other side of an edge: no pixel falls between
                p = side * (edge[0, 0] * x + (edge[0, 1] * y + edge[0, 2]))
                q = side * (edge[1, 0] * x + (edge[1, 1] * y + edge[1, 2]))
                r = side * (edge[2, 0] * x + (edge[2, 1] * y + edge[2, 2]))
                total = p + q + r
                if p < 0 or q < 0 or r < 0 or not total > 0:
                    continue
                p, q, r = p / total, q / total, r / total
                depth = np.float32(p * corners[a, 3] + q * corners[b, 3] + r * corners[c, 3])
                if depth > behind[i, j] and depth < nearest[i, j]:
                    nearest[i, j], face[i, j] = depth, f
                    barycentric[i, j, 0], barycentric[i, j, 1], barycentric[i, j, 2] = p, q, r


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _edge(corners: np.ndarray, a: int, b: int, edge: np.ndarray, k: int) -> None:
    """`edge[k]`: the line through the corners a and b, as their cross product."""
    edge[k, 0] = corners[a, 1] * corners[b, 2] - corners[a, 2] * corners[b, 1]
    edge[k, 1] = corners[a, 2] * corners[b, 0] - corners[a, 0] * corners[b, 2]
    edge[k, 2] = corners[a, 0] * corners[b, 1] - corners[a, 1] * corners[b, 0]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _extent(corners: np.ndarray, a: int, b: int, c: int, width: int, height: int) -> tuple[int, int, int, int]:
    """First and past-last column and row whose centres a triangle may cover, of its part in front of the camera."""
    low_x = low_y = np.inf
    high_x = high_y = -np.inf
    for at, to in ((a, b), (b, c), (c, a)):
        if not np.isfinite(corners[at, 0] + corners[at, 1] + corners[at, 2] + corners[at, 3]):
            return 0, 0, 0, 0
        w, v = corners[at, 2], corners[to, 2]
        if w > 0:
            x, y = corners[at, 0] / w, corners[at, 1] / w
            low_x, high_x = min(low_x, x), max(high_x, x)
            low_y, high_y = min(low_y, y), max(high_y, y)
        if (w > 0) != (v > 0):  # where the edge goes behind the camera it runs off the picture, in some direction
            x = corners[at, 0] * (v - w) - (corners[to, 0] - corners[at, 0]) * w
            y = corners[at, 1] * (v - w) - (corners[to, 1] - corners[at, 1]) * w
            if v < w:
                x, y = -x, -y
            low_x, high_x = (low_x, np.inf) if x > 0 else (-np.inf, high_x) if x < 0 else (low_x, high_x)
            low_y, high_y = (low_y, np.inf) if y > 0 else (-np.inf, high_y) if y < 0 else (low_y, high_y)
    if corners[a, 3] <= 0 and corners[b, 3] <= 0 and corners[c, 3] <= 0:
        return 0, 0, 0, 0
    left = int(np.ceil(min(max(low_x - 0.5, 0.0), float(width))))
    right = int(np.floor(min(max(high_x - 0.5, -1.0), float(width - 1)))) + 1
    top = int(np.ceil(min(max(low_y - 0.5, 0.0), float(height))))
    bottom = int(np.floor(min(max(high_y - 0.5, -1.0), float(height - 1)))) + 1
    return left, right, top, bottom
