"""Moves the vertices of flattened charts to where triangles keep their shape and size, and turns over none.

Per triangle |J|^2 / 2c + AREA (d^2 + 1) / 2c, with J the Jacobian of the flattening, d its determinant and c = d where
all is well: conformal energy plus area energy, infinite where a triangle collapses. Around triangles that are turned
over c is the regularised d of Garanzha et al. 2021, "Foldover-free maps in 50 lines of code", section 2, which turns
them back. Minimised vertex by vertex with Newton steps on a convex majorant, boundaries free.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

AREA: Final = 0.4
"""Weight of equal sizes against equal shapes."""
LEAST_HEIGHT: Final = 1e-4
"""Triangles flatter than this fraction of their longest edge rest at it: they could not be kept open otherwise."""
RINGS: Final = 2
"""How far around a triangle that is turned over vertices move,"""
REACH: Final = 8
"""and how far as more of them turn over."""


def relaxed(
    uv: np.ndarray,
    face_vertex: np.ndarray,
    corners: np.ndarray,
    sweeps: int,
    movable: np.ndarray | None = None,
    patience: int = 60,
) -> np.ndarray:
    """(N, 2) float64: the places `uv` (N, 2) of chart vertices, better ones after so many `sweeps`.

    `face_vertex` (F, 3) int32: chart vertices of each face. `corners` (F, 3, 3) float64: where they are in space, in
    the unit of `uv`. Only vertices that are `movable` (N,) bool move; `face_vertex` holds all faces around these.
    `patience`: after how many tries to turn triangles back those that are left stay.
    """
    gradient, weight = _rest_shapes(np.ascontiguousarray(corners))
    order = np.argsort(face_vertex.reshape(-1), kind="stable").astype(np.int32)
    start = np.zeros(len(uv) + 1, np.int64)
    np.cumsum(np.bincount(face_vertex.reshape(-1), minlength=len(uv)), out=start[1:])
    uv = uv.copy()
    movable = np.ones(len(uv), np.bool_) if movable is None else movable
    _untangle(uv, face_vertex, gradient, weight, order, start, movable, patience)
    for _ in range(sweeps):
        _sweep(uv, face_vertex, gradient, weight, order, start, movable)
    return uv


@njit(cache=True, nogil=True)
def _rest_shapes(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`gradient` (F, 3, 2): of each corner's hat function in the triangle's own plane; `weight` (F,): its area."""
    faces = len(corners)
    gradient, weight = np.zeros((faces, 3, 2)), np.zeros(faces)
    length = np.empty(3)
    for face in range(faces):
        for i in range(3):
            step = corners[face, (i + 1) % 3] - corners[face, i]
            length[i] = np.sqrt((step * step).sum())
        base = int(np.argmax(length))
        if length[base] == 0:
            continue
        a, b, c = corners[face, base], corners[face, (base + 1) % 3], corners[face, (base + 2) % 3]
        along = (b - a) / length[base]
        x = ((c - a) * along).sum()
        off = (c - a) - x * along
        y = max(np.sqrt((off * off).sum()), LEAST_HEIGHT * length[base])
        # hat functions of (0, 0), (edge, 0), (x, y)
        edge = length[base]
        gradient[face, base] = -1 / edge, (x - edge) / (edge * y)
        gradient[face, (base + 1) % 3] = 1 / edge, -x / (edge * y)
        gradient[face, (base + 2) % 3] = 0.0, 1 / y
        weight[face] = 0.5 * edge * y
    return gradient, weight


@njit(cache=True, nogil=True)
def _jacobian(uv, face_vertex, gradient, face):
    xx = xy = yx = yy = 0.0
    for k in range(3):
        node = face_vertex[face, k]
        u, v, gu, gv = uv[node, 0], uv[node, 1], gradient[face, k, 0], gradient[face, k, 1]
        xx += u * gu
        xy += u * gv
        yx += v * gu
        yy += v * gv
    return xx, xy, yx, yy


@njit(cache=True, nogil=True)
def _ring_energy(uv, face_vertex, gradient, weight, order, begin, end, epsilon):
    """Energy of the triangles around a vertex; infinite where one is turned over and `epsilon` is 0."""
    total = 0.0
    for entry in range(begin, end):
        face = order[entry] // 3
        xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, face)
        d = xx * yy - xy * yx
        c = 0.5 * (d + np.sqrt(epsilon * epsilon + d * d)) if epsilon > 0 else d
        if not c > 0:
            return np.inf
        total += weight[face] * (xx * xx + xy * xy + yx * yx + yy * yy + AREA * (d * d + 1)) / (2 * c)
    return total


