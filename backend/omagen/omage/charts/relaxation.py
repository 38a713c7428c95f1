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

from omagen.omage.charts.topology import group_order
from omagen.omage.cores import cores, on_cores

AREA: Final = 0.4
"""Weight of equal sizes against equal shapes."""
LEAST_HEIGHT: Final = 1e-4
"""Triangles flatter than this fraction of their longest edge rest at it: they could not be kept open otherwise."""
RINGS: Final = 2
"""How far around a triangle that is turned over vertices move,"""
REACH: Final = 8
"""and how far as more of them turn over."""
MANY: Final = 20_000
"""Fewer faces are not worth spreading over the cores."""


def relaxed(
    uv: np.ndarray,
    face_vertex: np.ndarray,
    corners: np.ndarray,
    sweeps: int,
    movable: np.ndarray | None = None,
    patience: int = 60,
    piece: np.ndarray | None = None,
) -> np.ndarray:
    """(N, 2) float64: the places `uv` (N, 2) of chart vertices, better ones after so many `sweeps`.

    `face_vertex` (F, 3) int32: chart vertices of each face. `corners` (F, 3, 3) float64: where they are in space, in
    the unit of `uv`. Only vertices that are `movable` (N,) bool move; `face_vertex` holds all faces around these.
    `patience`: after how many tries to turn triangles back those that are left stay. `piece` (F,) int32: faces that
    share no vertex with those of other pieces; these can be spread over the cores, which changes nothing else.
    """
    movable = np.ones(len(uv), np.bool_) if movable is None else movable
    if piece is None or len(face_vertex) < MANY or cores() < 2:
        return _relaxed(uv, face_vertex, corners, sweeps, movable, patience)
    result = uv.copy()
    share = _shares(piece, cores())

    def relax(index: int) -> None:
        faces = np.flatnonzero(share == index)
        if len(faces) == 0:
            return
        part = face_vertex[faces]
        is_here = np.zeros(len(uv), bool)
        is_here[part] = True
        nodes = np.flatnonzero(is_here)
        number = np.cumsum(is_here, dtype=np.int32) - np.int32(1)
        local = np.take(corners, faces, axis=0)
        result[nodes] = _relaxed(uv[nodes], np.take(number, part), local, sweeps, movable[nodes], patience)

    on_cores(relax, range(cores()))
    return result


def _shares(piece: np.ndarray, shares: int) -> np.ndarray:
    """(F,) which share each face is in: pieces stay whole, the largest are dealt out first."""
    size = np.bincount(piece)
    load, share = np.zeros(shares, np.int64), np.empty(len(size), np.int64)
    for index in np.argsort(-size, kind="stable"):
        share[index] = np.argmin(load)
        load[share[index]] += size[index]
    return np.take(share, piece)


def _relaxed(
    uv: np.ndarray, face_vertex: np.ndarray, corners: np.ndarray, sweeps: int, movable: np.ndarray, patience: int
) -> np.ndarray:
    gradient, weight = _rest_shapes(np.ascontiguousarray(corners))
    order, start = group_order(face_vertex.reshape(-1), len(uv))
    uv = uv.copy()
    _untangle(uv, face_vertex, gradient, weight, order, start, movable, patience)
    nodes = np.flatnonzero(movable)
    for _ in range(sweeps):
        _sweep(uv, face_vertex, gradient, weight, order, start, nodes)
    return uv


