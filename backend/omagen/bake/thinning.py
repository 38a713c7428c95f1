"""A few texels in place of all, and what they know handed on to the others."""

from __future__ import annotations

import numpy as np

from omagen.bake.surface_texels import SurfaceTexels


def thinned(pixel: np.ndarray, size: int, stride: int) -> np.ndarray:
    """(M,) int64, ascending: which of the texels `pixel` (N,) to take: one in each square of `stride` texels a side.

    `pixel` is row * `size` + column. The one nearest to the middle of its square is taken.
    """
    row, column = pixel // size, pixel % size
    across = -(-size // stride)
    cell = row // stride * across + column // stride
    off = (row % stride - stride / 2 + 0.5) ** 2 + (column % stride - stride / 2 + 0.5) ** 2
    order = np.lexsort((pixel, off, cell))
    first = np.ones(len(order), bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return np.sort(order[first])


def spread(
    texels: SurfaceTexels, chosen: np.ndarray, values: np.ndarray, others: np.ndarray, size: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the texels `chosen` (M,) with `values` (M, C) say about the texels `others` (K,), all indices into `texels`.

    Means over the chosen ones around each, by nearness in space and by normal, so that nothing crosses from one chart
    to another that lies elsewhere on the surface. Returns (K, C) float32, and where anything near enough was found.
    """
    across = -(-size // stride)
    of_cell = np.full((across + 2, across + 2), -1, np.int32)
    pixel = texels.pixel[chosen]
    of_cell[pixel // size // stride + 1, pixel % size // stride + 1] = np.arange(len(chosen))
    total = np.zeros((len(others), values.shape[1]), np.float32)
    weight = np.zeros(len(others), np.float32)
    row, column = texels.pixel[others] // size // stride, texels.pixel[others] % size // stride
    for down in range(3):
        for right in range(3):
            number = of_cell[row + down, column + right]
            near = np.flatnonzero(number >= 0)
            here, number = others[near], number[near]
            there = chosen[number]
            apart = ((texels.position[here] - texels.position[there]) ** 2).sum(1)
            reach = (texels.pitch[here] * stride) ** 2
            agree = (texels.normal[here] * texels.normal[there]).sum(1).clip(0, 1) ** 4
            share = (agree * np.exp(-apart / np.maximum(0.5 * reach, 1e-300))).astype(np.float32)
            total[near] += share[:, None] * values[number]
            weight[near] += share
    return total / np.maximum(weight, 1e-12)[:, None], weight > 0.02
