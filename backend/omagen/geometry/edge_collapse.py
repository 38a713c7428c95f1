"""The inner loop of decimation: edges are collapsed in the order of their quadric error.

Unlike the libraries at hand it never changes how a surface is connected: an edge is collapsed only where its ends share
no more neighbours than the faces beside it account for (the link condition of Dey et al. 1999), so closed stays closed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from omagen.geometry.edge_queue import FIXED, OPEN, State, best_place, queue_edge, take_first

LEAST_TURN: Final = 0.15
"""Cosine between the normals of a face before and after, below which it counts as folded over"""


@njit(cache=True, nogil=True)
def collapse(state: State, target: int, steps: int) -> bool:
    """Collapse edges until `target` faces are left, nothing more can be done (both: True), or `steps` are taken."""
    where, uv = np.empty(3), np.zeros(2)
    while state.count[0] > target:
        if state.count[1] == 0:
            return True
        if steps == 0:
            return False
        a, b, is_current = take_first(state)
        if not is_current or not _is_simple(state, a, b):
            continue
        if state.flags[b] & FIXED or (
            state.flags[b] & OPEN and not state.flags[a] & OPEN and not state.flags[a] & FIXED
        ):
            a, b = b, a
        best_place(state, a, b, where)
        if len(state.uv):
            _uv_there(state, a, b, _share(state, a, b, where), uv)
        if _folds(state, a, b, where, uv) or _folds(state, b, a, where, uv):
            continue
        _merge(state, a, b, where, uv)
        steps -= 1
    return True


@njit(cache=True, nogil=True)
def _is_simple(state: State, a: int, b: int) -> bool:
    """Whether collapsing the edge leaves the surface connected as it is."""
    state.count[2] += 2
    mark = state.count[2]
    faces_a = 0
    corner = state.first[a]
    while corner >= 0:
        f, k = corner // 3, corner % 3
        if state.is_alive[f]:
            faces_a += 1
            state.mark[state.faces[f, (k + 1) % 3]] = mark
            state.mark[state.faces[f, (k + 2) % 3]] = mark
        corner = state.next[corner]
    faces_b = common = beside = 0
    corner = state.first[b]
    while corner >= 0:
        f, k = corner // 3, corner % 3
        if state.is_alive[f]:
            faces_b += 1
            for step in (1, 2):
                other = state.faces[f, (k + step) % 3]
                if other == a:
                    beside += 1
                elif state.mark[other] == mark:
                    state.mark[other] = mark + 1
                    common += 1
        corner = state.next[corner]
    if beside == 0 or beside > 2 or common != beside:
        return False
    if beside == 2:
        if state.flags[a] & OPEN and state.flags[b] & OPEN:
            return False
        return faces_a > 3 or faces_b > 3
    return faces_a > 1 or faces_b > 1


@njit(cache=True, nogil=True)
def _share(state: State, a: int, b: int, where: np.ndarray) -> float:
    """How far from `a` to `b` a point beside the edge is, 0 to 1."""
    along = square = 0.0
    for i in range(3):
        step = state.place[b, i] - state.place[a, i]
        along += (where[i] - state.place[a, i]) * step
        square += step * step
    return min(max(along / square, 0.0), 1.0) if square > 0 else 0.5


@njit(cache=True, nogil=True)
def _uv_there(state: State, a: int, b: int, share: float, out: np.ndarray) -> None:
    """The UV at `share` of the way from `a` to `b`, of a face beside their edge, into `out` (2,)."""
    corner = state.first[b]
    while corner >= 0:
        f, k = corner // 3, corner % 3
        if state.is_alive[f]:
            for step in (1, 2):
                other = 3 * f + (k + step) % 3
                if state.faces[f, (k + step) % 3] == a:
                    out[:] = (1 - share) * state.uv[other] + share * state.uv[corner]
                    return
        corner = state.next[corner]


@njit(cache=True, nogil=True)
def _folds(state: State, moved: int, other: int, where: np.ndarray, new_uv: np.ndarray) -> bool:
    """Whether a face of `moved` that stays would turn over, or all but vanish."""
    place = state.place
    corner = state.first[moved]
    while corner >= 0:
        f, k = corner // 3, corner % 3
        corner = state.next[corner]
        if not state.is_alive[f]:
            continue
        p, r = state.faces[f, (k + 1) % 3], state.faces[f, (k + 2) % 3]
        if other in (p, r):
            continue
        before, after = np.empty(3), np.empty(3)
        for i in range(3):
            m, n = (i + 1) % 3, (i + 2) % 3
            along_m, along_n = place[r, m] - place[p, m], place[r, n] - place[p, n]
            before[i] = along_m * (place[moved, n] - place[p, n]) - along_n * (place[moved, m] - place[p, m])
            after[i] = along_m * (where[n] - place[p, n]) - along_n * (where[m] - place[p, m])
        turn = before[0] * after[0] + before[1] * after[1] + before[2] * after[2]
        size_before = before[0] ** 2 + before[1] ** 2 + before[2] ** 2
        size_after = after[0] ** 2 + after[1] ** 2 + after[2] ** 2
        longest = 0.0
        for i in range(3):
            longest += (place[r, i] - place[p, i]) ** 2 + (where[i] - place[p, i]) ** 2
        folds = turn < LEAST_TURN * np.sqrt(size_before * size_after) or (
            size_after < 1e-8 * longest * longest and size_after < size_before
        )
        if folds and size_before > 1e-16 * longest * longest:
            return True
        if len(state.uv) and not state.flags[moved] & FIXED:
            uv = state.uv[3 * f : 3 * f + 3]
            m, n = (k + 1) % 3, (k + 2) % 3
            old = _turn(uv[k, 0], uv[k, 1], uv[m, 0], uv[m, 1], uv[n, 0], uv[n, 1])
            if not old * _turn(new_uv[0], new_uv[1], uv[m, 0], uv[m, 1], uv[n, 0], uv[n, 1]) > 0:
                return True
    return False


@njit(cache=True, nogil=True)
def _turn(au, av, bu, bv, cu, cv) -> float:
    return (bu - au) * (cv - av) - (cu - au) * (bv - av)


@njit(cache=True, nogil=True)
def _merge(state: State, a: int, b: int, where: np.ndarray, uv: np.ndarray) -> None:
    """`b` becomes `a`, which moves to `where` and in the chart of their edge to `uv`."""
    state.place[a] = where
    state.quadric[a] += state.quadric[b]
    if len(state.uv):
        for vertex in (a, b):
            corner = -1 if state.flags[vertex] & FIXED else state.first[vertex]
            while corner >= 0:
                state.uv[corner] = uv
                corner = state.next[corner]
    state.flags[a] |= state.flags[b]
    state.degree[a] += state.degree[b]  # those that vanish are taken off below
    corner = state.first[b]
    while corner >= 0:
        f, k = corner // 3, corner % 3
        if state.is_alive[f]:
            vanishes = a in (state.faces[f, (k + 1) % 3], state.faces[f, (k + 2) % 3])
            state.faces[f, k] = a
            if vanishes:
                state.is_alive[f] = False
                state.count[0] -= 1
                for step in range(3):  # twice off `a`, which has it twice
                    state.degree[state.faces[f, step]] -= 1
        corner = state.next[corner]
    head = last = -1  # the living corners of both, as one list
    for vertex in (a, b):
        corner = state.first[vertex]
        while corner >= 0:
            following = state.next[corner]
            if state.is_alive[corner // 3]:
                if last < 0:
                    head = corner
                else:
                    state.next[last] = corner
                last = corner
            corner = following
    if last >= 0:
        state.next[last] = -1
    state.first[a], state.first[b] = head, -1
    state.stamp[a] += 1
    state.stamp[b] += 1
    state.count[2] += 2
    state.count[3] += 1
    mark = state.count[2]
    corner = head
    while corner >= 0:
        f, k = corner // 3, corner % 3
        for step in (1, 2):
            other = state.faces[f, (k + step) % 3]
            if state.mark[other] != mark:
                state.mark[other] = mark
                queue_edge(state, a, other)
        corner = state.next[corner]
