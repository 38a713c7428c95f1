"""The published omages as data: tensors of the networks, the viewer's reading, the 1024 -> 64 reduction, patches.

Follows the code of arXiv 2408.03178 (repository 3dlg-hcvc/omages) exactly, oddities included. Arrays are (R, R, 12),
row 0 at v = 0: position, occupancy, normal, colour, metalness, roughness, all 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

OCCUPANCY: Final = 3
GEOMETRY: Final = slice(0, 4)
"""Channels that null2geo makes and geo2mat is conditioned on."""
MATERIAL: Final = slice(7, 12)
"""Channels that geo2mat makes."""
_STEPS: Final = 65535


def to_tensor(omage: np.ndarray) -> np.ndarray:
    """(R, R, 12) of 0 to 65535 -> (12, R, R) float32 in [-1, 1] for the networks; empty pixels are -1 throughout."""
    values = omage.astype(np.float32) / np.float32(_STEPS)
    occupied = values[..., OCCUPANCY] >= 0.5
    values[..., OCCUPANCY] = occupied
    values[~occupied] = 0
    return np.ascontiguousarray(values.transpose(2, 0, 1) * 2 - 1)


def from_tensor(tensor: np.ndarray) -> np.ndarray:
    """(C, R, R) in [-1, 1] -> (R, R, C) in [0, 1]; keeps the float type."""
    return (tensor.transpose(1, 2, 0) + 1) / 2


def load(omage: np.ndarray, *, trim: bool = True) -> np.ndarray:
    """(R, R, 12) uint16 -> float64 in [0, 1] as the file viewer reads it; zero where occupancy is not above 0.5."""
    values = omage / float(_STEPS)
    if trim:
        values[values[..., OCCUPANCY] <= 0.5] = 0
    return values


def nearest_rows(size: int, factor: int) -> np.ndarray:
    """Source row (or column) of each row at 1 / `factor` of `size`: half a cell into the cell."""
    return np.arange(size // factor) * factor + factor // 2


@dataclass(frozen=True)
class Reduced:
    """An omage at 1 / factor of its side, and how it came about."""

    snapped: np.ndarray
    """(r, r, C) float64: what the 64 data set stores"""
    nearest: np.ndarray
    """(r, r, C) float64: without snapping"""
    edge: np.ndarray
    """(R, R) bool: the charts' outermost pixels"""
    edge_cells: np.ndarray
    """(r, r) bool: cells that hold one"""
    origin: np.ndarray
    """(r, r) float64: 1 where the value comes from edge pixels, 0.5 from an occupied sample, 0 from an empty one"""


def downsample(omage: np.ndarray, factor: int) -> Reduced:
    """Edge snapping: a cell with chart edges in it takes their mean, any other cell the sample in its middle.

    So charts keep their outline, and thin ones never vanish. `omage`: (R, R, C) in [0, 1], sides multiples of `factor`.
    Beyond the picture counts as empty.
    """
    omage = omage.astype(np.float64)
    rows, columns = (nearest_rows(size, factor) for size in omage.shape[:2])
    occupied = omage[..., OCCUPANCY] >= 0.5
    edge = occupied & ~_eroded(occupied)
    cells = (len(rows), factor, len(columns), factor)
    count = edge.reshape(cells).sum(axis=(1, 3))
    total = np.where(edge[..., None], omage, 0).reshape(*cells, -1).sum(axis=(1, 3))
    nearest = omage[np.ix_(rows, columns)]
    snapped = np.where(count[..., None] > 0, total / np.maximum(count, 1)[..., None], nearest)
    origin = np.where(count > 0, 1.0, np.where(nearest[..., OCCUPANCY] >= 0.5, 0.5, 0.0))
    return Reduced(snapped, nearest, edge, count > 0, origin)


def label_patches(occupancy: np.ndarray, *, size_order: bool = False) -> np.ndarray:
    """(R, R) int32: 8-connected components of `occupancy`, 1..n in raster order of their first pixels, else 0.

    `size_order` applies the published renumbering, a slip kept for parity: it means to number patches by falling size
    but applies that permutation instead of its inverse. Equal sizes are ordered by a stable sort, unlike the original.
    """
    from scipy import ndimage

    labels = np.zeros(occupancy.shape, np.int32)
    count = ndimage.label(occupancy > 0.5, np.ones((3, 3)), output=labels)
    if not size_order or not count:
        return labels
    order = np.argsort(np.bincount(labels.ravel())[1:], kind="stable")[::-1]
    return np.concatenate([[0], order + 1]).astype(np.int32)[labels]


def split_indices(count: int, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Indices 0 to `count` - 1 in shuffled order, cut at the cumulated `fractions`, e.g. 0.9 and 0.1 with seed 314."""
    indices = np.arange(count)
    np.random.RandomState(seed).shuffle(indices)  # the legacy generator, as published
    cuts = np.round(np.cumsum(fractions) * count).astype(int)
    return [np.asarray(part) for part in np.split(indices, cuts)[: len(fractions)]]


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Pixels whose 3 x 3 neighbourhood lies in `mask` and in the picture."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
