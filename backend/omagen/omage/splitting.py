"""Keeps what is welded manifold: edges inside a chart that welding laid on other edges are split at their middle.

A thin chart has edges from border to border. When both ends are welded, such an edge can connect the same two vertices
as an edge of another chart, and four triangles would hang on it. A new vertex at its middle makes it another edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

ROUNDS = 8
"""Splitting a triangle that is folded onto its neighbour makes new edges coincide; the second round splits these."""


class Triangles(NamedTuple):
    faces: np.ndarray
    """(S, 3) int32"""
    pixels: np.ndarray
    """(S, 3) int32"""


@dataclass(frozen=True)
class Split:
    """The mesh after splitting, as in `Surface`."""

    vertices: np.ndarray
    faces: np.ndarray
    pixels: np.ndarray
    inserted: np.ndarray
    edges: int
    """How many edges were split"""


def split_coinciding(
    vertices: np.ndarray,
    faces: np.ndarray,
    pixels: np.ndarray,
    suspects: np.ndarray,
    is_shared: np.ndarray,
    vertex: np.ndarray,
) -> Split:
    """Split edges inside charts that coincide with other edges, and triangles that coincide with other triangles.

    `vertices` (V, 3), `faces`, `pixels` (F, 3) and `vertex` (H, W) as in `Surface`, without collapsed triangles;
    `suspects` (S,) int32: all faces with a shared corner; `is_shared` (V,): vertices of several pixels.
    Edges on which borders meet stay, however many meet there.
    """
    triangles = Triangles(faces[suspects], pixels[suspects])
    inserted, edges = np.zeros((0, 4), np.int32), 0
    for _ in range(ROUNDS):
        middle, ends = _split_edges(triangles, is_shared)
        centre, corners = _split_triangles(triangles, is_shared, middle, len(ends))
        points = np.concatenate([_between(ends, inserted, vertex.size), _between(corners, inserted, vertex.size)])
        if not len(points):
            break
        first = len(is_shared), vertex.size + len(inserted)
        triangles = _subdivided(triangles, middle, centre, first)
        inserted, edges = np.concatenate([inserted, points]), edges + len(ends)
        is_shared = np.concatenate([is_shared, np.ones(len(points), is_shared.dtype)])
    if not len(inserted):
        return Split(vertices, faces, pixels, inserted, 0)
    keep = np.ones(len(faces), bool)
    keep[suspects] = False
    points = vertices[vertex.reshape(-1)[inserted]].mean(axis=1, dtype=np.float64).astype(np.float32)
    return Split(
        np.concatenate([vertices, points]),
        np.concatenate([faces[keep], triangles.faces]),
        np.concatenate([pixels[keep], triangles.pixels]),
        inserted,
        edges,
    )


def _split_edges(triangles: Triangles, is_shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`middle` (S, 3) int32: the point to insert on the edge from each corner to the next, -1 for none; and
    (N, 2) int64 the pixels at the ends of the edges with these points.

    Two triangles with the same two pixels continue each other inside a chart. On an edge with more than two triangles
    all such pairs are split; one pair stays where no border lies on the edge.
    """
    faces, pixels = triangles
    middle = np.full(faces.size, -1, np.int32)
    ends, pixel_ends = _edge_keys(faces), _edge_keys(pixels)
    at = np.flatnonzero((is_shared[faces] | is_shared[np.roll(faces, -1, axis=1)]).reshape(-1))
    at = at[np.lexsort((pixel_ends[at], ends[at]))]
    ends, pixel_ends = ends[at], pixel_ends[at]
    edge = np.cumsum(np.concatenate([[True], ends[1:] != ends[:-1]])[: len(at)]) - 1
    is_pair = np.zeros(len(at), bool)  # the first of two
    is_pair[:-1] = pixel_ends[1:] == pixel_ends[:-1]
    pairs = np.flatnonzero(is_pair)
    count = np.bincount(edge)
    borders = count - 2 * np.bincount(edge[pairs], minlength=len(count))
    is_first = np.concatenate([[True], edge[pairs][1:] != edge[pairs][:-1]])[: len(pairs)]
    pairs = pairs[(count[edge[pairs]] > 2) & ~(is_first & (borders[edge[pairs]] == 0))]
    numbers = np.arange(len(pairs), dtype=np.int32)
    middle[at[pairs]] = middle[at[pairs + 1]] = numbers
    return middle.reshape(-1, 3), np.stack([pixel_ends[pairs] >> 32, pixel_ends[pairs] & 0xFFFFFFFF], axis=1)


