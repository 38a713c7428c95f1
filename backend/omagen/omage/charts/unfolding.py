"""Continues a flattening over faces that are not yet in it, as if they were hinged."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def unfold(uv: np.ndarray, is_known: np.ndarray, face_vertex: np.ndarray, corners: np.ndarray) -> None:
    """Place the chart vertices that are not known, each by the first face of which the two others are.

    Changes `uv` (N, 2) float64 and `is_known` (N,) bool. `face_vertex` (F, 3) int32, `corners` (F, 3, 3) float64 in the
    unit of `uv`. The face keeps its shape in the plane; what hangs on by a point alone stays unknown.
    """
    waiting = np.empty(len(face_vertex), np.int32)
    count = 0
    for face in range(len(face_vertex)):
        for k in range(3):
            if not is_known[face_vertex[face, k]]:
                waiting[count] = face
                count += 1
                break
    while count > 0:
        left = 0
        for entry in range(count):
            face = waiting[entry]
            unknown, missing = 0, 0
            for k in range(3):
                if not is_known[face_vertex[face, k]]:
                    unknown += 1
                    missing = k
            if unknown == 1:
                _place(uv, face_vertex[face], corners[face], missing)
                is_known[face_vertex[face, missing]] = True
            elif unknown > 1:
                waiting[left] = face
                left += 1
        if left == count:
            return
        count = left


@njit(cache=True, nogil=True)
def _place(uv: np.ndarray, nodes: np.ndarray, corners: np.ndarray, k: int) -> None:
    a, b, c = corners[(k + 1) % 3], corners[(k + 2) % 3], corners[k]
    first, second = nodes[(k + 1) % 3], nodes[(k + 2) % 3]
    length = ((b - a) * (b - a)).sum()
    along = ((c - a) * (b - a)).sum() / length
    off = (c - a) - along * (b - a)
    height = np.sqrt((off * off).sum() / length)
    du, dv = uv[second, 0] - uv[first, 0], uv[second, 1] - uv[first, 1]
    uv[nodes[k], 0] = uv[first, 0] + along * du - height * dv
    uv[nodes[k], 1] = uv[first, 1] + along * dv + height * du
