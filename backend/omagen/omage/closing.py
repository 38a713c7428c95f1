"""Closes the seams of omages that do not say which pixels are one point: borders that nearly meet are paired.

Two border pixels are a pair when each is the other's nearest, they are no further apart than a small multiple of the
spacing there, and their neighbours along both borders pair up in the same order. Pairs are welded at their middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from omagen.omage.borders import Loops, border_edges, trace_loops
from omagen.omage.diagonals import BORDER
from omagen.omage.orientation import winding_signs
from omagen.omage.pair_order import keep_in_order, run_opposite
from omagen.omage.seam_windings import seam_windings
from omagen.omage.triangulate import find_blocks
from omagen.omage.welding import coinciding_pixels

REACH = 2.0
"""How far apart a pair may be, in spacings of its borders."""
CANDIDATES = 16
"""How many of the nearest border pixels are looked at."""
BESIDE = 4
"""Pixels this close along the same border are no pair."""
FOLDED = 0.4
"""Two pixels of one chart may be a pair when they are this much closer than their distance in the picture suggests."""
PARALLEL = 0.3
"""Borders whose windings are known run in opposite directions along a seam: the cosine between them is lower."""


@dataclass(frozen=True)
class Closing:
    seam: np.ndarray
    """(H, W) int32: the same number from 0 up for pixels at the same position and for the two of a pair, else -1"""
    winding: np.ndarray
    """(C,) int8 per label: 1 for triangles counter-clockwise in the picture, -1 for clockwise"""
    border: int
    """Border pixels in all"""
    joined: int
    """Border pixels that were at the same position already"""
    pairs: int
    gap_mean: float
    gap_max: float
    """Distance between the pixels of a pair before welding, in the unit of the positions"""


def close_seams(labels: np.ndarray, position: np.ndarray, normal: np.ndarray | None = None) -> Closing:
    """Find the pairs. `labels` (H, W) int32 from 0, -1 for none; `position`, `normal` (H, W, 3) float32.

    Without normals, charts that turn out to be mirrored against their neighbours are wound the other way round, and
    closed shapes outwards.
    """
    count = int(labels.max(initial=-1)) + 1
    blocks, standing, _ = find_blocks(labels)
    loops = trace_loops(border_edges(blocks))
    winding = np.zeros(count, np.int8)
    if normal is not None:
        winding = winding_signs(labels, count, blocks, position, normal)
    steps = _steps(loops, labels, position, winding)
    same = coinciding_pixels(standing, position).reshape(-1)
    exact = same[steps.pixel]
    taken = np.ones(len(exact), bool)
    taken[np.unique(steps.pixel, return_index=True)[1]] = False  # where a border passes a pixel again, once is enough
    taken |= exact >= 0
    partner = np.maximum(_mutual(_nearest(steps, taken, labels.shape[1])), _twins(exact))
    for _ in range(2):  # what is undone leaves gaps, in which more may lose its support
        keep_in_order(partner, steps.loop, loops.start)
    first = np.flatnonzero(partner > np.arange(len(partner)))
    if normal is None:
        opposite = run_opposite(first, partner[first], steps.loop, loops.start, partner)
        sides = steps.label[first], steps.label[partner[first]]
        winding = seam_windings(labels, blocks, position, *sides, opposite.astype(np.float64))
    first = first[exact[first] < 0]
    second = partner[first]
    seam, joined = same, int((same >= 0).sum())
    seam[steps.pixel[first]] = seam[steps.pixel[second]] = int(same.max(initial=-1)) + 1 + np.arange(len(first))
    gaps = np.linalg.norm(steps.point[first] - steps.point[second], axis=1)
    return Closing(
        seam.reshape(labels.shape),
        winding,
        border=int((standing == BORDER).sum()),
        joined=joined,
        pairs=len(first),
        gap_mean=float(gaps.mean()) if len(gaps) else 0.0,
        gap_max=float(gaps.max(initial=0.0)),
    )


@dataclass(frozen=True)
class _Steps:
    """One row for each step along the loops."""

    pixel: np.ndarray
    loop: np.ndarray
    place: np.ndarray
    """Steps since the loop's start"""
    length: np.ndarray
    """Steps of the whole loop"""
    label: np.ndarray
    point: np.ndarray
    """(N, 3) float64"""
    direction: np.ndarray
    """(N, 3) float64: unit, along the border with the surface on the left; zero where windings are unknown"""
    spacing: np.ndarray


