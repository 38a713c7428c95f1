"""A triangulation of the silhouette in the plane whose border is the outline: conforming Delaunay of outline and
interior points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from omagen.engines.inflate.sizing import Sizing, sample
from omagen.protocol import ErrorCode, OmagenError

ROUNDS = 30
FLAT = 1e-9
"""Area of a triangle, of its longest edge squared, below which rounding decides on which side it lies"""


@dataclass(frozen=True)
class Planar:
    """Triangles that tile the silhouette."""

    points: np.ndarray
    """(V, 2) float64 x, y; the outline's vertices come first"""
    rim: np.ndarray
    """(B, 2) int64 outline edges; the inside is at the left in a frame whose y points up"""
    faces: np.ndarray
    """(F, 3) int64, counter-clockwise in a frame whose y points up"""
    neighbors: np.ndarray
    """(F, 3) int64: the face across the edge opposite to each corner, -1 beyond the outline"""

    @property
    def fewest_faces(self) -> int:
        """How many faces there will be once every inner edge that joins two vertices of the outline has been split."""
        last = int(self.rim.max())
        ends = np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
        chords = (ends <= last).all(1).sum() - len(self.rim)
        return len(self.faces) + int(chords)

    def face_at_points(self) -> np.ndarray:
        """(V,) int64: one of the faces around each point."""
        face = np.zeros(len(self.points), np.int64)
        face[self.faces] = np.arange(len(self.faces))[:, None]
        return face


def triangulate(loops: list[np.ndarray], depth: np.ndarray, sizing: Sizing, spread: float) -> Planar:
    """Even triangulation of what `loops` enclose.

    depth: (H, W) float32 distance to the outline inside the silhouette. spread: interior spacing relative to `sizing`.
    Outline edges that the Delaunay triangulation lacks are halved until it has them all (Ruppert's encroachment rule).
    """
    points, rim = _resample(loops, sizing)
    inner = _lattice(depth, sizing, spread)
    for _ in range(ROUNDS):
        every = np.concatenate([points, inner])
        delaunay = Delaunay(every * [1.0, -1.0])
        missing = ~_present(rim, delaunay.simplices, len(every))
        if not missing.any():
            faces, neighbors = _inside(delaunay, rim, len(every))
            used = np.zeros(len(every), bool)
            used[faces] = True
            if used.all():
                return Planar(every, rim, faces, neighbors)
            if not used[: len(points)].all():
                break
            inner = inner[used[len(points) :]]
        else:
            points, rim = _halve(points, rim, missing)
    raise OmagenError(
        ErrorCode.GEOMETRY, "The object's outline is too intricate to be inflated.",
        "Supply a mask with a simpler outline, or use a smaller picture.",
    )  # fmt: skip


def _resample(loops: list[np.ndarray], sizing: Sizing) -> tuple[np.ndarray, np.ndarray]:
    """(B, 2) points along the loops at the wanted spacing, and (B, 2) edges between them."""
    points, edges, start = [], [], 0
    for loop in loops:
        closed = np.concatenate([loop, loop[:1]])
        steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
        wanted = sizing.at((closed[1:] + closed[:-1]) / 2)
        travelled = np.concatenate([[0.0], np.cumsum(steps / wanted)])
        count = max(4, round(travelled[-1]))
        at = np.arange(count) * (travelled[-1] / count)
        points.append(np.stack([np.interp(at, travelled, closed[:, axis]) for axis in (0, 1)], 1))
        index = start + np.arange(count)
        edges.append(np.stack([index, np.roll(index, -1)], 1))
        start += count
    return np.concatenate(points), np.concatenate(edges)


def _lattice(depth: np.ndarray, sizing: Sizing, spread: float) -> np.ndarray:
    """(n, 2) interior points: hexagonal lattices, each octave of edge length with its own, clear of the outline."""
    height, width = depth.shape
    chosen = []
    for octave in range(sizing.levels + 1):
        length = sizing.coarsest * spread / 2**octave
        rows = np.arange(0.5 * length, height, length * np.sqrt(3) / 2)
        columns = np.arange(0.5 * length, width, length)
        x = columns[None, :] + 0.5 * length * (np.arange(len(rows)) % 2)[:, None]
        grid = np.stack([x.ravel(), np.broadcast_to(rows[:, None], x.shape).ravel()], 1)
        wanted = sizing.at(grid)
        own = np.clip(np.round(np.log2(sizing.coarsest / wanted)), 0, sizing.levels) == octave
        grid, wanted = grid[own], wanted[own]
        chosen.append(grid[sample(depth, grid) > 0.7 * wanted])
    return np.concatenate(chosen)


