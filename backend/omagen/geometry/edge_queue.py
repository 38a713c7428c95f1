"""The edges of a surface, queued by what it costs to collapse them: the quadric error of Garland and Heckbert (1997).

Everything is in flat arrays that `prepare` makes and `edge_collapse.collapse` changes in place.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from omagen.kernels import cache

cache.install()

OPEN: Final = 1
"""On a border of the surface"""
FIXED: Final = 2
"""Neither moved nor removed"""
PULL: Final = 1e-6
"""Weight, relative to the quadric's own, of staying at an edge's middle: flat places have no best point of their own"""
BORDER_WEIGHT: Final = 4.0
"""Of leaving the upright plane through a border edge, relative to leaving a face as large as the edge's square"""
MOST_AROUND: Final = 500
"""Vertices with more faces stay as long as they have so many: going round them each time would take for ever"""
LENGTH_WEIGHT: Final = 1e-7
"""Of an edge's own length: where nothing is lost, short edges go first"""


class State(NamedTuple):
    """Everything that changes while edges are collapsed."""

    place: np.ndarray
    """(V, 3) float64"""
    quadric: np.ndarray
    """(V, 10) float64: xx, xy, xz, yy, yz, zz, x, y, z, 1"""
    faces: np.ndarray
    """(F, 3) int32"""
    is_alive: np.ndarray
    """(F,) bool"""
    first: np.ndarray
    """(V,) int32: a corner of the vertex, 3 * face + k; -1 for none"""
    next: np.ndarray
    """(3F,) int32: the next corner of the same vertex"""
    flags: np.ndarray
    """(V,) uint8: OPEN, FIXED"""
    uv: np.ndarray
    """(3F, 2) float64 of corners, or empty: moves along with vertices, and its triangles may not turn over. Corners of
    vertices that are not FIXED agree"""
    degree: np.ndarray
    """(V,) int32: faces around each vertex"""
    stamp: np.ndarray
    """(V,) int32: counts changes, so that queued edges can be told from outdated ones"""
    mark: np.ndarray
    """(V,) int64: scratch"""
    cost: np.ndarray
    """(H,) float64: a binary heap"""
    ends: np.ndarray
    """(H, 4) int32: vertices, and their stamps when queued"""
    count: np.ndarray
    """(4,) int64: faces left, entries in the heap, marks given, collapses done"""


def prepare(
    place: np.ndarray, faces: np.ndarray, is_fixed: np.ndarray, uv: np.ndarray, beside: np.ndarray, crease: np.ndarray
) -> State:
    """`place` (V, 3) float64 about the origin, `faces` (F, 3) int32, `is_fixed` (V,) bool, `uv` (3F, 2) or empty.

    Of half-edges: `beside` (3F,) int32, the faces at the edge, negative for all but one of an edge's half-edges;
    `crease` (3F,) bool, edges to be kept in their line, though they may be collapsed."""
    state = State(
        place.copy(),
        np.zeros((len(place), 10)),
        faces.copy(),
        np.ones(len(faces), np.bool_),
        np.full(len(place), -1, np.int32),
        np.full(faces.size, -1, np.int32),
        np.where(is_fixed, FIXED, 0).astype(np.uint8),
        uv.copy(),
        np.bincount(faces.reshape(-1), minlength=len(place)).astype(np.int32),
        np.zeros(len(place), np.int32),
        np.zeros(len(place), np.int64),
        np.empty(3 * faces.size + 64),
        np.empty((3 * faces.size + 64, 4), np.int32),
        np.array([len(faces), 0, 0, 0], np.int64),
    )
    _begin(state, beside, crease)
    return state


