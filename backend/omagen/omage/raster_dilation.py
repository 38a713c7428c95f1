"""Grows what charts carry into the empty pixels around them, so that filters across a border find no black."""

from __future__ import annotations

import numba
import numpy as np


def dilate(planes: np.ndarray, occupancy: np.ndarray, steps: int | None = None) -> np.ndarray:
    """`planes` with the pixels around the occupied ones filled, ring by ring, `steps` rings wide (None: everywhere).

    In each step every empty pixel beside a filled one gets the weighted mean of its filled neighbours, 2 for those in
    its row and column and 1 for those across its corners, all as they were before the step. This is the rule by which
    Blender extends baked pictures. `planes`: (H, W) or (H, W, C) float32, of linear values; `occupancy`: (H, W) bool.
    Returns a new array; what no step reaches keeps its value.
    """
    grown = np.array(planes, np.float32, order="C")
    if occupancy.shape != planes.shape[:2]:
        raise ValueError(f"the occupancy is {occupancy.shape}, the planes are {planes.shape}")
    state = np.zeros((occupancy.shape[0] + 2, occupancy.shape[1] + 2), np.uint8)
    state[1:-1, 1:-1] = occupancy
    _grow(grown.reshape(*occupancy.shape, -1), state, np.iinfo(np.int64).max if steps is None else steps)
    return grown


@numba.njit(cache=True, nogil=True)
def _grow(planes: np.ndarray, state: np.ndarray, steps: int) -> None:
    """`state`: 0 empty, 1 filled, 2 filled in this step, with a border of one that is never filled (3)."""
    height, width, channels = planes.shape
    state[0, :] = state[height + 1, :] = 3
    state[:, 0] = state[:, width + 1] = 3
    ring = _first_ring(state, height, width)
    step = 0
    while step < steps and len(ring):
        for place in ring:
            i, j = place // width, place % width
            _fill(planes, state, i, j, channels)
            state[i + 1, j + 1] = 2
        for place in ring:
            state[place // width + 1, place % width + 1] = 1
        ring = _next_ring(state, ring, width)
        step += 1


@numba.njit(cache=True, nogil=True)
def _fill(planes: np.ndarray, state: np.ndarray, i: int, j: int, channels: int) -> None:
    weight = np.float32(0.0)
    planes[i, j, :] = 0.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            if state[i + di + 1, j + dj + 1] == 1:
                share = np.float32(1.0) if di != 0 and dj != 0 else np.float32(2.0)
                weight += share
                for k in range(channels):
                    planes[i, j, k] += share * planes[i + di, j + dj, k]
    for k in range(channels):
        planes[i, j, k] /= weight


@numba.njit(cache=True, nogil=True)
def _first_ring(state: np.ndarray, height: int, width: int) -> np.ndarray:
    """The empty pixels beside filled ones, as i * width + j."""
    count = 0
    ring = np.empty(1024, np.int64)
    for i in range(1, height + 1):
        for j in range(1, width + 1):
            if state[i, j] == 0 and (
                state[i - 1, j] == 1 or state[i + 1, j] == 1 or state[i, j - 1] == 1 or state[i, j + 1] == 1
            ):
                if count == len(ring):
                    ring = np.concatenate((ring, np.empty(count, np.int64)))
                ring[count] = (i - 1) * width + j - 1
                count += 1
    return ring[:count].copy()


@numba.njit(cache=True, nogil=True)
def _next_ring(state: np.ndarray, ring: np.ndarray, width: int) -> np.ndarray:
    """The empty pixels beside those of `ring`; each is marked 2 while it waits, which `_fill` takes for empty."""
    found = np.empty(4 * len(ring), np.int64)
    count = 0
    for place in ring:
        i, j = place // width + 1, place % width + 1
        for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if state[i + di, j + dj] == 0:
                state[i + di, j + dj] = 2
                found[count] = (i + di - 1) * width + j + dj - 1
                count += 1
    return found[:count].copy()