def _present(rim: np.ndarray, simplices: np.ndarray, count: int) -> np.ndarray:
    """(B,) bool: which outline edges are edges of the triangulation."""
    edges = np.sort(simplices[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64), 1)
    wanted = np.sort(rim, 1)
    return np.isin(wanted[:, 0] * count + wanted[:, 1], edges[:, 0] * count + edges[:, 1])


def _halve(points: np.ndarray, rim: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outline with new vertices in the middle of the edges `which`."""
    middle = points[rim[which]].mean(1)
    new = len(points) + np.arange(len(middle))
    first, second = rim[which].T
    edges = np.concatenate([rim[~which], np.stack([first, new], 1), np.stack([new, second], 1)])
    return np.concatenate([points, middle]), edges


def _inside(delaunay: Delaunay, rim: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3) counter-clockwise triangles inside the outline, and the faces next to each.

    Triangles connected without crossing the outline are on the same side of it; which side, the outline's direction
    tells.
    """
    simplices, neighbors = counter_clockwise(
        delaunay.points, delaunay.simplices.astype(np.int64), delaunay.neighbors.astype(np.int64)
    )
    start, end = simplices.ravel(), np.roll(simplices, -1, axis=1).ravel()
    owner = np.repeat(np.arange(len(simplices)), 3)
    forward = rim[:, 0] * count + rim[:, 1]
    along = np.isin(start * count + end, forward)
    against = np.isin(end * count + start, forward)
    free = ~(along | against)
    key = np.minimum(start, end) * count + np.maximum(start, end)
    order = np.flatnonzero(free)[np.argsort(key[free], kind="stable")]
    same = key[order[1:]] == key[order[:-1]]
    first, second = owner[order[:-1][same]], owner[order[1:][same]]
    graph = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(simplices),) * 2)
    number, region = connected_components(graph, directed=False)
    vote = np.bincount(region[owner[along]], minlength=number) - np.bincount(region[owner[against]], minlength=number)
    chosen = vote[region] > 0
    number_of = np.where(chosen, np.cumsum(chosen) - 1, -1)
    across = neighbors[chosen]
    return simplices[chosen], np.where(across >= 0, number_of[across], -1)


def counter_clockwise(
    points: np.ndarray, simplices: np.ndarray, neighbors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`simplices` (F, 3) over `points` (V, 2), all in the same direction, and `neighbors` (F, 3) to match.

    Triangles of points in a line, of which rounding cannot tell the direction, go by the triangles next to them.
    """
    a, b, c = (points[simplices[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    longest = np.max([((b - a) ** 2).sum(1), ((c - b) ** 2).sum(1), ((a - c) ** 2).sum(1)], axis=0)
    simplices, neighbors = simplices.copy(), neighbors.copy()
    _turn(simplices, neighbors, np.flatnonzero(area < 0))
    unsure = np.abs(area) <= FLAT * longest
    while True:
        rows, corner = np.nonzero(unsure[:, None] & (neighbors >= 0) & ~unsure[neighbors])
        if not len(rows):
            return simplices, neighbors
        rows, first = np.unique(rows, return_index=True)
        corner = corner[first]
        beside = simplices[neighbors[rows, corner]]
        start, end = simplices[rows, (corner + 1) % 3], simplices[rows, (corner + 2) % 3]
        along = (beside == start[:, None]) & (np.roll(beside, -1, axis=1) == end[:, None])
        _turn(simplices, neighbors, rows[along.any(axis=1)])
        unsure[rows] = False


def _turn(simplices: np.ndarray, neighbors: np.ndarray, rows: np.ndarray) -> None:
    for table in (simplices, neighbors):
        table[rows] = table[rows][:, [0, 2, 1]]
