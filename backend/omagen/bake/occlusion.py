"""How much of the sky the surroundings of a surface hide, texel by texel, within a budget of rays.

Zhukov, Iones, Kronin, "An ambient light illumination model", 1998; cosine weights by the density of the rays. All
points use the same rays, turned with the normal, so neighbours agree without noise, across seams as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.geometry.directions import cosine_directions
from omagen.geometry.rays import RayCaster

BUDGET: Final = 2**24
"""Rays in all"""
FEWEST: Final = 64
MOST: Final = 256
"""Rays a point"""
LIFT: Final = 2e-5
"""Of the mesh's size: how far above the surface rays start"""
HORIZON: Final = 0.02
"""Cosine with the face's own normal below which a ray would only meet the facet it starts from"""
PART: Final = 2**18


@dataclass
class Cells:
    """Where each of T texels is on the surface: a point that is there, as a mean would lie beneath it."""

    position: np.ndarray
    """(T, 3) float64"""
    normal: np.ndarray
    """(T, 3) float32"""
    facing: np.ndarray
    """(T, 3) float32: normals of the faces themselves"""
    pitch: np.ndarray
    """(T,) float32: metres from a texel to the next"""

    @classmethod
    def blank(cls, texels: int) -> Cells:
        def plane(kind: type) -> np.ndarray:
            return np.zeros((texels, 3), kind)

        return cls(plane(np.float64), plane(np.float32), plane(np.float32), np.zeros(texels, np.float32))


def occlusion_of(
    cells: Cells, covered: np.ndarray, size: int, caster: RayCaster, progress: Callable[[float], None]
) -> np.ndarray:
    """(T,) float32: 1 where nothing is hidden, 0 where everything is; only the texels `covered` (T,) count.

    Where there are more of them than the budget serves, some are computed and the others take theirs from computed
    ones nearby that lie on the same part of the surface.
    """
    texels = np.flatnonzero(covered)
    stride = 1
    while len(texels) * FEWEST > BUDGET * stride**2:
        stride += 1
    chosen = texels if stride == 1 else _chosen(texels, size, stride)
    rays = int(np.clip(BUDGET // max(len(chosen), 1), FEWEST, MOST))
    openness = np.zeros(len(covered), np.float32)
    openness[chosen] = _openness(cells, chosen, caster, rays, progress)
    if stride > 1:
        others = np.setdiff1d(texels, chosen, assume_unique=True)
        values, found = _spread(cells, chosen, openness, others, size, stride)
        openness[others] = values
        missing = others[~found][: BUDGET // FEWEST]
        openness[missing] = _openness(cells, missing, caster, FEWEST, lambda part: progress(1.0))
    return openness


def _openness(
    cells: Cells, texels: np.ndarray, caster: RayCaster, rays: int, progress: Callable[[float], None]
) -> np.ndarray:
    """(N,) float32 by `rays` rays from each of `texels` (N,)."""
    local = cosine_directions(rays).astype(np.float32)
    size = float(np.ptp(cells.position[texels], axis=0).max()) if len(texels) else 1.0
    result = np.ones(len(texels), np.float32)
    step = max(PART // rays, 1)
    for begin in range(0, len(texels), step):
        progress(begin / len(texels))
        part = texels[begin : begin + step]
        normal, facing = cells.normal[part], cells.facing[part]
        along = np.einsum("rk,nkc->nrc", local, _frames(normal))
        counts = np.einsum("nrc,nc->nr", along, facing) > HORIZON
        origin = cells.position[part] + (LIFT * size) * (facing + normal)
        row, _ = np.nonzero(counts)
        hidden = np.zeros(counts.shape, bool)
        hidden[counts] = caster.occluded(origin[row], along[counts])
        result[begin : begin + step] = 1 - hidden.sum(1) / np.maximum(counts.sum(1), 1)
    return result


def _frames(normal: np.ndarray) -> np.ndarray:
    """(N, 3, 3): two directions across each `normal` (N, 3), and the normal itself (Duff et al. 2017)."""
    x, y, z = normal.T
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    return np.stack([first, second, normal], axis=1)


def _chosen(texels: np.ndarray, size: int, stride: int) -> np.ndarray:
    """One of `texels` in each square of `stride` texels a side, as near its middle as there is, ascending."""
    row, column = texels // size, texels % size
    across = -(-size // stride)
    cell = row // stride * across + column // stride
    off = (row % stride - stride / 2 + 0.5) ** 2 + (column % stride - stride / 2 + 0.5) ** 2
    order = np.lexsort((texels, off, cell))
    first = np.ones(len(order), bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return np.sort(texels[order[first]])


def _spread(
    cells: Cells, chosen: np.ndarray, values: np.ndarray, others: np.ndarray, size: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means (M,) at the texels `others` of the values of `chosen` around them, by nearness in space and by normal.

    And where (M,) anything near enough was found.
    """
    across = -(-size // stride)
    of_cell = np.full((across + 2, across + 2), -1, np.int64)
    of_cell[chosen // size // stride + 1, chosen % size // stride + 1] = chosen
    total, weight = np.zeros(len(others), np.float32), np.zeros(len(others), np.float32)
    row, column = others // size // stride, others % size // stride
    for down in range(3):
        for right in range(3):
            there = of_cell[row + down, column + right]
            near = np.flatnonzero(there >= 0)
            here, there = others[near], there[near]
            apart = ((cells.position[here] - cells.position[there]) ** 2).sum(1)
            reach = (cells.pitch[here] * stride) ** 2
            agree = (cells.normal[here] * cells.normal[there]).sum(1).clip(0, 1) ** 4
            share = (agree * np.exp(-apart / np.maximum(0.5 * reach, 1e-300))).astype(np.float32)
            total[near] += share * values[there]
            weight[near] += share
    return total / np.maximum(weight, 1e-12), weight > 0.02
