"""Fills small holes of a decoded surface, and with them the slits that closing seams leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np

from omagen.omage.borders import trace_loops
from omagen.omage.loop_triangulation import span_loop
from omagen.omage.triangulate import Surface

MOST_EDGES = 10
"""Wider borders of more edges stay open: they are openings of the object rather than flaws."""
SLIT_EDGES = 64
SLIT_AREA = 0.03
"""Slits may have more edges: borders around less than this share of their length squared (0.08 is a circle)."""
AGAINST = -0.3
LOOSE = 20.0
"""A filling whose normal has a lower cosine than `AGAINST` to the triangles around it, on a piece of less than `LOOSE`
times its area, would make a blade of a loose piece."""


@dataclass(frozen=True)
class Filling:
    surface: Surface
    open_edges: int
    """How many edges of one triangle there were"""
    holes: int
    """How many were filled"""
    triangles: int
    """How many were added"""


def fill_holes(surface: Surface, labels: np.ndarray) -> Filling:
    """Fill each small border with the triangles of least area, where these continue the surface.

    `labels` as given to `build_surface`. A new triangle takes the texture at its own corners where the hole is inside
    one chart, else along its edge to the old surface, so that it shows no other part of the picture. No edge gets more
    than two triangles.
    """
    around = _edges_at_border(surface, labels)
    keys = np.sort(around.key)
    is_open = np.searchsorted(keys, around.key, "right") - np.searchsorted(keys, around.key, "left") == 1
    rim = around.only(is_open)
    if not len(rim.key):
        return Filling(surface, 0, 0, 0)
    loops = trace_loops(np.stack([rim.end, rim.start], axis=1))  # around the hole, against the triangles beside it
    after = _next_steps(loops.start)
    of_step = rim.find(loops.pixel[after], loops.pixel)
    normals, sizes = _faces_beside(surface, rim.face[of_step])
    faces, steps, hole = _span_all(loops.pixel, loops.start, surface.vertices, normals, sizes, np.unique(keys))
    keep = _is_manifold(faces, hole, keys)
    faces, steps, hole = faces[keep], steps[keep], hole[keep]
    if len(faces):
        inside = _is_in_chart(surface, labels, loops.start, rim.end_pixel[of_step])
        pixels = _corner_pixels(steps, hole, inside, after, rim.end_pixel[of_step], rim.start_pixel[of_step])
        surface = replace(
            surface, faces=np.concatenate([surface.faces, faces]), pixels=np.concatenate([surface.pixels, pixels])
        )
    return Filling(surface, len(rim.key), len(np.unique(hole)), len(faces))


@dataclass(frozen=True)
class _Edges:
    """Directed edges of triangles: vertices and pixels at both ends, and the triangle."""

    key: np.ndarray
    """uint64: the same number in either direction"""
    start: np.ndarray
    end: np.ndarray
    start_pixel: np.ndarray
    end_pixel: np.ndarray
    face: np.ndarray

    def only(self, chosen: np.ndarray) -> _Edges:
        return _Edges(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def find(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Which edge runs from `start` to `end`; each is there, once."""
        order = np.argsort(_directed(self.start, self.end))
        return order[np.searchsorted(_directed(self.start, self.end)[order], _directed(start, end))]


