"""Kernels that bring normals of pictures onto the faces that are seen in them, and settle what views disagree about."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.geometry.cameras import Camera
from omagen.geometry.view_raster import ViewRaster
from omagen.kernels import cache
from omagen.shapes import Mesh

cache.install()

POWER: Final = 3
"""Of the cosine between a face and the way it is seen, which is what a view counts"""
MIN_COSINE: Final = 0.1
MIN_LENGTH: Final = 0.7
"""Of an interpolated normal; shorter ones lie across the edge of something nearer"""
VOTE: Final = 1 / POWER
"""Exponent of weights where views vote, so that one that looks straight on does not outvote all others"""
TOLERANCE: Final = 0.35
"""Radians off the others at which a view counts half"""


def gather(
    mesh: Mesh, raster: ViewRaster, camera: Camera, picture: tuple[np.ndarray, np.ndarray, float], result: np.ndarray
) -> None:
    """Write what a view says about each face into `result` (F, 4) float32: a unit normal in the world, its weight.

    `raster` is the mesh in the view, in any resolution; `picture` is (H, W, 3) float32, normals in the camera's frame,
    (H, W) float32, how sure they are, and how much the view counts. 0 where a face is hidden, looks away, is out of the
    picture or lies at an edge where the picture's normals do not agree.
    """
    perspective = camera.kind == "perspective"
    half = np.tan(camera.size / 2) if perspective else camera.size / 2
    frame = np.ascontiguousarray(camera.world_from_camera[:3], np.float64)
    normal, mask, weight = picture
    _gather(
        mesh.vertices, mesh.faces, frame, perspective, float(half), float(camera.aspect),
        raster.depth, raster.face, normal, mask, float(weight), result,
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(vertices, faces, frame, perspective, half, aspect, seen_depth, seen_face, normal, mask, weight, result):
    height, width = mask.shape
    n, q, e = np.empty(3), np.empty(3), np.empty((2, 3))
    for f in range(len(faces)):
        for k in range(4):
            result[f, k] = 0
        for k in range(3):
            a, b, c = vertices[faces[f, 0], k], vertices[faces[f, 1], k], vertices[faces[f, 2], k]
            n[k] = (np.float64(a) + b + c) / 3 - frame[k, 3]
            e[0, k], e[1, k] = np.float64(b) - a, np.float64(c) - a
        nx = e[0, 1] * e[1, 2] - e[0, 2] * e[1, 1]
        ny = e[0, 2] * e[1, 0] - e[0, 0] * e[1, 2]
        nz = e[0, 0] * e[1, 1] - e[0, 1] * e[1, 0]
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if not length > 0:
            continue
        if perspective:
            away = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
            cosine = -(nx * n[0] + ny * n[1] + nz * n[2]) / (length * away)
        else:
            cosine = (nx * frame[0, 2] + ny * frame[1, 2] + nz * frame[2, 2]) / length
        if cosine < MIN_COSINE:
            continue
        for k in range(3):
            q[k] = frame[0, k] * n[0] + frame[1, k] * n[1] + frame[2, k] * n[2]
        depth = -q[2]
        scale = depth if perspective else 1.0
        if not depth > 0:
            continue
        x = (0.5 + 0.5 * q[0] / (half * aspect * scale)) * width - 0.5
        y = (0.5 - 0.5 * q[1] / (half * scale)) * height - 0.5
        if not (x > -0.5 and y > -0.5 and x < width - 0.5 and y < height - 0.5):
            continue
        pixel = 2 * half * scale / len(seen_depth)
        slope = np.sqrt(max(0.0, 1 - cosine * cosine)) / cosine
        row = min(int((y + 0.5) * len(seen_depth) / height), len(seen_depth) - 1)
        column = min(int((x + 0.5) * seen_depth.shape[1] / width), seen_depth.shape[1] - 1)
        behind = depth - seen_depth[row, column]
        if seen_face[row, column] != f and not behind < pixel * (1.5 * slope + 1.0):
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
            result[f, k] = (frame[k, 0] * n[0] + frame[k, 1] * n[1] + frame[k, 2] * n[2]) / size
        result[f, 3] = weight * sure / total * cosine**POWER


@numba.njit(cache=True, nogil=True, error_model="numpy")
def settle(found):
    """(F, 3) float64 unit normals and (F,) weights 0 to 1, from `found` (K, F, 4) float32, the K views of each face.

    Starts from the view that agrees best with all others, as a median does; then averages with weights that fall with
    the distance from the average so far.
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
                    away += found[m, f, 3] ** VOTE * np.sqrt(max(0.0, 2 - 2 * cosine))
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
