"""The borders of charts and how they belong together: loops around each chart, arcs shared by the charts they separate.

A *loop* runs once around a border of one chart, the chart on its left. A *node* is a point where the neighbourhood
changes: where three charts meet, a seam ends, or the border of the surface begins. An *arc* is the piece of seam
between two nodes; each of its *sides* is a stretch of a loop. All of this depends on the cut mesh, not on a resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from omagen.geometry.distinct import distinct_rows


@dataclass(frozen=True)
class Boundary:
    """Half-edge 3f + c runs from corner c of face f to the next; edge k is the k-th half-edge on a border, by loops."""

    twin: np.ndarray
    """(3F,) int32: the opposite half-edge inside the chart, -1 on the chart's border"""
    loop_start: np.ndarray
    """(L + 1,) int32: the edges of loop loop are loop_start[loop] to loop_start[loop + 1]"""
    loop_chart: np.ndarray
    """(L,) int32"""
    half_edge: np.ndarray
    """(B,) int32: the half-edge that is edge k"""
    node: np.ndarray
    """(B,) int32: the node where edge k starts, -1 where there is none"""
    node_vertex: np.ndarray
    """(N,) int32: the vertex of each node"""
    arc: np.ndarray
    """(B,) int32: the arc that edge k is part of"""
    arc_place: np.ndarray
    """(B,) int32: how many edges of the arc lie before this one, counted along the arc"""
    arc_forward: np.ndarray
    """(B,) bool: whether the loop runs along the arc or against it"""
    arc_start: np.ndarray
    """(A + 1,) int32: the vertices of arc a are arc_vertex[arc_start[a]:arc_start[a + 1]], one more than its edges"""
    arc_vertex: np.ndarray
    arc_nodes: np.ndarray
    """(A, 2) int32: the nodes at the arc's ends; the same one twice for an arc that closes on itself"""

    pinched: np.ndarray
    """(B,) bool: edge k starts at a point of the flat chart that its border passes more than once"""

    @property
    def arcs(self) -> int:
        return len(self.arc_nodes)


class Edges(NamedTuple):
    """Which half-edges of a mesh lie between the same two vertices; depends on the faces only."""

    number: np.ndarray
    """(3F,) int32: the same for all half-edges between the same two vertices"""
    mate: np.ndarray
    """(3F,) int32: the other half-edge where there are just two and they run in opposite directions, else -1"""


def find_edges(faces: np.ndarray) -> Edges:
    """The edges of `faces` (F, 3) int32."""
    start = faces.reshape(-1)
    end = np.roll(faces, -1, axis=1).reshape(-1)
    key = (np.minimum(start, end).astype(np.int64) << 32) | np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    is_new = np.ones(len(key), bool)
    is_new[1:] = key[order[1:]] != key[order[:-1]]
    number = np.empty(len(key), np.int32)
    number[order] = np.cumsum(is_new, dtype=np.int32) - 1
    firsts = np.flatnonzero(is_new)
    pair = firsts[np.diff(np.append(firsts, len(key))) == 2]
    one, other = order[pair], order[pair + 1]
    opposed = start[one] == end[other]
    mate = np.full(len(key), -1, np.int32)
    mate[one[opposed]] = other[opposed]
    mate[other[opposed]] = one[opposed]
    return Edges(number, mate)


