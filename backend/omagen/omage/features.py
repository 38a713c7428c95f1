"""Draws samples onto the edges and corners of the surface, so that the triangles of the grid bend where the mesh does.

A sample at its pixel's centre misses every crease between two pixels and cuts it off. Wherever an edge of the mesh
passes within half a pixel of a sample, the sample moves onto it, corners first, as long as the grid stays in order.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.geometry.sampling import face_normals
from omagen.omage.grids import Grids

LEAST_BEND: Final = 0.02
"""Radians: flatter edges attract nothing."""
LEAST_AREA: Final = 0.1
"""In pixels: no triangle between neighbouring samples becomes smaller; undisturbed ones have 0.5."""


def attract(
    grids: Grids,
    positions: np.ndarray,
    faces: np.ndarray,
    chart: np.ndarray,
    twin: np.ndarray,
    free: np.ndarray,
    shift: np.ndarray,
) -> None:
    """Change `shift` (N, 2) float32, by which samples of cells are off their centres, where `free` (N,) bool allows.

    `positions` (V, 3) float64, `faces` (F, 3) int32, `chart` (F,) int32: the surface; `twin` as in `Boundary`. About
    20 ns a cell and 50 ns a face.
    """
    bend = _bends(_face_normals(positions, faces), twin)
    if not bend.any():
        return
    free = free.copy()
    score = np.zeros(len(grids.mask), np.float32)
    target = np.zeros((len(grids.mask), 2), np.float32)
    for aim in (_aim_at_corners, _aim_at_edges):
        score[:] = 0
        aim(grids.uv, bend, twin, chart, grids.start, grids.width, free, score, target)
        _move(grids.start, grids.width, grids.mask, score, target, free, shift)


def _face_normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) float64, unit length; 0 for faces without area."""
    normal = face_normals(positions, faces)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)


@numba.njit(cache=True, nogil=True)
def _bends(normal: np.ndarray, twin: np.ndarray) -> np.ndarray:
    """(3F,) float32: the angle between the faces at each inner edge, 0 where it is too flat."""
    bend = np.zeros(len(twin), np.float32)
    for e in range(len(twin)):
        if twin[e] < 0:
            continue
        f, g = e // 3, twin[e] // 3
        cosine = normal[f, 0] * normal[g, 0] + normal[f, 1] * normal[g, 1] + normal[f, 2] * normal[g, 2]
        angle = np.arccos(min(max(cosine, -1.0), 1.0))
        bend[e] = angle if angle >= LEAST_BEND else 0.0
    return bend


@numba.njit(cache=True, nogil=True)
def _aim_at_corners(
    uv: np.ndarray,
    bend: np.ndarray,
    twin: np.ndarray,
    chart: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    free: np.ndarray,
    score: np.ndarray,
    target: np.ndarray,
) -> None:
    """For every free cell with ends of edges in it, that of the sharpest."""
    for e in range(len(bend)):
        f, a = e // 3, e % 3
        x, y = uv[f, a, 0], uv[f, a, 1]
        p = start[chart[f]] + int(y) * width[chart[f]] + int(x)
        if bend[e] > score[p] and free[p]:
            score[p] = bend[e]
            target[p, 0], target[p, 1] = x - int(x) - 0.5, y - int(y) - 0.5


@numba.njit(cache=True, nogil=True)
def _aim_at_edges(
    uv: np.ndarray,
    bend: np.ndarray,
    twin: np.ndarray,
    chart: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    free: np.ndarray,
    score: np.ndarray,
    target: np.ndarray,
) -> None:
    """For every free cell the nearest point, in its row or column, of the sharpest edge that runs through it.

    Along an edge that is more level than steep every column has one cell, otherwise every row.
    """
    for e in range(len(bend)):
        if bend[e] == 0.0 or e > twin[e]:
            continue
        f, a = e // 3, e % 3
        b = 0 if a == 2 else a + 1
        base, w = start[chart[f]], width[chart[f]]
        x0, y0, x1, y1 = uv[f, a, 0], uv[f, a, 1], uv[f, b, 0], uv[f, b, 1]
        steep = abs(y1 - y0) > abs(x1 - x0)
        if steep:
            x0, y0, x1, y1 = y0, x0, y1, x1
        if x0 > x1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        slope = (y1 - y0) / max(x1 - x0, 1e-12)
        for j in range(int(np.ceil(x0 - 0.5)), int(np.floor(x1 - 0.5)) + 1):
            y = y0 + slope * (j + 0.5 - x0)
            i = int(y)
            p = base + (j * w + i if steep else i * w + j)
            if bend[e] > score[p] and free[p]:
                score[p] = bend[e]
                target[p, 0], target[p, 1] = (y - i - 0.5, 0.0) if steep else (0.0, y - i - 0.5)


@numba.njit(cache=True, nogil=True)
def _move(
    start: np.ndarray,
    width: np.ndarray,
    mask: np.ndarray,
    score: np.ndarray,
    target: np.ndarray,
    free: np.ndarray,
    shift: np.ndarray,
) -> None:
    """Move the samples that are aimed at something, where that turns no triangle over; they are free no more."""
    for c in range(len(width)):
        w = width[c]
        for p in range(start[c] + w, start[c + 1] - w):
            if score[p] == 0.0:
                continue
            x, y = shift[p, 0], shift[p, 1]
            shift[p, 0], shift[p, 1] = target[p, 0], target[p, 1]
            if _in_order(mask, shift, p, w):
                free[p] = False
            else:
                shift[p, 0], shift[p, 1] = x, y


@numba.njit(cache=True, nogil=True)
def _in_order(mask: np.ndarray, shift: np.ndarray, p: int, w: int) -> bool:
    """Whether all triangles of three corners of the blocks around cell p are large enough."""
    for up in (0, 1):
        for right in (0, 1):
            a = p - up * w - right
            b, c, d = a + 1, a + w + 1, a + w
            if not (
                _is_large(mask, shift, a, b, c, 1, 0, 1, 1)
                and _is_large(mask, shift, a, c, d, 1, 1, 0, 1)
                and _is_large(mask, shift, a, b, d, 1, 0, 0, 1)
                and _is_large(mask, shift, b, c, d, 0, 1, -1, 1)
            ):
                return False
    return True


@numba.njit(cache=True, nogil=True)
def _is_large(mask: np.ndarray, shift: np.ndarray, a: int, b: int, c: int, bx: int, by: int, cx: int, cy: int) -> bool:
    if not (mask[a] and mask[b] and mask[c]):
        return True
    ux, uy = bx + shift[b, 0] - shift[a, 0], by + shift[b, 1] - shift[a, 1]
    vx, vy = cx + shift[c, 0] - shift[a, 0], cy + shift[c, 1] - shift[a, 1]
    return 0.5 * (ux * vy - uy * vx) >= LEAST_AREA