def _directed(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return (start.astype(np.uint64) << np.uint64(32)) | end.astype(np.uint64)


def _edges_at_border(surface: Surface, labels: np.ndarray) -> _Edges:
    """All edges between vertices of border pixels: no other edge can be open or coincide with a new one."""
    at_border = np.zeros(len(surface.vertices), bool)
    whole = np.zeros(labels.shape, bool)
    inner = labels[1:-1, 1:-1]
    whole[1:-1, 1:-1] = (
        (inner == labels[:-2, 1:-1])
        & (inner == labels[2:, 1:-1])
        & (inner == labels[1:-1, :-2])
        & (inner == labels[1:-1, 2:])
    )
    at_border[surface.vertex[(surface.vertex >= 0) & ~whole]] = True
    at_border[len(surface.vertices) - len(surface.inserted) :] = True
    chosen = np.flatnonzero(at_border[surface.faces].sum(axis=1) >= 2)
    faces, pixels = surface.faces[chosen], surface.pixels[chosen]
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    both = at_border[start] & at_border[end]
    key = _directed(np.minimum(start, end), np.maximum(start, end))
    columns = start, end, pixels.reshape(-1), np.roll(pixels, -1, axis=1).reshape(-1), np.repeat(chosen, 3)
    return _Edges(key[both], *(column[both] for column in columns))


def _next_steps(start: np.ndarray) -> np.ndarray:
    """For each step of the loops the one after it."""
    after = np.arange(1, start[-1] + 1)
    after[start[1:] - 1] = start[:-1]
    return after


def _faces_beside(surface: Surface, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the faces `beside` (N,): unit normals (N, 3) and the areas (N,) of the connected pieces they are part of."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces, count = surface.faces, len(surface.vertices)
    a, b, c = (surface.vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(count, count))
    _, piece = connected_components(graph, directed=False)
    sizes = np.bincount(piece[faces[:, 0]], area / 2)
    normal = normal[beside].astype(np.float64)
    return normal / np.maximum(area[beside], 1e-30)[:, None], sizes[piece[faces[beside, 0]]]


@numba.njit(cache=True, nogil=True)
def _span_all(
    vertex: np.ndarray,
    start: np.ndarray,
    vertices: np.ndarray,
    normals: np.ndarray,
    sizes: np.ndarray,
    edges: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles for the loops that may be filled: (N, 3) int32 vertices and steps of their corners, and (N,) the loop.

    `edges`: the sorted numbers of the edges that exist.
    """
    room = np.int64(0)
    for index in range(len(start) - 1):
        n = start[index + 1] - start[index]
        room += n - 2 if 3 <= n <= SLIT_EDGES else 0
    steps = np.empty((room, 3), np.int32)
    hole = np.empty(room, np.int32)
    count = 0
    for index in range(len(start) - 1):
        low, n = start[index], start[index + 1] - start[index]
        if n < 3 or n > SLIT_EDGES:
            continue
        points = np.empty((n, 3), np.float64)
        for i in range(n):
            points[i] = vertices[vertex[low + i]]
        forbidden = _connected(vertex[low : low + n], edges)
        triangles, area = span_loop(points, forbidden)
        if len(triangles) == 0 or not _may_fill(points, area, normals[low : low + n], float(sizes[low])):
            continue
        for t in range(n - 2):
            steps[count] = triangles[t] + low
            hole[count] = index
            count += 1
    steps = steps[:count].copy()
    faces = np.empty_like(steps)
    for t in range(count):
        for c in range(3):
            faces[t, c] = vertex[steps[t, c]]
    return faces, steps, hole[:count].copy()


@numba.njit(cache=True, nogil=True)
def _connected(vertex: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(n, n) bool: which vertices of a loop, not next to each other, an edge connects already."""
    n = len(vertex)
    connected = np.zeros((n, n), np.bool_)
    for i in range(n):
        for j in range(i + 2, n):
            a, b = np.uint64(vertex[i]), np.uint64(vertex[j])
            key = (min(a, b) << np.uint64(32)) | max(a, b)
            at = np.searchsorted(edges, key)
            connected[i, j] = at < len(edges) and edges[at] == key
    return connected


@numba.njit(cache=True, nogil=True)
def _may_fill(points: np.ndarray, area: float, normals: np.ndarray, piece: float) -> bool:
    """Whether the loop is small or a slit, and not the rim of a loose piece of area `piece`."""
    n = len(points)
    length = along = 0.0
    face = np.zeros(3, np.float64)
    for i in range(n):
        p, q = points[i], points[(i + 1) % n]
        face += 0.5 * np.cross(p - points[0], q - points[0])
    size = np.sqrt((face * face).sum())
    for i in range(n):
        side = points[(i + 1) % n] - points[i]
        step = np.sqrt((side * side).sum())
        length += step
        along += step * (face * normals[i]).sum()
    if n > MOST_EDGES and area > SLIT_AREA * length * length:
        return False
    return piece > LOOSE * area or along >= AGAINST * length * size


def _is_manifold(faces: np.ndarray, hole: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(N,) bool: triangles of holes whose filling leaves all edges with at most two triangles. `keys`: those of all
    edges there are, sorted, one for each triangle."""
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    new, index, counts = np.unique(
        _directed(np.minimum(start, end), np.maximum(start, end)), return_inverse=True, return_counts=True
    )
    counts = counts + np.searchsorted(keys, new, "right") - np.searchsorted(keys, new, "left")
    bad = np.unique(np.repeat(hole, 3)[counts[index] > 2])
    return ~np.isin(hole, bad)


def _is_in_chart(surface: Surface, labels: np.ndarray, start: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(L,) bool: loops whose pixels are of one chart and near each other in the picture."""
    if len(surface.inserted):
        made = pixels >= labels.size
        pixels = np.where(made, surface.inserted[np.where(made, pixels - labels.size, 0), 0], pixels)
    label = labels.reshape(-1)[pixels]
    row, column = np.divmod(pixels, labels.shape[1])

    def spread(values: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(values, start[:-1]) - np.minimum.reduceat(values, start[:-1])

    limit = np.diff(start)
    return (spread(label) == 0) & (spread(row) < limit) & (spread(column) < limit)


def _corner_pixels(
    steps: np.ndarray, hole: np.ndarray, inside: np.ndarray, after: np.ndarray, here: np.ndarray, ahead: np.ndarray
) -> np.ndarray:
    """(N, 3) int32: the pixel of each new corner. `here`, `ahead`: the pixels at both ends of each step."""
    own = here[steps]
    along = np.repeat(own[:, :1], 3, axis=1)
    for c in range(3):
        following, last = (c + 1) % 3, (c + 2) % 3
        is_side = after[steps[:, c]] == steps[:, following]
        along[is_side, c] = here[steps[is_side, c]]
        along[is_side, following] = along[is_side, last] = ahead[steps[is_side, c]]
    return np.where(inside[hole][:, None], own, along).astype(np.int32)
