"""Puts border pixels exactly onto the true border, at the same points on both sides of every seam.

Around a chart, the loop of its border pixels follows the loop of its border edges. Every node of the border gets a
pixel; the pixels between two nodes share out the arc between them. The side of an arc with the fewest pixels decides
how many points the arc has and where they lie; the other sides visit the same points in the same order, some of them
more than once. Welding equal points therefore closes every seam without a gap, whatever the charts' sizes. Where a
chart is too small for its nodes, its shortest arcs shrink to one point, for all their sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.omage.boundary import Boundary
from omagen.omage.grids import Grids
from omagen.omage.loop_matching import match_loops
from omagen.omage.nodes import isotonic, place_nodes

FAR: Final = 3.0
"""Pixels: border pixels that move further strain a chart …"""
FAR_SHARE: Final = 0.02
"""… if they are a larger share of its border than this."""
SLIGHT: Final = 0.02
"""Pixels: bends by less need no point of their own."""
TIGHT: Final = 1.0
"""Pixels from one point of an arc to the next at the least, where bends ask for more points than there are pixels."""
MIN_GAP: Final = 0.25
"""Points of an arc are at least this far apart, as a fraction of even spacing."""
REACH: Final = 1.0
"""Points move so far along their arc to a vertex where it bends, as a fraction of even spacing."""
FLAT: Final = 1e-3
"""Vertices that are less off the line between their neighbours, as a fraction of even spacing, are no bends."""


@dataclass(frozen=True)
class SeamPixels:
    """Every border pixel of the sound charts: the point of the seam that it stands for, seen from its own chart."""

    cell: np.ndarray
    """(P,) int64 into the flat cells of `Grids`"""
    seam: np.ndarray
    """(P,) int32 into `points`"""
    half_edge: np.ndarray
    """(P,) int32: the border edge of the pixel's own chart that the point lies on"""
    share: np.ndarray
    """(P,) float64, 0 to 1: how far along that edge"""
    spacing: np.ndarray
    """(P,) float64: pixels from one point of the seam to the next there, on average, in the pixel's own chart"""
    points: np.ndarray
    """(S, 3) float64: positions"""
    merged: int
    """Arcs that had to shrink to a point"""


