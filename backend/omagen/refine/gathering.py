"""Kernels that bring normals of pictures onto the faces that are seen in them, and settle what views disagree about."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.view_raster import rasterize_view
from omagen.kernels import cache
from omagen.shapes import Mesh

cache.install()

POWER: Final = 3
"""Of the cosine between a face and the way it is seen, which is what a view counts"""
MIN_COSINE: Final = 0.1
MIN_LENGTH: Final = 0.7
"""Of an interpolated normal; shorter ones lie across the edge of something nearer"""
TOLERANCE: Final = 0.35
"""Radians off the others at which a view counts half"""


def gather(
    mesh: Mesh, camera: Camera, normal: np.ndarray, mask: np.ndarray, weight: float, result: np.ndarray
) -> None:
    """Write what a view says about each face into `result` (F, 4) float32: a unit normal in the world, its weight.

    `normal` (H, W, 3) float32 in the camera's frame, `mask` (H, W) float32. 0 where a face is hidden, looks away, is out of the
    picture or lies at an edge where the picture's normals do not agree.
    """
    height, width = mask.shape
    raster = rasterize_view(mesh.vertices, mesh.faces, camera, width, height)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    centres = corners.mean(1)
    place, depth = camera.project(centres)
    _gather(
        corners, centres, place * (width, height), depth, camera.towards(centres),
        camera.pixel_length(depth, height), raster.depth, raster.face, normal, mask,
        np.ascontiguousarray(camera.world_from_camera[:3, :3]), float(weight), result,
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(
    corners, centres, place, depth, towards, pixel, seen_depth, seen_face, normal, mask, rotation, weight, result
):
    height, width = mask.shape
    n = np.empty(3)
    for f in range(len(corners)):
        for k in range(4):
            result[f, k] = 0
        x, y = place[f, 0] - 0.5, place[f, 1] - 0.5
        if not (x > -0.5 and y > -0.5 and x < width - 0.5 and y < height - 0.5 and depth[f] > 0):
            continue
        ax, ay, az = corners[f, 1] - corners[f, 0]
        bx, by, bz = corners[f, 2] - corners[f, 0]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if not length > 0:
            continue
        cosine = (nx * towards[f, 0] + ny * towards[f, 1] + nz * towards[f, 2]) / length
        if cosine < MIN_COSINE:
            continue
        slope = np.sqrt(max(0.0, 1 - cosine * cosine)) / cosine
        row, column = min(max(int(y + 0.5), 0), height - 1), min(max(int(x + 0.5), 0), width - 1)
        behind = depth[f] - seen_depth[row, column]
        if seen_face[row, column] != f and not behind < pixel[f] * (1.5 * slope + 1.0):
            continue
        top, left = int(np.floor(y)), int(np.floor(x))
        down, across = y - top, x - left
        n[:] = 0
        sure = total = 0.0
        for i in range(2):
            for j in range(2):
                r, c = top + i, left + j
                if r < 0 or c < 0 or r >= height or c >= width:
                    continue
                w = (down if i else 1 - down) * (across if j else 1 - across)
                sure += w * mask[r, c]
                total += w
                for k in range(3):
                    n[k] += w * normal[r, c, k]
        size = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
        if not (size >= MIN_LENGTH * total and sure > 0):
            continue
        for k in range(3):
            result[f, k] = (rotation[k, 0] * n[0] + rotation[k, 1] * n[1] + rotation[k, 2] * n[2]) / size
        result[f, 3] = weight * sure / total * cosine**POWER


@numba.njit(cache=True, nogil=True, error_model="numpy")
def settle(found):
    """(F, 3) float64 unit normals and (F,) weights 0 to 1, from `found` (K, F, 4) float32, the K views of each face.

    Starts from the view that agrees best with all others, weighted, as a median does; then averages with weights that fall
    with the distance from the average so far.
    """
    views, faces = found.shape[0], found.shape[1]
    normal, weight = np.zeros((faces, 3)), np.zeros(faces)
    for f in range(faces):
        total, best, cost = 0.0, -1, np.inf
        for k in range(views):
            if found[k, f, 3] <= 0:
                continue
            total += found[k, f, 3]
            away = 0.0
            for m in range(views):
                if found[m, f, 3] > 0 and m != k:
                    cosine = 0.0
                    for i in range(3):
                        cosine += found[k, f, i] * found[m, f, i]
                    away += found[m, f, 3] * np.sqrt(max(0.0, 2 - 2 * cosine))
            if away < cost:
                cost, best = away, k
        if best < 0:
            continue
        x, y, z = found[best, f, 0], found[best, f, 1], found[best, f, 2]
        agreed = total
        for _ in range(3):
            sx = sy = sz = agreed = 0.0
            for k in range(views):
                w = found[k, f, 3]
                if w > 0:
                    off = 2 - 2 * (x * found[k, f, 0] + y * found[k, f, 1] + z * found[k, f, 2])
                    w /= 1 + max(0.0, off) ** 2 / TOLERANCE**4
                    sx, sy, sz = sx + w * found[k, f, 0], sy + w * found[k, f, 1], sz + w * found[k, f, 2]
                    agreed += w
            size = np.sqrt(sx * sx + sy * sy + sz * sz)
            if not size > 0:
                break
            x, y, z = sx / size, sy / size, sz / size
        normal[f, 0], normal[f, 1], normal[f, 2] = x, y, z
        weight[f] = min(1.0, 4 * agreed) * agreed / total
    return normal, weight
