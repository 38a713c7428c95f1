"""Grows what charts carry into the empty pixels around them, so that filters across a border find no black."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numba
import numpy as np

from omagen.omage.cores import on_cores

NEVER: Final = np.iinfo(np.uint16).max


def dilate(planes: np.ndarray, occupancy: np.ndarray, steps: int | None = None) -> np.ndarray:
    """`planes` with the pixels around the occupied ones filled, ring by ring, `steps` rings wide (None: everywhere).

    In each step every empty pixel beside a filled one gets the weighted mean of its filled neighbours, 2 for those in
    its row and column and 1 for those across its corners, all as they were before the step. This is the rule by which
    Blender extends baked pictures. `planes`: (H, W) or (H, W, C) float32, of linear values; `occupancy`: (H, W) bool.
    Returns a new array; what no step reaches keeps its value.
    """
    grown = np.array(planes, np.float32, order="C")
    dilate_all([grown], occupancy, steps)
    return grown


def dilate_all(planes: Sequence[np.ndarray], occupancy: np.ndarray, steps: int | None = None) -> None:
    """Like `dilate` for several `planes` at once and in place; they are float32 and C-contiguous."""
    for plane in planes:
        if occupancy.shape != plane.shape[:2]:
            raise ValueError(f"the occupancy is {occupancy.shape}, the planes are {plane.shape}")
    step = np.full((occupancy.shape[0] + 2, occupancy.shape[1] + 2), NEVER, np.uint16)
    rings, ends = _rings(occupancy, step, NEVER - 1 if steps is None else min(steps, NEVER - 1))
    on_cores(lambda plane: _fill(plane.reshape(*occupancy.shape, -1), step, rings, ends), planes)


@numba.njit(cache=True, nogil=True)
def _rings(occupancy: np.ndarray, step: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the pixels, in `step` with a border of one around, by when they are filled: 0 those that are occupied.

    Returns the others, as i * width + j, ring after ring, and where each ring ends.
    """
    height, width = occupancy.shape
    count = 0
    for i in range(height):
        for j in range(width):
            if occupancy[i, j]:
                step[i + 1, j + 1] = 0
    rings = np.empty(1024, np.int32)
    for i in range(1, height + 1):
        for j in range(1, width + 1):
            if step[i, j] != 0 and (
                step[i - 1, j] == 0 or step[i + 1, j] == 0 or step[i, j - 1] == 0 or step[i, j + 1] == 0
            ):
                if count == len(rings):
                    rings = np.concatenate((rings, np.empty(count, np.int32)))
                rings[count] = (i - 1) * width + j - 1
                count += 1
    ends = np.zeros(steps + 1, np.int64)
    done, first = 0, 0
    while done < steps and count > first:
        done += 1
        ends[done] = count
        if count + 4 * (count - first) > len(rings):
            rings = np.concatenate((rings, np.empty(max(count, 4 * (count - first)), np.int32)))
        for n in range(first, count):
            step[rings[n] // width + 1, rings[n] % width + 1] = done
        first, last = count, count
        for n in range(ends[done - 1], last):
            i, j = rings[n] // width + 1, rings[n] % width + 1
            for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                v, u = i + di, j + dj
                if 0 < v <= height and 0 < u <= width and step[v, u] == NEVER:
                    step[v, u] = NEVER - 1  # it waits for its own step
                    rings[count] = (v - 1) * width + u - 1
                    count += 1
    return rings[: ends[done]], ends[: done + 1]


@numba.njit(cache=True, nogil=True)
def _fill(planes: np.ndarray, step: np.ndarray, rings: np.ndarray, ends: np.ndarray) -> None:
    width, channels = planes.shape[1:]
    for ring in range(1, len(ends)):
        for n in range(ends[ring - 1], ends[ring]):
            i, j = rings[n] // width, rings[n] % width
            weight = np.float32(0.0)
            planes[i, j, :] = 0.0
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    if step[i + di + 1, j + dj + 1] < ring:
                        share = np.float32(1.0) if di != 0 and dj != 0 else np.float32(2.0)
                        weight += share
                        for k in range(channels):
                            planes[i, j, k] += share * planes[i + di, j + dj, k]
            for k in range(channels):
                planes[i, j, k] /= weight