def _edge_keys(corners: np.ndarray) -> np.ndarray:
    """(3S,) int64: one number for the two ends of the edge from each corner to the next, in either direction."""
    start, end = corners.reshape(-1).astype(np.int64), np.roll(corners, -1, axis=1).reshape(-1)
    return (np.minimum(start, end) << 32) | np.maximum(start, end)


def _split_triangles(
    triangles: Triangles, is_shared: np.ndarray, middle: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """`centre` (S,) int32: the point, counted from `first`, to insert into triangles that have another one's corners,
    -1 for none; and (N, 3) the pixels of these triangles."""
    centre = np.full(len(middle), -1, np.int32)
    at = np.flatnonzero(is_shared[triangles.faces].any(axis=1) & (middle < 0).all(axis=1))
    triples = np.sort(triangles.faces[at], axis=1)
    order = np.lexsort(triples.T)
    again = at[order[1:][(triples[order[1:]] == triples[order[:-1]]).all(axis=1)]]
    centre[again] = first + np.arange(len(again), dtype=np.int32)
    return centre, triangles.pixels[again]


def _between(ends: np.ndarray, inserted: np.ndarray, size: int) -> np.ndarray:
    """(N, 4) int32: points between `ends` (N, 2 or 3), pixels or points inserted before, as means of four pixels."""
    pixel = np.where(ends < size, ends, 0)
    first = last = pixel
    if len(inserted):
        earlier = inserted[np.maximum(ends - size, 0)]
        first, last = np.where(ends < size, pixel, earlier[..., 0]), np.where(ends < size, pixel, earlier[..., 3])
    return np.stack(
        [first[:, 0], last[:, 0] if ends.shape[1] == 2 else first[:, 2], first[:, 1], last[:, 1]], axis=1
    ).astype(np.int32)


def _subdivided(triangles: Triangles, middle: np.ndarray, centre: np.ndarray, first: tuple[int, int]) -> Triangles:
    """`triangles` with new points in them; point k is vertex `first[0]` + k and pixel `first[1]` + k."""
    is_split = (middle >= 0).any(axis=1) | (centre >= 0)
    parts = middle[is_split], centre[is_split]
    faces, pixels = (
        np.concatenate([corners[~is_split], _subdivide(corners[is_split], *parts, number)])
        for corners, number in zip(triangles, first, strict=True)
    )
    return Triangles(faces, pixels)


@numba.njit(cache=True, nogil=True)
def _subdivide(corners: np.ndarray, middle: np.ndarray, centre: np.ndarray, first: int) -> np.ndarray:
    """The triangles that replace `corners` (N, 3) int32; inserted point k is number `first` + k."""
    out = np.empty((4 * len(corners), 3), np.int32)
    n = 0
    for t in range(len(corners)):
        if centre[t] >= 0:
            for c in range(3):
                out[n + c, 0], out[n + c, 1], out[n + c, 2] = corners[t, c], corners[t, (c + 1) % 3], first + centre[t]
            n += 3
            continue
        count = (middle[t, 0] >= 0) + (middle[t, 1] >= 0) + (middle[t, 2] >= 0)
        turn = 0  # x-y is split; with two, y-z as well
        while middle[t, turn] < 0 or (count == 2 and middle[t, (turn + 1) % 3] < 0):
            turn += 1
        x, y, z = np.int64(corners[t, turn]), np.int64(corners[t, (turn + 1) % 3]), np.int64(corners[t, (turn + 2) % 3])
        xy, yz, zx = first + middle[t, turn], first + middle[t, (turn + 1) % 3], first + middle[t, (turn + 2) % 3]
        if count == 1:
            out[n], out[n + 1] = (x, xy, z), (xy, y, z)
        elif count == 2:
            out[n], out[n + 1], out[n + 2] = (xy, y, yz), (x, xy, yz), (x, yz, z)
        else:
            out[n], out[n + 1], out[n + 2], out[n + 3] = (x, xy, zx), (xy, y, yz), (zx, yz, z), (xy, yz, zx)
        n += count + 1
    return out[:n].copy()