@njit(cache=True, nogil=True)
def _least_determinant(uv, face_vertex, gradient, order, begin, end):
    least = np.inf
    for entry in range(begin, end):
        xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, order[entry] // 3)
        least = min(least, xx * yy - xy * yx)
    return least


@njit(cache=True, nogil=True)
def _newton_step(uv, face_vertex, gradient, weight, order, begin, end, epsilon):
    """The step to the minimum of the ring's convex majorant."""
    gx = gy = hxx = hxy = hyy = 0.0
    for entry in range(begin, end):
        face, corner = order[entry] // 3, order[entry] % 3
        xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, face)
        d = xx * yy - xy * yx
        root = np.sqrt(epsilon * epsilon + d * d)
        c = 0.5 * (d + root)
        s = (0.5 * (1 + d / root)) / c
        gu, gv = gradient[face, corner, 0], gradient[face, corner, 1]
        ju, jv = xx * gu + xy * gv, yx * gu + yy * gv  # J g
        cu, cv = yy * gu - yx * gv, -xy * gu + xx * gv  # gradient of the determinant
        square = xx * xx + xy * xy + yx * yx + yy * yy
        w = weight[face] / c
        pull = -0.5 * s * (square + AREA * (d * d + 1)) + AREA * d
        gx += w * (ju + pull * cu)
        gy += w * (jv + pull * cv)
        g2 = gu * gu + gv * gv
        cc = s * s * square + AREA * (s * s + (1 - d * s) ** 2)
        hxx += w * (g2 - 2 * s * cu * ju + cc * cu * cu)
        hyy += w * (g2 - 2 * s * cv * jv + cc * cv * cv)
        hxy += w * (-s * (cu * jv + cv * ju) + cc * cu * cv)
    determinant = hxx * hyy - hxy * hxy
    if not determinant > 1e-14 * hxx * hyy:
        scale = 1 / (hxx + hyy) if hxx + hyy > 0 else 0.0
        return -gx * scale, -gy * scale
    return -(hyy * gx - hxy * gy) / determinant, -(hxx * gy - hxy * gx) / determinant


@njit(cache=True, nogil=True)
def _sweep(uv, face_vertex, gradient, weight, order, start, active) -> None:
    for node in range(len(uv)):
        if not active[node]:
            continue
        begin, end = start[node], start[node + 1]
        least = _least_determinant(uv, face_vertex, gradient, order, begin, end)
        epsilon = 0.0 if least > 1e-9 else np.sqrt(1e-6 + 0.04 * least * least)
        before = _ring_energy(uv, face_vertex, gradient, weight, order, begin, end, epsilon)
        du, dv = _newton_step(uv, face_vertex, gradient, weight, order, begin, end, epsilon)
        u, v = uv[node, 0], uv[node, 1]
        length = 1.0
        for _ in range(6):
            uv[node, 0], uv[node, 1] = u + length * du, v + length * dv
            if _ring_energy(uv, face_vertex, gradient, weight, order, begin, end, epsilon) < before:
                break
            length *= 0.4
        else:
            uv[node, 0], uv[node, 1] = u, v


@njit(cache=True, nogil=True)
def _grown(active, face_vertex, faces, rings):
    """`active` vertices and those up to so many `rings` of `faces` around them."""
    for _ in range(rings):
        grown = active.copy()
        for face in faces:
            a, b, c = face_vertex[face]
            if active[a] or active[b] or active[c]:
                grown[a] = grown[b] = grown[c] = True
        active = grown
    return active


@njit(cache=True, nogil=True)
def _untangle(uv, face_vertex, gradient, weight, order, start, movable, patience) -> None:
    """Sweep around triangles that are turned over until there are none, or long enough."""
    faces = np.arange(len(face_vertex))
    for step in range(patience):
        active = np.zeros(len(uv), np.bool_)
        is_tangled = False
        for face in faces:
            xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, face)
            if not xx * yy - xy * yx > 1e-9:
                is_tangled = True
                for k in range(3):
                    active[face_vertex[face, k]] = True
        if not is_tangled:
            return
        if step == 0:  # whatever may move lies around here
            near = _grown(active, face_vertex, faces, REACH)
            is_near = np.zeros(len(face_vertex), np.bool_)
            movable = movable.copy()
            for face in range(len(face_vertex)):
                a, b, c = face_vertex[face]
                is_near[face] = near[a] and near[b] and near[c]
                if not is_near[face]:
                    movable[a] = movable[b] = movable[c] = False
            faces = np.flatnonzero(is_near)
        active = _grown(active, face_vertex, faces, RINGS) & movable
        _sweep(uv, face_vertex, gradient, weight, order, start, active)
        _sweep(uv, face_vertex, gradient, weight, order, start, active)