def trace_boundary(
    faces: np.ndarray,
    uv: np.ndarray,
    chart: np.ndarray,
    edges: Edges | None = None,
    bends_of: Callable[[Boundary], np.ndarray] | None = None,
) -> Boundary:
    """The loops, nodes and arcs of a cut mesh: `faces` (F, 3) int32 welded, `uv` (F, 3, 2), `chart` (F,) int32.

    Two faces of a chart continue each other across an edge that belongs to just them, in opposite directions, with
    equal uv at both ends; every other edge is border. `edges`: those of `faces`, if they are known. `bends_of` marks,
    (V,) bool, vertices that shall be nodes besides, given the boundary without them.
    """
    edges = edges or find_edges(faces)
    twin = _twins(edges.mate, uv, chart)
    half_edge, loop_start = _loops(twin, _next_on_border(twin))
    pinched = _find_pinches(uv.reshape(-1, 2)[half_edge], chart[half_edge // 3])
    loop_chart = chart[half_edge[loop_start[:-1]] // 3].astype(np.int32)
    vertex = faces.reshape(-1)

    def with_nodes(bends: np.ndarray | None) -> Boundary:
        vertices = len(bends) if bends is not None else int(vertex.max(initial=-1)) + 1
        is_node = _find_nodes(vertex, edges.number, half_edge, loop_start, vertices, bends)
        count = int(edges.number.max(initial=-1)) + 1
        walked = _walk_arcs(vertex, edges.number, half_edge, loop_start, is_node, count)
        arc_start, arc_vertex, arc, arc_place, forward = walked
        node_vertex = np.flatnonzero(is_node).astype(np.int32)
        number = np.full(len(is_node), -1, np.int32)
        number[node_vertex] = np.arange(len(node_vertex), dtype=np.int32)
        ends = np.stack([arc_vertex[arc_start[:-1]], arc_vertex[arc_start[1:] - 1]], axis=1)
        return Boundary(
            twin=twin,
            loop_start=loop_start,
            loop_chart=loop_chart,
            half_edge=half_edge,
            node=number[vertex[half_edge]],
            node_vertex=node_vertex,
            arc=arc,
            arc_place=arc_place,
            arc_forward=forward,
            arc_start=arc_start,
            arc_vertex=arc_vertex,
            arc_nodes=number[ends].reshape(-1, 2).astype(np.int32),
            pinched=pinched,
        )

    plain = with_nodes(None)
    return plain if bends_of is None else with_nodes(bends_of(plain))


def _find_pinches(start: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """(B,) bool: which `start` points (B, 2) float64 occur more than once in their chart."""
    place = np.ascontiguousarray(start + 0.0).view(np.uint32)
    table = np.concatenate([place, chart[:, None].astype(np.uint32)], axis=1)
    first, inverse = distinct_rows(table)
    return np.bincount(inverse, minlength=len(first))[inverse] > 1


@numba.njit(cache=True, nogil=True)
def _twins(mate: np.ndarray, uv: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """`twin` as in `Boundary`; `mate` as in `Edges`."""
    twin = np.full(len(mate), -1, np.int32)
    for h in range(len(mate)):
        m = mate[h]
        f, g = h // 3, m // 3
        if m < 0 or chart[f] != chart[g]:
            continue
        a, b = h % 3, (h + 1) % 3
        c, d = m % 3, (m + 1) % 3
        same = uv[f, a, 0] == uv[g, d, 0] and uv[f, a, 1] == uv[g, d, 1]
        if same and uv[f, b, 0] == uv[g, c, 0] and uv[f, b, 1] == uv[g, c, 1]:
            twin[h] = m
    return twin


@numba.njit(cache=True, nogil=True)
def _next_on_border(twin: np.ndarray) -> np.ndarray:
    """(3F,) int32: for a border half-edge the one that follows it around the chart, else -1."""
    after = np.full(len(twin), -1, np.int32)
    for h in range(len(twin)):
        if twin[h] >= 0:
            continue
        g = h - 2 if h % 3 == 2 else h + 1
        while twin[g] >= 0:
            t = twin[g]
            g = t - 2 if t % 3 == 2 else t + 1
        after[h] = g
    return after


@numba.njit(cache=True, nogil=True)
def _loops(twin: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All border half-edges in loop order, and where each loop starts."""
    count = 0
    for h in range(len(twin)):
        count += twin[h] < 0
    order = np.empty(count, np.int32)
    starts = np.empty(count + 1, np.int32)
    seen = np.zeros(len(twin), np.bool_)
    k = loops = 0
    for h in range(len(twin)):
        if twin[h] >= 0 or seen[h]:
            continue
        starts[loops] = k
        loops += 1
        g = h
        while not seen[g]:
            seen[g] = True
            order[k] = g
            k += 1
            g = after[g]
    starts[loops] = k
    return order, starts[: loops + 1].copy()


def _find_nodes(
    vertex: np.ndarray,
    edge: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    vertices: int,
    bends: np.ndarray | None,
) -> np.ndarray:
    """(V,) bool: vertices where an arc must end. Every loop has one at least."""
    is_node = np.zeros(vertices, bool)
    if len(half_edge) == 0:
        return is_node
    previous = np.arange(-1, len(half_edge) - 1)
    previous[loop_start[:-1]] = loop_start[1:] - 1
    at = vertex[half_edge]
    arriving, leaving = edge[half_edge[previous]], edge[half_edge]
    # Every pass of a loop through a vertex joins two edges. A vertex is plain when all its passes join the same two.
    low, high = np.minimum(arriving, leaving), np.maximum(arriving, leaving)
    first = np.full(vertices, -1, np.int64)
    first[at] = np.arange(len(at))
    same = (low == low[first[at]]) & (high == high[first[at]]) & (low != high)
    is_node[at[~same]] = True
    # Edges with border sides that do not pass here in pairs: as many sides on one edge as on the other.
    sides = np.bincount(edge[half_edge], minlength=int(edge.max()) + 1)
    is_node[at[sides[arriving] != sides[leaving]]] = True
    if bends is not None:
        on_border = np.zeros(vertices, bool)
        on_border[at] = True
        is_node |= bends & on_border
    _mark_closed_arcs(at, half_edge, edge, loop_start, is_node)
    return is_node


def _mark_closed_arcs(
    at: np.ndarray, half_edge: np.ndarray, edge: np.ndarray, loop_start: np.ndarray, is_node: np.ndarray
) -> None:
    """Give each loop without a node one: its lowest vertex, which every loop along the same seam finds too."""
    has_node = np.add.reduceat(is_node[at].astype(np.int64), loop_start[:-1]) > 0
    lowest = np.minimum.reduceat(at, loop_start[:-1])
    is_node[lowest[~has_node]] = True


@numba.njit(cache=True, nogil=True)
def _walk_arcs(
    vertex: np.ndarray,
    edge: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    is_node: np.ndarray,
    edges: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Walk every loop from node to node; the first side seen of an arc gives it its direction."""
    total = len(half_edge)
    arc_of_edge = np.full(edges, -1, np.int32)
    place_of_edge = np.zeros(edges, np.int32)
    from_vertex = np.zeros(edges, np.int32)
    arc = np.empty(total, np.int32)
    place = np.empty(total, np.int32)
    forward = np.empty(total, np.bool_)
    arc_start = np.empty(total + 1, np.int32)
    arc_vertex = np.empty(2 * total + 1, np.int32)
    arcs = written = 0
    arc_start[0] = 0
    for loop in range(len(loop_start) - 1):
        begin, end = loop_start[loop], loop_start[loop + 1]
        length = end - begin
        first = begin
        while first < end and not is_node[vertex[half_edge[first]]]:
            first += 1
        for step in range(length):
            k = begin + (first - begin + step) % length
            h = half_edge[k]
            e = edge[h]
            v = vertex[h]
            if arc_of_edge[e] < 0:
                if is_node[v]:
                    arc_vertex[written] = v
                    written += 1
                    arcs += 1
                arc_of_edge[e] = arcs - 1
                place_of_edge[e] = written - 1 - arc_start[arcs - 1]
                from_vertex[e] = v
                n = h - 2 if h % 3 == 2 else h + 1
                arc_vertex[written] = vertex[n]
                written += 1
                arc_start[arcs] = written
            arc[k] = arc_of_edge[e]
            place[k] = place_of_edge[e]
            forward[k] = from_vertex[e] == v
    return arc_start[: arcs + 1].copy(), arc_vertex[:written].copy(), arc, place, forward


def arc_bends(vertices: np.ndarray, boundary: Boundary, tolerance: float, spacing: float) -> np.ndarray:
    """(V,) bool: vertices where a seam bends so that a straight line would miss it by more than `tolerance` (metres).

    The points that Ramer, Douglas and Peucker's simplification of each arc keeps, besides its ends, if only points at
    least `spacing` (metres, along the arc) from those kept before may be.
    """
    keep = np.zeros(len(boundary.arc_vertex), np.bool_)
    points = vertices[boundary.arc_vertex].astype(np.float64)
    steps = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1)
    _simplify(points, np.cumsum(steps), boundary.arc_start, tolerance, spacing, keep)
    marked = np.zeros(len(vertices), bool)
    marked[boundary.arc_vertex[keep]] = True
    return marked


@numba.njit(cache=True, nogil=True)
def _simplify(
    points: np.ndarray, along: np.ndarray, arc_start: np.ndarray, tolerance: float, spacing: float, keep: np.ndarray
) -> None:
    stack = np.empty((64 + len(points), 2), np.int64)
    for a in range(len(arc_start) - 1):
        depth = 1
        stack[0, 0], stack[0, 1] = arc_start[a], arc_start[a + 1] - 1
        while depth:
            depth -= 1
            low, high = stack[depth, 0], stack[depth, 1]
            if high - low < 2 or along[high] - along[low] < 2 * spacing:
                continue
            d = points[high] - points[low]
            norm = (d * d).sum()
            worst, at = -1.0, low
            for k in range(low + 1, high):
                if along[k] - along[low] < spacing or along[high] - along[k] < spacing:
                    continue
                q = points[k] - points[low]
                share = min(max((q * d).sum() / norm, 0.0), 1.0) if norm > 0 else 0.0
                gap = q - share * d
                distance = (gap * gap).sum()
                if distance > worst:
                    worst, at = distance, k
            if worst > tolerance * tolerance:
                keep[at] = True
                stack[depth, 0], stack[depth, 1] = low, at
                stack[depth + 1, 0], stack[depth + 1, 1] = at, high
                depth += 2