def _steps(loops: Loops, labels: np.ndarray, position: np.ndarray, winding: np.ndarray) -> _Steps:
    start, loop = loops.start.astype(np.int64), loops.loop
    length = np.diff(start)[loop]
    place = np.arange(len(loop)) - start[loop]
    after = start[loop] + (place + 1) % length
    before = start[loop] + (place - 1) % length
    point = position.reshape(-1, 3)[loops.pixel].astype(np.float64)
    label = labels.reshape(-1)[loops.pixel]
    along = point[after] - point[before]
    along *= (winding[label] / np.maximum(np.linalg.norm(along, axis=1), 1e-30))[:, None]
    ahead = np.linalg.norm(point[after] - point, axis=1)
    spacing = (ahead + ahead[before]) / 2
    return _Steps(loops.pixel, loop, place, length, label, point, along, spacing)


def _nearest(steps: _Steps, taken: np.ndarray, width: int) -> np.ndarray:
    """(N,) int64: the step that each one would be paired with, -1 for none. `taken` (N,) bool: not to be paired."""
    from scipy.spatial import KDTree

    if len(steps.pixel) < 2:
        return np.full(len(steps.pixel), -1, np.int64)
    tree = KDTree(steps.point)
    wanted = min(CANDIDATES, len(steps.pixel))
    reach = REACH * float(steps.spacing.max()) + 1e-9
    distance, candidate = map(np.asarray, tree.query(steps.point, wanted, distance_upper_bound=reach))
    columns = (steps.pixel, steps.loop, steps.place, steps.length, steps.label, steps.direction, steps.spacing)
    return _first_allowed(distance, candidate, taken, *columns, width)


@numba.njit(cache=True, nogil=True)
def _first_allowed(
    distance: np.ndarray,
    candidate: np.ndarray,
    taken: np.ndarray,
    pixel: np.ndarray,
    loop: np.ndarray,
    place: np.ndarray,
    length: np.ndarray,
    label: np.ndarray,
    direction: np.ndarray,
    spacing: np.ndarray,
    width: int,
) -> np.ndarray:
    nearest = np.full(len(pixel), -1, np.int64)
    for p in range(len(pixel)):
        for n in range(candidate.shape[1]):
            q = candidate[p, n]
            if q >= len(pixel) or taken[p]:
                break
            size = (spacing[p] + spacing[q]) / 2
            if taken[q] or pixel[q] == pixel[p] or distance[p, n] > REACH * size:
                continue
            if loop[p] == loop[q]:
                apart = abs(place[p] - place[q])
                if min(apart, length[p] - apart) <= BESIDE:
                    continue
            if label[p] == label[q]:
                rows = abs(pixel[p] // width - pixel[q] // width)
                columns = abs(pixel[p] % width - pixel[q] % width)
                if distance[p, n] > FOLDED * max(rows, columns) * size:
                    continue
            cosine = 0.0
            for k in range(3):
                cosine += direction[p, k] * direction[q, k]
            if cosine <= PARALLEL:
                nearest[p] = q
                break
    return nearest


def _mutual(nearest: np.ndarray) -> np.ndarray:
    """(N,) int64: the step that each one is paired with, -1 for none."""
    own = np.arange(len(nearest))
    is_mutual = (nearest >= 0) & (nearest[np.maximum(nearest, 0)] == own)
    return np.where(is_mutual, nearest, -1)


def _twins(group: np.ndarray) -> np.ndarray:
    """(N,) int64: the other step with the same number in `group` (N,) where there is just one, else -1."""
    order = np.argsort(group, kind="stable")
    _, start, counts = np.unique(group[order], return_index=True, return_counts=True)
    start = start[(counts == 2) & (group[order[start]] >= 0)]
    twins = np.full(len(group), -1, np.int64)
    twins[order[start]], twins[order[start + 1]] = order[start + 1], order[start]
    return twins
