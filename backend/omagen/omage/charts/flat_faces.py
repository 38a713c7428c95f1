"""Gives faces that came out flat in the plane a small area by moving one of their corners a little."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from omagen.omage.charts.topology import chart_vertices, group_order

LIFT: Final = 1e-6
"""Height that a flat face gets, as a fraction of its longest edge; neighbours may lower it to a thousandth of that."""
ROUNDS: Final = 4


def lift_flat_faces(uv: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """`uv` (F, 3, 2) in which as many as possible of the faces without positive area have a small one.

    Only faces whose area is about nothing are lifted, never those clearly turned over. Corners that are one chart
    vertex along `inner` (3F,) move together, and no other face loses its orientation.
    """
    area, is_flat = _nearly_flat(uv)
    flat = np.flatnonzero(is_flat)
    if len(flat) == 0 or not (area[flat] <= 0).any():
        return uv
    vertex, vertices = chart_vertices(inner)
    order, start = group_order(vertex, vertices)
    uv = uv.copy()
    for _ in range(ROUNDS):
        if not _lift(uv, flat[area[flat] <= 0], vertex, order, start):
            break
    return uv


@njit(cache=True, nogil=True)
def _nearly_flat(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) float64 twice the area, (F,) bool: it is about nothing."""
    area, is_flat = np.empty(len(uv)), np.empty(len(uv), np.bool_)
    for f in range(len(uv)):
        longest = 0.0
        for k in range(3):
            du, dv = uv[f, (k + 1) % 3, 0] - uv[f, k, 0], uv[f, (k + 1) % 3, 1] - uv[f, k, 1]
            longest = max(longest, du * du + dv * dv)
        area[f] = _area(uv, f)
        is_flat[f] = -LIFT * longest < area[f] <= LIFT * 1e-4 * longest
    return area, is_flat


@njit(cache=True, nogil=True)
def _area(uv: np.ndarray, face: int) -> float:
    a, b, c = uv[face, 0], uv[face, 1], uv[face, 2]
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@njit(cache=True, nogil=True)
def _lift(uv: np.ndarray, flat: np.ndarray, vertex: np.ndarray, order: np.ndarray, start: np.ndarray) -> bool:
    """One round over the faces `flat`; whether some are still without area."""
    is_left = False
    for face in flat:
        if _area(uv, face) > 0:
            continue
        is_done = False
        for i in range(3):
            # the corner across from an edge moves to that edge's left, where it belongs
            a, b = uv[face, (i + 1) % 3], uv[face, (i + 2) % 3]
            du, dv = b[0] - a[0], b[1] - a[1]
            height = -_area(uv, face) + LIFT * (du * du + dv * dv)
            for shrink in (1.0, 0.1, 0.01, 0.001):
                length = du * du + dv * dv
                if length == 0:
                    break
                move = height * shrink / length
                if _moves(uv, vertex[3 * face + i], -dv * move, du * move, order, start) and _area(uv, face) > 0:
                    is_done = True
                    break
            if is_done:
                break
        is_left |= not is_done
    return is_left


@njit(cache=True, nogil=True)
def _moves(uv: np.ndarray, node: np.ndarray | int, du: float, dv: float, order: np.ndarray, start: np.ndarray) -> bool:
    """Move a chart vertex unless that would turn a face over; whether it was moved."""
    for step in (1.0, -1.0):
        is_fine = True
        for k in range(start[node], start[node + 1]):
            face = order[k] // 3
            before = _area(uv, face)
            corner = order[k] % 3
            uv[face, corner, 0] += step * du
            uv[face, corner, 1] += step * dv
            if step < 0:
                continue
            if before > 0 and _area(uv, face) <= 0.1 * before:
                is_fine = False
        if step > 0 and is_fine:
            return True
    return False