@njit(cache=True, nogil=True)
def _begin(state: State, beside: np.ndarray, crease: np.ndarray) -> None:
    faces = state.faces
    for corner in range(faces.size - 1, -1, -1):
        vertex = faces[corner // 3, corner % 3]
        state.next[corner] = state.first[vertex]
        state.first[vertex] = corner
    normal = np.empty(3)
    for f in range(len(faces)):
        area = _normal(state.place, faces[f, 0], faces[f, 1], faces[f, 2], normal)
        for k in range(3):
            _add_plane(state.quadric[faces[f, k]], normal, state.place[faces[f, 0]], area)
        for k in range(3):
            a, b, count = faces[f, k], faces[f, (k + 1) % 3], abs(beside[3 * f + k])
            if count == 1 or crease[3 * f + k]:
                _add_upright(state, normal, a, b)
            if count != 2:
                flag = OPEN if count == 1 else FIXED
                state.flags[a] |= flag
                state.flags[b] |= flag
    for half in range(faces.size):
        if beside[half] > 0:
            queue_edge(state, faces[half // 3, half % 3], faces[half // 3, (half % 3 + 1) % 3])


@njit(cache=True, nogil=True)
def _normal(place: np.ndarray, a: int, b: int, c: int, out: np.ndarray) -> float:
    """The unit normal into `out`, zero for a face without one; returns the area."""
    ux, uy, uz = place[b, 0] - place[a, 0], place[b, 1] - place[a, 1], place[b, 2] - place[a, 2]
    vx, vy, vz = place[c, 0] - place[a, 0], place[c, 1] - place[a, 1], place[c, 2] - place[a, 2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = np.sqrt(x * x + y * y + z * z)
    scale = 1 / length if length > 0 else 0.0
    out[0], out[1], out[2] = x * scale, y * scale, z * scale
    return 0.5 * length


@njit(cache=True, nogil=True)
def _add_plane(q: np.ndarray, n: np.ndarray, point: np.ndarray, weight: float) -> None:
    x, y, z = n[0], n[1], n[2]
    d = -(x * point[0] + y * point[1] + z * point[2])
    q[0] += weight * x * x
    q[1] += weight * x * y
    q[2] += weight * x * z
    q[3] += weight * y * y
    q[4] += weight * y * z
    q[5] += weight * z * z
    q[6] += weight * x * d
    q[7] += weight * y * d
    q[8] += weight * z * d
    q[9] += weight * d * d


@njit(cache=True, nogil=True)
def _add_upright(state: State, normal: np.ndarray, a: int, b: int) -> None:
    """The plane through an edge that stands upright on its face."""
    edge = state.place[b] - state.place[a]
    upright = np.empty(3)
    upright[0] = edge[1] * normal[2] - edge[2] * normal[1]
    upright[1] = edge[2] * normal[0] - edge[0] * normal[2]
    upright[2] = edge[0] * normal[1] - edge[1] * normal[0]
    square = upright[0] ** 2 + upright[1] ** 2 + upright[2] ** 2
    if square > 0:
        upright /= np.sqrt(square)
        for end in (a, b):
            _add_plane(state.quadric[end], upright, state.place[a], BORDER_WEIGHT * square)


@njit(cache=True, nogil=True)
def _error(q: np.ndarray, x: float, y: float, z: float) -> float:
    return (
        q[0] * x * x + q[3] * y * y + q[5] * z * z + 2 * (q[1] * x * y + q[2] * x * z + q[4] * y * z)
        + 2 * (q[6] * x + q[7] * y + q[8] * z) + q[9]
    )  # fmt: skip


@njit(cache=True, nogil=True)
def best_place(state: State, a: int, b: int, out: np.ndarray) -> float:
    """Where the ends of an edge should meet, into `out` (3,), and the cost; infinite where they may not."""
    place = state.place
    fixed_a, fixed_b = state.flags[a] & FIXED, state.flags[b] & FIXED
    if fixed_a and fixed_b:
        return np.inf
    q = state.quadric[a] + state.quadric[b]
    length = (place[a, 0] - place[b, 0]) ** 2 + (place[a, 1] - place[b, 1]) ** 2 + (place[a, 2] - place[b, 2]) ** 2
    open_a, open_b = state.flags[a] & OPEN, state.flags[b] & OPEN
    if fixed_a or (open_a and not open_b and not fixed_b):
        out[:] = place[a]
    elif fixed_b or (open_b and not open_a):
        out[:] = place[b]
    else:
        mx, my, mz = (place[a, 0] + place[b, 0]) / 2, (place[a, 1] + place[b, 1]) / 2, (place[a, 2] + place[b, 2]) / 2
        pull = PULL * (q[0] + q[3] + q[5]) + 1e-300
        xx, yy, zz = q[0] + pull, q[3] + pull, q[5] + pull
        rx = -(q[6] + q[0] * mx + q[1] * my + q[2] * mz)
        ry = -(q[7] + q[1] * mx + q[3] * my + q[4] * mz)
        rz = -(q[8] + q[2] * mx + q[4] * my + q[5] * mz)
        cx, cy, cz = yy * zz - q[4] * q[4], q[2] * q[4] - q[1] * zz, q[1] * q[4] - yy * q[2]
        determinant = xx * cx + q[1] * cy + q[2] * cz
        dx = dy = dz = 0.0
        if determinant > 0:
            dx = (cx * rx + cy * ry + cz * rz) / determinant
            dy = (cy * rx + (xx * zz - q[2] * q[2]) * ry + (q[1] * q[2] - xx * q[4]) * rz) / determinant
            dz = (cz * rx + (q[1] * q[2] - xx * q[4]) * ry + (xx * yy - q[1] * q[1]) * rz) / determinant
            if not dx * dx + dy * dy + dz * dz < 4 * length:  # a spike
                dx = dy = dz = 0.0
        if len(state.uv):  # UVs are known along the edge only
            ex, ey, ez = place[b, 0] - mx, place[b, 1] - my, place[b, 2] - mz
            along = (dx * ex + dy * ey + dz * ez) / max(length / 4, 1e-300)
            along = min(max(along, -1.0), 1.0)
            dx, dy, dz = along * ex, along * ey, along * ez
        out[0], out[1], out[2] = mx + dx, my + dy, mz + dz
    cost = max(_error(q, out[0], out[1], out[2]), 0.0)
    return cost + LENGTH_WEIGHT * length * (q[0] + q[3] + q[5])


@njit(cache=True, nogil=True)
def queue_edge(state: State, a, b) -> None:
    if max(state.degree[a], state.degree[b]) > MOST_AROUND:
        return
    where = np.empty(3)
    cost = best_place(state, a, b, where)
    if cost == np.inf:
        return
    if state.count[1] == len(state.cost):
        _sweep(state)
    if state.count[1] == len(state.cost):  # cannot be: there are fewer edges than places
        return
    at = state.count[1]
    state.count[1] += 1
    while at > 0:
        above = (at - 1) // 2
        if state.cost[above] <= cost:
            break
        state.cost[at] = state.cost[above]
        state.ends[at] = state.ends[above]
        at = above
    state.cost[at] = cost
    state.ends[at, 0], state.ends[at, 1] = a, b
    state.ends[at, 2], state.ends[at, 3] = state.stamp[a], state.stamp[b]


@njit(cache=True, nogil=True)
def is_current(state: State, at: int) -> bool:
    ends = state.ends[at]
    return state.stamp[ends[0]] == ends[2] and state.stamp[ends[1]] == ends[3]


@njit(cache=True, nogil=True)
def _sweep(state: State) -> None:
    """Drop outdated entries, and make a heap of the rest again."""
    kept = 0
    for at in range(state.count[1]):
        if is_current(state, at):
            state.cost[kept] = state.cost[at]
            state.ends[kept] = state.ends[at]
            kept += 1
    state.count[1] = kept
    for at in range(kept // 2 - 1, -1, -1):
        sift(state, at)


@njit(cache=True, nogil=True)
def sift(state: State, at: int) -> None:
    size = state.count[1]
    cost, ends = state.cost[at], state.ends[at].copy()
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and state.cost[below + 1] < state.cost[below]:
            below += 1
        if cost <= state.cost[below]:
            break
        state.cost[at] = state.cost[below]
        state.ends[at] = state.ends[below]
        at = below
    state.cost[at] = cost
    state.ends[at] = ends


@njit(cache=True, nogil=True)
def take_first(state: State) -> tuple[int, int, bool]:
    """The ends of the cheapest edge, which leaves the queue, and whether it is still as it was when it was queued."""
    a, b = state.ends[0, 0], state.ends[0, 1]
    still = is_current(state, 0)
    state.count[1] -= 1
    if state.count[1] > 0:
        state.cost[0] = state.cost[state.count[1]]
        state.ends[0] = state.ends[state.count[1]]
        sift(state, 0)
    return a, b, still