def sample_seams(vertices: np.ndarray, boundary: Boundary, grids: Grids) -> SeamPixels:
    """Points for all border pixels. `vertices` (V, 3) float32."""
    loops = match_loops(boundary, grids)
    arc_start, arc_length = _arc_lengths(vertices, boundary)
    arc_turn = _arc_turns(vertices, boundary)
    pixel = _pixel_size(boundary, loops.at, arc_start, arc_length)
    least, wanted = _least_steps(boundary), _steps_for_turns(arc_start, arc_length / pixel, arc_turn / pixel)
    sides = place_nodes(
        boundary.loop_start, boundary.node, boundary.arc, loops.start, loops.at, loops.along, least, wanted
    )
    side_loop, side_edge, side_edges, side_first, side_last = sides
    side_arc = boundary.arc[side_edge]
    steps = np.full(boundary.arcs, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(steps, side_arc, side_last - side_first)
    reference = np.full(boundary.arcs, -1, np.int32)
    is_reference = (side_last - side_first) == steps[side_arc]
    reference[side_arc[is_reference][::-1]] = np.flatnonzero(is_reference)[::-1]
    seen = reference >= 0
    root, node_point = _merge_nodes(vertices, boundary, seen & (steps == 0))
    inner = np.where(seen, np.maximum(steps - 1, 0), 0)
    first_point = len(node_point) + np.concatenate([[0], np.cumsum(inner)]).astype(np.int64)
    where = np.zeros(int(inner.sum()))
    cell = np.empty(int(loops.start[-1]), np.int64)
    cell[:] = loops.cell
    seam = np.full(len(cell), -1, np.int32)
    half_edge = np.zeros(len(cell), np.int32)
    share = np.zeros(len(cell))
    spacing = np.zeros(len(cell))
    _share_out(
        boundary.loop_start, boundary.half_edge, boundary.node, boundary.arc_place, boundary.arc_forward,
        loops.start, loops.at, loops.along, side_loop, side_edge, side_edges, side_first, side_last, side_arc,
        steps, reference, arc_start, arc_length, arc_turn, root,
        first_point - len(node_point), len(node_point),
        where, seam, half_edge, share, spacing,
    )  # fmt: skip
    arc = np.repeat(np.arange(boundary.arcs), inner)
    inner_points = _points_on_arcs(vertices, boundary, arc_start, arc_length, arc, where)
    points = np.concatenate([node_point, inner_points])
    return SeamPixels(cell, seam, half_edge, share, spacing, points, int((seen & (steps == 0)).sum()))


def strained_charts(grids: Grids, seams: SeamPixels) -> np.ndarray:
    """(C,) bool: charts some of whose border pixels had to move so far that the surface between them is distorted."""
    charts = len(grids.width)
    chart = np.searchsorted(grids.start, seams.cell, side="right") - 1
    local = seams.cell - grids.start[chart]
    width = grids.width[chart]
    face, corner = seams.half_edge // 3, seams.half_edge % 3
    here, there = grids.uv[face, corner], grids.uv[face, (corner + 1) % 3]
    moved = here + seams.share[:, None] * (there - here)
    moved -= np.stack([local % width + 0.5, local // width + 0.5], axis=1)
    is_far = np.sqrt((moved**2).sum(axis=1)) > FAR + seams.spacing
    far = np.bincount(chart, is_far, charts)
    return (far > 2) & (far > FAR_SHARE * np.bincount(chart, minlength=charts))


def _least_steps(boundary: Boundary) -> np.ndarray:
    """(A,) int32: steps that an arc needs so that no two arcs become the same edge."""
    ends = np.sort(boundary.arc_nodes, axis=1).astype(np.int64)
    key = (ends[:, 0] << 32) | ends[:, 1]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    least = np.where(count[inverse] > 1, 2, 1).astype(np.int32)
    least[ends[:, 0] == ends[:, 1]] = 3
    return least


def _pixel_size(boundary: Boundary, at: np.ndarray, arc_start: np.ndarray, arc_length: np.ndarray) -> float:
    """How long a pixel is on the surface, along all borders on average. `at` as in `PixelLoops`."""
    ends = boundary.loop_start[1:] + np.arange(len(boundary.loop_start) - 1)
    in_pixels = at[ends].sum()
    sides = np.bincount(boundary.arc, boundary.arc_place == 0, boundary.arcs)
    in_space = (arc_length[arc_start[1:] - 1] * sides).sum()
    return max(float(in_space) / max(float(in_pixels), 1e-300), 1e-300)


def _steps_for_turns(arc_start: np.ndarray, length: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(A,) int32: steps with which an arc can bend where the mesh does, as far as it is long enough for them.

    `length` and `turn`, flat over the vertices of the arcs, in pixels.
    """
    turns = np.add.reduceat((turn > SLIGHT).astype(np.int32), arc_start[:-1]) if len(arc_start) > 1 else np.zeros(0)
    room = np.floor(length[arc_start[1:] - 1] / TIGHT)
    return np.minimum(turns + 1, np.maximum(room, 1)).astype(np.int32)


def _arc_lengths(vertices: np.ndarray, boundary: Boundary) -> tuple[np.ndarray, np.ndarray]:
    """`length` along each arc at each of its vertices, flat, and where each arc begins in it (A + 1,)."""
    points = vertices[boundary.arc_vertex].astype(np.float64)
    steps = np.zeros(len(points))
    steps[1:] = np.linalg.norm(points[1:] - points[:-1], axis=1)
    steps[boundary.arc_start[:-1]] = 0.0
    total = np.cumsum(steps)
    begin = total[boundary.arc_start[:-1]] if len(points) else np.zeros(0)
    return boundary.arc_start, total - np.repeat(begin, np.diff(boundary.arc_start))


def _arc_turns(vertices: np.ndarray, boundary: Boundary) -> np.ndarray:
    """How far each vertex of an arc, flat, is from the line between its neighbours there; 0 at the ends."""
    points = vertices[boundary.arc_vertex].astype(np.float64)
    turn = np.zeros(len(points))
    chord = points[2:] - points[:-2]
    along = chord / np.maximum(np.linalg.norm(chord, axis=1), 1e-300)[:, None]
    offset = points[1:-1] - points[:-2]
    turn[1:-1] = np.linalg.norm(offset - (offset * along).sum(axis=1)[:, None] * along, axis=1)
    turn[boundary.arc_start[:-1]] = 0.0
    turn[boundary.arc_start[1:] - 1] = 0.0
    return turn


def _merge_nodes(vertices: np.ndarray, boundary: Boundary, shrunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`root` (N,) int32: the point that each node has become; `points`: their positions, the mean of the merged."""
    ends = boundary.arc_nodes[shrunk]
    nodes = len(boundary.node_vertex)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
    count, root = connected_components(graph, directed=False)
    points = np.zeros((count, 3))
    np.add.at(points, root, vertices[boundary.node_vertex].astype(np.float64))
    return root.astype(np.int32), points / np.maximum(np.bincount(root, minlength=count), 1)[:, None]


def _points_on_arcs(
    vertices: np.ndarray,
    boundary: Boundary,
    arc_start: np.ndarray,
    arc_length: np.ndarray,
    arc: np.ndarray,
    where: np.ndarray,
) -> np.ndarray:
    """Positions at length `where` along `arc`."""
    place, share = _find_on_arcs(arc_start, arc_length, arc, where)
    a = vertices[boundary.arc_vertex[place]].astype(np.float64)
    b = vertices[boundary.arc_vertex[place + 1]].astype(np.float64)
    return a + share[:, None] * (b - a)


@numba.njit(cache=True, nogil=True)
def _find_on_arcs(
    arc_start: np.ndarray, arc_length: np.ndarray, arc: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    place = np.empty(len(arc), np.int64)
    share = np.empty(len(arc))
    for n in range(len(arc)):
        begin, end = arc_start[arc[n]], arc_start[arc[n] + 1]
        place[n], share[n] = _on_polyline(arc_length[begin:end], where[n])
        place[n] += begin
    return place, share


@numba.njit(cache=True, nogil=True)
def _on_polyline(lengths: np.ndarray, where) -> tuple[int, float]:
    """The edge of a polyline at length `where`, and how far along it; `lengths` are those at its vertices."""
    edge = min(max(int(np.searchsorted(lengths, where, side="right")) - 1, 0), len(lengths) - 2)
    span = lengths[edge + 1] - lengths[edge]
    return edge, (min(max((where - lengths[edge]) / span, 0.0), 1.0) if span > 0 else 0.0)


@numba.njit(cache=True, nogil=True)
def _share_out(
    loop_start: np.ndarray,
    loop_edge: np.ndarray,
    node: np.ndarray,
    arc_place: np.ndarray,
    arc_forward: np.ndarray,
    pixel_start: np.ndarray,
    at: np.ndarray,
    along: np.ndarray,
    side_loop: np.ndarray,
    side_edge: np.ndarray,
    side_edges: np.ndarray,
    side_first: np.ndarray,
    side_last: np.ndarray,
    side_arc: np.ndarray,
    steps: np.ndarray,
    reference: np.ndarray,
    arc_start: np.ndarray,
    arc_length: np.ndarray,
    arc_turn: np.ndarray,
    root: np.ndarray,
    first_point: np.ndarray,
    nodes: int,
    where: np.ndarray,
    seam: np.ndarray,
    half_edge: np.ndarray,
    share: np.ndarray,
    spacing: np.ndarray,
) -> None:
    """Choose the points of every arc from its reference side, then give every pixel of every side one of them."""
    for phase in range(2):
        for s in range(len(side_loop)):
            a = side_arc[s]
            if phase == 0 and reference[a] != s:
                continue
            lengths = arc_length[arc_start[a] : arc_start[a + 1]]
            total = lengths[len(lengths) - 1]
            loop = side_loop[s]
            begin = loop_start[loop]
            edges = loop_start[loop + 1] - begin
            pixels = pixel_start[loop + 1] - pixel_start[loop]
            forward = arc_forward[side_edge[s]]
            first, count = side_first[s], side_last[s] - side_first[s]
            natural = np.empty(count + 1)
            for q in range(count + 1):
                turns, p = (first + q) // pixels, (first + q) % pixels
                t = along[pixel_start[loop] + p] + turns * (at[begin + loop + edges] - at[begin + loop])
                place, part = _on_side(at, begin + loop, edges, side_edge[s] - begin, side_edges[s], t)
                if side_edges[s] == edges:  # a loop without other nodes: its end must not pass for its beginning
                    if 4 * q < count and 4 * place > 3 * edges:
                        place, part = 0, 0.0
                    elif 4 * q > 3 * count and 4 * place < edges:
                        place, part = edges - 1, 1.0
                if forward:
                    natural[q] = lengths[place] + part * (lengths[place + 1] - lengths[place])
                else:
                    m = side_edges[s]
                    natural[q] = lengths[m - place] + part * (lengths[m - place - 1] - lengths[m - place])
            points = where[first_point[a] : first_point[a + 1]]
            if phase == 0:
                if steps[a] > 1:
                    _space(natural, total, forward, points)
                    _settle(lengths, arc_turn[arc_start[a] : arc_start[a + 1]], points)
                continue
            start_node = root[node[side_edge[s]]]
            end_edge = begin + (side_edge[s] - begin + side_edges[s]) % edges
            end_node = root[node[end_edge]]
            visits = np.empty(count + 1, np.int64)
            _visits(natural, total, forward, points, steps[a], visits)
            span = _span(at, begin + loop, edges, side_edge[s] - begin, side_edges[s]) / max(steps[a], 1)
            for q in range(count + 1):
                p = pixel_start[loop] + (first + q) % pixels
                visit = visits[q]
                if visit == 0 or visit == steps[a]:
                    seam[p] = start_node if visit == 0 and steps[a] > 0 else end_node
                    target = (0.0 if forward else total) if visit == 0 else (total if forward else 0.0)
                    if steps[a] == 0:
                        seam[p] = start_node
                        target = natural[q]
                else:
                    k = visit - 1 if forward else steps[a] - 1 - visit
                    seam[p] = nodes + first_point[a] + k
                    target = points[k]
                place, part = _on_polyline(lengths, target)
                if not forward:
                    place, part = len(lengths) - 2 - place, 1.0 - part
                half_edge[p] = loop_edge[begin + (side_edge[s] - begin + place) % edges]
                share[p] = part
                spacing[p] = max(spacing[p], span)


@numba.njit(cache=True, nogil=True)
def _on_side(at: np.ndarray, base, edges, first, count, t) -> tuple[int, float]:
    """Which edge of a side (0 to count - 1) is at length `t` along its loop, and how far along it; within its ends."""
    length = max(at[base + edges] - at[base], 1e-12)
    start = at[base + first] - at[base]
    local = (t - start) % length
    low, high = 0, count
    if count < edges:
        beyond = _span(at, base, edges, first, count)
        if local > beyond:  # a point before the start or behind the end belongs to the nearer of the two
            return (count - 1, 1.0) if local - beyond < length - local else (0, 0.0)
    while high - low > 1:
        middle = (low + high) // 2
        if _span(at, base, edges, first, middle) <= local:
            low = middle
        else:
            high = middle
    begin, end = _span(at, base, edges, first, low), _span(at, base, edges, first, low + 1)
    return low, (min(max((local - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0)


@numba.njit(cache=True, nogil=True)
def _span(at: np.ndarray, base, edges, first, count):
    """The length of `count` edges of a loop from edge `first` on."""
    last = first + count
    if last <= edges:
        return at[base + last] - at[base + first]
    return at[base + edges] - at[base + first] + at[base + last - edges] - at[base]


@numba.njit(cache=True, nogil=True)
def _space(natural: np.ndarray, total, forward, points: np.ndarray) -> None:
    """The inner points of an arc where its reference side's pixels lie, ascending and not too close to each other."""
    count = len(points)
    gap = MIN_GAP * total / (count + 1)
    values = np.empty(count)
    for q in range(count):
        values[q] = (natural[q + 1] if forward else natural[count - q]) - (q + 1) * gap
    isotonic(values)
    for q in range(count):
        points[q] = min(max(values[q], 0.0), total - (count + 1) * gap) + (q + 1) * gap


@numba.njit(cache=True, nogil=True)
def _settle(lengths: np.ndarray, turns: np.ndarray, points: np.ndarray) -> None:
    """Move points of an arc onto near vertices of it, so that it bends where the mesh does; the sharpest first."""
    count, total = len(points), lengths[len(lengths) - 1]
    even = total / (count + 1)
    settled = np.zeros(count, np.bool_)
    for v in np.argsort(-turns):
        if turns[v] <= FLAT * even:
            break
        k = np.searchsorted(points, lengths[v])
        if k == count or (k > 0 and lengths[v] - points[k - 1] < points[k] - lengths[v]):
            k -= 1
        before = points[k - 1] if k > 0 else 0.0
        after = points[k + 1] if k + 1 < count else total
        is_near = abs(points[k] - lengths[v]) <= REACH * even
        is_apart = min(lengths[v] - before, after - lengths[v]) >= MIN_GAP * even
        if is_near and is_apart and not settled[k]:
            points[k] = lengths[v]
            settled[k] = True


@numba.njit(cache=True, nogil=True)
def _visits(natural: np.ndarray, total, forward, points: np.ndarray, steps, visits: np.ndarray) -> None:
    """Which of the arc's points 0 to `steps`, in the side's own direction, each pixel takes: nearest, none left out."""
    count = len(natural) - 1
    for q in range(count + 1):
        low = max(0, steps - (count - q))
        high = min(steps, q)
        if q > 0:
            low, high = max(low, visits[q - 1]), min(high, visits[q - 1] + 1)
        best = low
        if high > low:
            gap_low = abs(natural[q] - _point(low, total, forward, points, steps))
            gap_high = abs(natural[q] - _point(high, total, forward, points, steps))
            best = high if gap_high < gap_low else low
        visits[q] = best
    visits[0] = 0
    visits[count] = steps


@numba.njit(cache=True, nogil=True)
def _point(visit, total, forward, points: np.ndarray, steps):
    if visit == 0:
        return 0.0 if forward else total
    if visit == steps:
        return total if forward else 0.0
    return points[visit - 1] if forward else points[steps - 1 - visit]
