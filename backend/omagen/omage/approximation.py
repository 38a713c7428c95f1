"""Moves inner samples off the surface by a little, so that the triangles between them lie nearest to it on average.

Triangles between points of a curved surface lie on its inner side everywhere. Letting the points step outside by what
the triangles around them are short of takes the better part of that away. The sum of distances counts, not of their
squares, so that flat parts stay where they are beside a crease.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from omagen.omage.grids import Grids
from omagen.omage.locate import Samples, walk

SWEEPS: Final = 8
"""Of Gauss-Seidel, each weighing the residuals anew by their size; the system is close to diagonal."""
POINT: Final = 1.0
EDGE: Final = 2.0
BLOCK: Final = 4.0
"""Weights of the residuals at points, middles of edges and middles of blocks: Simpson's rule."""
SMALL: Final = 0.1
"""Of the mean residual: smaller ones weigh no more."""
LARGEST: Final = 0.25
"""Of the distance to the nearest neighbouring sample: no point moves farther."""
FEW: Final = 2.0
"""Samples per face: with more, the grid follows the faces, and there is hardly anything to gain."""


def approximated(
    points: np.ndarray, positions: np.ndarray, faces: np.ndarray, twin: np.ndarray, grids: Grids, samples: Samples
) -> np.ndarray:
    """`points` (P, 3) float64, one for each of `samples`, with those inside charts moved along their normals.

    `positions` (V, 3) float64 and `faces` (F, 3) are the surface, `twin` as in `Boundary`. Seam points stay, and so do
    all where samples are many; no point leaves the bounding box.
    """
    if len(samples.face) > FEW * len(faces):
        return points
    width = grids.width[samples.chart].astype(np.int64)
    cells = grids.start[samples.chart] + samples.row * width + samples.column
    at = np.full(len(grids.mask), -1, np.int32)
    at[cells] = np.arange(len(cells), dtype=np.int32)
    normal = _normals(points, at, cells, width)
    residual = _residuals(
        points, positions, faces, twin, grids.uv, samples.face, samples.bary, at, cells, width, normal
    )
    small = max(SMALL * float(np.abs(residual).mean()), 1e-300)
    step = _solve(points, at, cells, width, samples.seam, residual, small)
    return np.clip(points + step[:, None] * normal, positions.min(axis=0), positions.max(axis=0))


@numba.njit(cache=True, nogil=True)
def _normals(points: np.ndarray, at: np.ndarray, cells: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(P, 3) float64: unit normals of the grid at each sample, from its neighbours; 0 where there are too few."""
    normal = np.zeros_like(points)
    for p in range(len(cells)):
        c, w = cells[p], width[p]
        right, left, up, down = at[c + 1], at[c - 1], at[c + w], at[c - w]
        right, left = (right if right >= 0 else p), (left if left >= 0 else p)
        up, down = (up if up >= 0 else p), (down if down >= 0 else p)
        ux, uy, uz = points[right] - points[left]
        vx, vy, vz = points[up] - points[down]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            normal[p, 0], normal[p, 1], normal[p, 2] = x / length, y / length, z / length
    return normal


@numba.njit(cache=True, nogil=True)
def _residuals(
    points: np.ndarray,
    positions: np.ndarray,
    faces: np.ndarray,
    twin: np.ndarray,
    uv: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    at: np.ndarray,
    cells: np.ndarray,
    width: np.ndarray,
    normal: np.ndarray,
) -> np.ndarray:
    """(P, 3) float64: how far the surface is outside the middle of the edge to the right, up, and of the block."""
    residual = np.zeros((len(cells), 3))
    place = np.empty((len(cells), 2))
    for p in range(len(cells)):
        f = face[p]
        b, c = bary[p, 0], bary[p, 1]
        for k in range(2):
            place[p, k] = uv[f, 0, k] * (1.0 - b - c) + uv[f, 1, k] * b + uv[f, 2, k] * c
    corner = np.empty(4, np.int64)
    for p in range(len(cells)):
        for kind in range(3):
            count = _corners(at, cells[p], width[p], kind, corner)
            x = y = mx = my = mz = nx = ny = nz = 0.0
            planar = True
            for k in range(count):
                q = corner[k]
                x, y = x + place[q, 0], y + place[q, 1]
                mx, my, mz = mx + points[q, 0], my + points[q, 1], mz + points[q, 2]
                nx, ny, nz = nx + normal[q, 0], ny + normal[q, 1], nz + normal[q, 2]
                planar = planar and face[q] == face[p]
            if planar:
                continue
            f, b, c = walk(uv, twin, face[p], x / count, y / count)
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            if length > 0:
                i, j, k = faces[f]
                a = 1.0 - b - c
                dx = positions[i, 0] * a + positions[j, 0] * b + positions[k, 0] * c - mx / count
                dy = positions[i, 1] * a + positions[j, 1] * b + positions[k, 1] * c - my / count
                dz = positions[i, 2] * a + positions[j, 2] * b + positions[k, 2] * c - mz / count
                residual[p, kind] = (dx * nx + dy * ny + dz * nz) / length
    return residual


@numba.njit(cache=True, nogil=True)
def _corners(at: np.ndarray, cell: int, width: int, kind: int, corner: np.ndarray) -> int:
    """Write the samples of the edge to the right (kind 0), up (1) or the block (2); how many, 0 if one lacks."""
    corner[0] = at[cell]
    if kind < 2:
        corner[1] = at[cell + 1] if kind == 0 else at[cell + width]
        return 2 if corner[1] >= 0 else 0
    corner[1], corner[2], corner[3] = at[cell + 1], at[cell + width], at[cell + width + 1]
    return 4 if min(corner[1], corner[2], corner[3]) >= 0 else 0


@numba.njit(cache=True, nogil=True)
def _solve(
    points: np.ndarray,
    at: np.ndarray,
    cells: np.ndarray,
    width: np.ndarray,
    seam: np.ndarray,
    residual: np.ndarray,
    small: float,
) -> np.ndarray:
    """(P,) float64: steps along the normals that leave the least weighted sum of the residuals' sizes."""
    step = np.zeros(len(cells))
    for _ in range(SWEEPS):
        for p in range(len(cells)):
            if seam[p] >= 0:
                continue
            c, w = cells[p], width[p]
            value, weight, nearest = 0.0, POINT / (abs(step[p]) + small), np.inf
            for d in (1, -1, w, -w):
                q = at[c + d]
                if q < 0:
                    continue
                rest = residual[p if d > 0 else q, 0 if abs(d) == 1 else 1] - 0.5 * step[q]
                pull = EDGE / (abs(rest - 0.5 * step[p]) + small)
                value, weight = value + pull * 0.5 * rest, weight + pull * 0.25
                gap = 0.0
                for k in range(3):
                    gap += (points[q, k] - points[p, k]) ** 2
                nearest = min(nearest, gap)
            for lower in (c, c - 1, c - w, c - w - 1):
                i, j, k, m = at[lower], at[lower + 1], at[lower + w], at[lower + w + 1]
                if min(i, j, k, m) < 0:
                    continue
                rest = residual[i, 2] - 0.25 * (step[i] + step[j] + step[k] + step[m] - step[p])
                pull = BLOCK / (abs(rest - 0.25 * step[p]) + small)
                value, weight = value + pull * 0.25 * rest, weight + pull * 0.0625
            bound = LARGEST * np.sqrt(nearest)
            step[p] = min(max(value / weight, -bound), bound)
    return step