@njit(cache=True, nogil=True, error_model="numpy")
def _rest_shapes(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`gradient` (F, 3, 2): of each corner's hat function in the triangle's own plane; `weight` (F,): its area."""
    faces = len(corners)
    gradient, weight = np.zeros((faces, 3, 2)), np.zeros(faces)
    for face in range(faces):
        base, longest = 0, -1.0
        for i in range(3):
            square = 0.0
            for axis in range(3):
                step = corners[face, (i + 1) % 3, axis] - corners[face, i, axis]
                square += step * step
            if square > longest:
                base, longest = i, square
        if not longest > 0:
            continue
        second, third = (base + 1) % 3, (base + 2) % 3
        edge = np.sqrt(longest)
        x = 0.0
        for axis in range(3):
            along = (corners[face, second, axis] - corners[face, base, axis]) / edge
            x += (corners[face, third, axis] - corners[face, base, axis]) * along
        square = 0.0
        for axis in range(3):
            along = (corners[face, second, axis] - corners[face, base, axis]) / edge
            off = (corners[face, third, axis] - corners[face, base, axis]) - x * along
            square += off * off
        y = max(np.sqrt(square), LEAST_HEIGHT * edge)
        # hat functions of (0, 0), (edge, 0), (x, y)
        gradient[face, base] = -1 / edge, (x - edge) / (edge * y)
        gradient[face, second] = 1 / edge, -x / (edge * y)
        gradient[face, third] = 0.0, 1 / y
        weight[face] = 0.5 * edge * y
    return gradient, weight


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _moved_energy(ring, count, du, dv, epsilon):
    """Energy of the `ring` of triangles around a vertex that moves by (du, dv); infinite where one is turned over and
    `epsilon` is 0."""
    total = 0.0
    for entry in range(count):
        gu, gv = ring[entry, 4], ring[entry, 5]
        xx, xy = ring[entry, 0] + du * gu, ring[entry, 1] + du * gv
        yx, yy = ring[entry, 2] + dv * gu, ring[entry, 3] + dv * gv
        d = xx * yy - xy * yx
        c = 0.5 * (d + np.sqrt(epsilon * epsilon + d * d)) if epsilon > 0 else d
        if not c > 0:
            return np.inf
        total += ring[entry, 6] * (xx * xx + xy * xy + yx * yx + yy * yy + AREA * (d * d + 1)) / (2 * c)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _newton_step(ring, count, epsilon):
    """The step to the minimum of the ring's convex majorant."""
    gx = gy = hxx = hxy = hyy = 0.0
    for entry in range(count):
        xx, xy, yx, yy = ring[entry, 0], ring[entry, 1], ring[entry, 2], ring[entry, 3]
        gu, gv = ring[entry, 4], ring[entry, 5]
        d = xx * yy - xy * yx
        if epsilon > 0:
            root = np.sqrt(epsilon * epsilon + d * d)
            c = 0.5 * (d + root)
            s = (0.5 * (1 + d / root)) / c
            rest = (1 - d * s) ** 2
        else:
            c, s, rest = d, 1 / d, 0.0
        ju, jv = xx * gu + xy * gv, yx * gu + yy * gv  # J g
        cu, cv = yy * gu - yx * gv, -xy * gu + xx * gv  # gradient of the determinant
        square = xx * xx + xy * xy + yx * yx + yy * yy
        w = ring[entry, 6] / c
        pull = -0.5 * s * (square + AREA * (d * d + 1)) + AREA * d
        gx += w * (ju + pull * cu)
        gy += w * (jv + pull * cv)
        g2 = gu * gu + gv * gv
        cc = s * s * square + AREA * (s * s + rest)
        hxx += w * (g2 - 2 * s * cu * ju + cc * cu * cu)
        hyy += w * (g2 - 2 * s * cv * jv + cc * cv * cv)
        hxy += w * (-s * (cu * jv + cv * ju) + cc * cu * cv)
    determinant = hxx * hyy - hxy * hxy
    if not determinant > 1e-14 * hxx * hyy:
        scale = 1 / (hxx + hyy) if hxx + hyy > 0 else 0.0
        return -gx * scale, -gy * scale
    return -(hyy * gx - hxy * gy) / determinant, -(hxx * gy - hxy * gx) / determinant


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(uv, face_vertex, gradient, weight, order, start, nodes) -> None:
    """One Newton step for each of `nodes`, shortened until it lowers the energy."""
    ring = np.empty((16, 7))  # per triangle: Jacobian, gradient of the vertex's hat function, weight
    for node in nodes:
        begin, count = start[node], start[node + 1] - start[node]
        if count > len(ring):
            ring = np.empty((2 * count, 7))
        least = np.inf
        for entry in range(count):
            face, corner = order[begin + entry] // 3, order[begin + entry] % 3
            xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, face)
            ring[entry, 0], ring[entry, 1], ring[entry, 2], ring[entry, 3] = xx, xy, yx, yy
            ring[entry, 4], ring[entry, 5] = gradient[face, corner, 0], gradient[face, corner, 1]
            ring[entry, 6] = weight[face]
            least = min(least, xx * yy - xy * yx)
        epsilon = 0.0 if least > 1e-9 else np.sqrt(1e-6 + 0.04 * least * least)
        before = _moved_energy(ring, count, 0.0, 0.0, epsilon)
        du, dv = _newton_step(ring, count, epsilon)
        length = 1.0
        for _ in range(6):
            if _moved_energy(ring, count, length * du, length * dv, epsilon) < before:
                uv[node, 0] += length * du
                uv[node, 1] += length * dv
                break
            length *= 0.4


