"""Where the triangles of a decoded omage lie in its picture, without overlap.

A triangle lies where its pixels are. Only where neighbouring pixels stand for one and the same point of a seam must
they be given one place, and then the triangles around it may turn over; so places there move a little, until none does.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.omage.triangulate import Surface

LEAST_AREA: Final = 0.05
"""Square pixels, twice the area of a triangle, that moving places aims at; most have 1."""
RINGS: Final = 4
"""How far from a triangle that is turned over places may move, in triangles."""
ROUNDS: Final = 40
NUDGES: Final = (0.75, 0.3, 0.1)
"""Pixels: steps in which a place is moved."""


def corner_places(
    surface: Surface, labels: np.ndarray, seam: np.ndarray | None, chart: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, 2) float64: places of the corners of `surface` in a picture of side 1, row 0 at its bottom; and (C,) bool:
    the charts whose triangles run clockwise there.

    `labels` and `seam` (H, W) int32 as given to `build_surface`, `chart` (F,) int32 from 0. Within a chart, corners
    have equal places exactly where they have the same vertex and their pixels are neighbours.
    """
    height, width = labels.shape
    root = _joined_pixels(labels, seam)
    row, column = np.divmod(np.arange(labels.size), width)
    places = np.stack([column + 0.5, row + 0.5], axis=1)
    shared = np.flatnonzero(root != np.arange(labels.size))
    if len(shared):
        members = np.union1d(shared, root[shared])
        roots, group = np.unique(root[members], return_inverse=True)
        mean = np.stack([np.bincount(group, places[members, k]) for k in (0, 1)], axis=1)
        places[roots] = mean / np.bincount(group)[:, None]
    if len(surface.inserted):
        places = np.concatenate([places, places[root[surface.inserted]].mean(axis=1)])
        root = np.append(root, np.arange(labels.size, len(places)))
    corner = root[surface.pixels]
    mirrored = np.bincount(chart, _double_areas(places, corner)) < 0
    sign = np.where(mirrored, -1.0, 1.0)[chart]
    for rings in range(RINGS):
        folded = sign * _double_areas(places, corner) < LEAST_AREA
        if not folded.any():
            break
        movable = np.zeros(len(places), bool)
        for _ in range(rings + 1):
            movable[corner[folded]] = True
            folded = movable[corner].any(axis=1)
        _unfold(places, corner[folded], sign[folded], np.flatnonzero(movable))
    return places[corner] / (width, height), mirrored


def _joined_pixels(labels: np.ndarray, seam: np.ndarray | None) -> np.ndarray:
    """(H * W,) int64: for each pixel one that stands for it; the same for neighbours of one chart at one seam point."""
    height, width = labels.shape
    root = np.arange(labels.size)
    if seam is None:
        return root
    pairs = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, height - down), slice(max(-right, 0), width - max(right, 0)))
        there = (slice(down, height), slice(max(right, 0), width + min(right, 0)))
        i, j = np.nonzero((seam[here] >= 0) & (seam[here] == seam[there]) & (labels[here] == labels[there]))
        first = i * width + j + max(-right, 0)
        pairs.append(np.stack([first, first + down * width + right], axis=1))
    pair = np.concatenate(pairs)
    used, index = np.unique(pair, return_inverse=True)
    index = index.reshape(-1, 2)
    graph = coo_array((np.ones(len(pair), bool), (index[:, 0], index[:, 1])), shape=(len(used), len(used)))
    _, group = connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)
    root[used] = used[first[group]]
    return root


@numba.njit(cache=True, nogil=True)
def _double_areas(places: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """(F,) float64: twice the area of each triangle, negative where it runs clockwise."""
    area = np.empty(len(corner))
    for f in range(len(corner)):
        area[f] = _double_area(places, corner, f)
    return area


@numba.njit(cache=True, nogil=True)
def _double_area(places: np.ndarray, corner: np.ndarray, f: int) -> float:
    a, b, c = corner[f, 0], corner[f, 1], corner[f, 2]
    x, y = places[a, 0], places[a, 1]
    return (places[b, 0] - x) * (places[c, 1] - y) - (places[b, 1] - y) * (places[c, 0] - x)


@numba.njit(cache=True, nogil=True)
def _unfold(places: np.ndarray, corner: np.ndarray, sign: np.ndarray, movable: np.ndarray) -> None:
    """Move the places `movable` (M,) until the triangles `corner` (F, 3) around them all have some area.

    Each goes, of a few places around it, to the one where its triangles lack least.
    """
    number = np.full(len(places), -1, np.int32)
    for m in range(len(movable)):
        number[movable[m]] = m
    start = np.zeros(len(movable) + 1, np.int64)
    for f in range(len(corner)):
        for k in range(3):
            if number[corner[f, k]] >= 0:
                start[number[corner[f, k]] + 1] += 1
    start = np.cumsum(start)
    filled = start[:-1].copy()
    faces = np.empty(start[-1], np.int64)
    for f in range(len(corner)):
        for k in range(3):
            m = number[corner[f, k]]
            if m >= 0:
                faces[filled[m]] = f
                filled[m] += 1
    for _ in range(ROUNDS):
        changed = False
        for m in range(len(movable)):
            star = faces[start[m] : start[m + 1]]
            p = movable[m]
            lack = _lack(places, corner, sign, star)
            if lack == 0:
                continue
            x, y = places[p, 0], places[p, 1]
            mean_x = mean_y = 0.0
            for f in star:
                for k in range(3):
                    if corner[f, k] != p:
                        mean_x += places[corner[f, k], 0] / (2 * len(star))
                        mean_y += places[corner[f, k], 1] / (2 * len(star))
            best_x, best_y = x, y
            for option in range(2 + 8 * len(NUDGES)):
                if option < 2:
                    share = 1.0 if option == 0 else 0.5
                    places[p, 0], places[p, 1] = x + share * (mean_x - x), y + share * (mean_y - y)
                else:
                    angle, step = (option - 2) % 8 * np.pi / 4, NUDGES[(option - 2) // 8]
                    places[p, 0], places[p, 1] = x + step * np.cos(angle), y + step * np.sin(angle)
                found = _lack(places, corner, sign, star)
                if found < lack - 1e-9:
                    lack, best_x, best_y = found, places[p, 0], places[p, 1]
            places[p, 0], places[p, 1] = best_x, best_y
            changed = changed or best_x != x or best_y != y
        if not changed:
            return


@numba.njit(cache=True, nogil=True)
def _lack(places: np.ndarray, corner: np.ndarray, sign: np.ndarray, star: np.ndarray) -> float:
    """How much area the triangles `star` lack."""
    lack = 0.0
    for f in star:
        lack += max(LEAST_AREA - sign[f] * _double_area(places, corner, f), 0.0)
    return float(lack)