@njit(cache=True, nogil=True)
def _grown(seeds, rings, face_vertex, order, start, is_near, is_seen):
    """(K,) int64, ascending: the vertices `seeds` and those up to so many `rings` of faces that are near around them.

    `is_seen` (N,) bool: all False, before and after.
    """
    found = np.empty(len(is_seen), np.int64)
    count = 0
    for node in seeds:
        if not is_seen[node]:
            is_seen[node] = True
            found[count] = node
            count += 1
    begin = 0
    for _ in range(rings):
        end = count
        for index in range(begin, end):
            for entry in range(start[found[index]], start[found[index] + 1]):
                face = order[entry] // 3
                if is_near[face]:
                    for k in range(3):
                        node = face_vertex[face, k]
                        if not is_seen[node]:
                            is_seen[node] = True
                            found[count] = node
                            count += 1
        begin = end
    found = np.sort(found[:count])
    for node in found:
        is_seen[node] = False
    return found


@njit(cache=True, nogil=True)
def _untangle(uv, face_vertex, gradient, weight, order, start, movable, patience) -> None:
    """Sweep around triangles that are turned over until there are none, or long enough."""
    faces = np.arange(len(face_vertex))
    is_near = np.ones(len(face_vertex), np.bool_)
    is_seen = np.zeros(len(uv), np.bool_)
    may_move = np.zeros(0, np.bool_)
    for step in range(patience):
        is_tangled = np.zeros(len(faces), np.bool_)
        for index in range(len(faces)):
            xx, xy, yx, yy = _jacobian(uv, face_vertex, gradient, faces[index])
            is_tangled[index] = not xx * yy - xy * yx > 1e-9
        if not is_tangled.any():
            return
        seeds = face_vertex[faces[is_tangled]].ravel()
        if step == 0:  # whatever may move lies around here
            near = _grown(seeds, REACH, face_vertex, order, start, is_near, is_seen)
            is_near[:] = False
            is_seen[near] = True
            may_move = movable & is_seen
            for node in near:
                for entry in range(start[node], start[node + 1]):
                    a, b, c = face_vertex[order[entry] // 3]
                    if is_seen[a] and is_seen[b] and is_seen[c]:
                        is_near[order[entry] // 3] = True
                    else:
                        may_move[node] = False
            is_seen[near] = False
            faces = np.flatnonzero(is_near)
        active = _grown(seeds, RINGS, face_vertex, order, start, is_near, is_seen)
        active = active[may_move[active]]
        _sweep(uv, face_vertex, gradient, weight, order, start, active)
        _sweep(uv, face_vertex, gradient, weight, order, start, active)
