"""Makes one chart of all that a component of few pixels was cut into.

Joining charts pair by pair (see `merging`) ends where no two of them lie flat together as they are. Here a whole
component is cut open to a disc and flattened anew: conformally (Lévy et al. 2002), and where that lies over itself from
a convex embedding (Tutte 1963) by symmetric Dirichlet energy (Rabinovich et al. 2017). What does not lie flat well
enough is divided and its parts tried by themselves, as long as they are fewer than the charts there were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from omagen.omage.charts.charting import Charting, Progress
from omagen.omage.charts.halving import second_halves
from omagen.omage.charts.merging import Budget
from omagen.omage.charts.opening import opened
from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.relaxation import relaxed
from omagen.omage.charts.stretch import chart_stretch, double_areas
from omagen.omage.charts.topology import chart_vertices, connected_faces, group_order, put_back, restricted
from omagen.omage.charts.validity import judge, signed_areas

MOST_FAILURES: Final = 3
"""Parts of a component that do not lie flat before it is left as it was: each takes as long as many joints of pairs."""
SWEEPS: Final = 20
PATIENCE: Final = 6
SLIVER: Final = 1e-5
"""Height of a triangle, as a share of its longest edge, below which its shape is not taken at its word."""
STEPS: Final = (1, 1, 2, 4, 8)
"""Of minimising the energy, from a convex embedding, between places that are looked at."""
PATIENCE_SHARE: Final = 0.4
TOLERABLE: Final = 2.5
"""Of the logarithm of the stretch and the spread together, in what is put into one chart at any price."""
MOST_FACES: Final = 20_000
"""Flattening more at once takes longer than it is worth."""
CROWDED: Final = 1 / 16
"""Mean area of a component's charts, in small charts of the budget, below which they are too many. Above it they are
better apart, because seams keep the creases along which charts tend to be cut."""


Outline = Literal["own", "lens", "rectangle"]
Way = Callable[[np.ndarray, np.ndarray, np.ndarray], Iterator[np.ndarray]]
"""From points (V, 3) of triangles with an area of one half, the vertices of each (F, 3) and those around the border to
places in the plane (V, 2), the best first."""


def united(surface: Surface, found: Charting, budget: Budget, deadline: float, progress: Progress) -> Charting:
    """`found`, valid and of even density, with fewer charts in components whose charts are small.

    Takes a part of the time to `deadline` at most, because the rest can still be joined pair by pair.
    """
    begin = time.monotonic()
    corners = surface.corners()
    inner, uv = found.inner.copy(), found.uv.copy()
    charts = _charts_of_components(surface, found)
    wanted = _small_components(surface, charts, budget)
    if len(wanted) == 0:
        return found
    faces, start = group_order(surface.component, surface.components)
    for number, component in enumerate(wanted):
        progress("Joining small charts", number / len(wanted))
        if time.monotonic() > begin + PATIENCE_SHARE * (deadline - begin):
            break
        part = faces[start[component] : start[component + 1]]
        flat = _few_charts(corners[part], restricted(surface.opposite, part), budget, int(charts[component]))
        if flat is not None:
            uv[part], joined = flat
            put_back(inner, joined, part)
    chart, count = connected_faces(inner)
    return Charting(chart, uv, inner, count)


def _charts_of_components(surface: Surface, found: Charting) -> np.ndarray:
    first = np.flatnonzero(np.diff(np.maximum.accumulate(found.chart), prepend=-1))  # charts are numbered as they occur
    return np.bincount(surface.component[first], minlength=surface.components)


def _small_components(surface: Surface, charts: np.ndarray, budget: Budget) -> np.ndarray:
    """Components that have several charts, small ones on average; those where trying costs least for it first."""
    total = np.bincount(surface.component, weights=surface.double_area, minlength=surface.components) / 2
    faces = np.bincount(surface.component, minlength=surface.components)
    is_crowded = total < CROWDED * charts * budget.small_area
    wanted = np.flatnonzero((charts > 1) & is_crowded & (faces <= MOST_FACES))
    return wanted[np.argsort(-charts[wanted] / faces[wanted], kind="stable")]


def in_one_chart(corners: np.ndarray, opposite: np.ndarray, outline: Outline) -> tuple[np.ndarray, np.ndarray] | None:
    """`uv` (N, 3, 2) and `inner` (3N,) of a connected surface in one chart, distorted as it may be.

    `corners` (N, 3, 3) float64, `opposite` (3N,) int32. `outline`: the surface's own, or a convex one, that of a lens
    or of nearly a rectangle, which pixels can hold. None where nothing lies flat, or where it would take long.
    """
    if len(corners) > MOST_FACES:
        return None
    inner = _opened(corners, opposite)
    best, least = None, np.inf
    for uv, stretch, spread in _ways_to_flatten(
        corners, inner, WAYS if outline == "own" else (_lens,) if outline == "lens" else (_rectangle,)
    ):
        if (price := np.log2(stretch) + spread) < least:
            best, least = uv, price
        if least <= TOLERABLE:
            break
    return None if best is None else (best, inner)


def _opened(corners: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    vertex, vertices = chart_vertices(opposite)
    points = np.empty((vertices, 3))
    points[vertex] = corners.reshape(-1, 3)
    return opened(opposite, vertex.reshape(-1, 3), points)


def _few_charts(
    corners: np.ndarray, opposite: np.ndarray, budget: Budget, before: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """`uv` (N, 3, 2) and `inner` (3N,) of one component in much fewer charts than `before`; None where that cannot be.

    `corners` (N, 3, 3) float64, `opposite` (3N,) int32. The charts may be distorted as those they replace might be.
    """
    uv, inner = np.zeros((len(corners), 3, 2)), opposite.copy()
    grain = double_areas(corners).sum() / 2 / before
    stretch, spread = budget.limits(np.array([grain]))
    limits = float(stretch[0]), float(spread[0])
    waiting, finished, failures = [np.arange(len(corners))], 0, 0
    while waiting:
        if finished + len(waiting) > (before + 1) // 2 or failures > MOST_FAILURES:
            return None
        part = waiting.pop()
        joined = _opened(corners[part], restricted(opposite, part))
        flat = _flattened(corners[part], joined, limits)
        if flat is not None:
            uv[part] = flat
            put_back(inner, joined, part)
            finished += 1
        elif len(part) == 1:
            return None
        else:
            failures += 1
            one = np.zeros(len(part), np.int32)
            second = second_halves(restricted(opposite, part), corners[part].mean(axis=1), one, np.ones(1, bool))
            waiting += [part[~second], part[second]]
    return uv, inner


def _flattened(corners: np.ndarray, inner: np.ndarray, limits: tuple[float, float]) -> np.ndarray | None:
    """(N, 3, 2) float64 of one chart, counter-clockwise, its longest side along u; None where nothing is good enough.

    `limits`: of stretch and spread, see `chart_stretch`.
    """
    for uv, stretch, spread in _ways_to_flatten(corners, inner, WAYS):
        if stretch <= limits[0] and spread <= limits[1]:
            return uv
    return None


def _ways_to_flatten(
    corners: np.ndarray, inner: np.ndarray, ways: tuple[Way, ...]
) -> Iterator[tuple[np.ndarray, float, float]]:
    """`uv` (N, 3, 2) of valid charts, counter-clockwise, their longest side along u, with their stretch and spread."""
    vertex, vertices = chart_vertices(inner)
    face_vertex = vertex.reshape(-1, 3)
    border = _border(inner, face_vertex, vertices)
    area = double_areas(corners).sum()
    if border is None or not area > 0:
        return
    points = np.empty((vertices, 3))
    points[face_vertex] = corners / np.sqrt(area)
    points = _without_slivers(points, face_vertex)
    chart = np.zeros(len(corners), np.int32)
    for way in ways:
        for place in way(points, face_vertex, border):
            if not np.isfinite(place).all() or not abs(total := signed_areas(place[face_vertex]).sum()) > 1e-12:
                continue
            if total < 0:
                place[:, 0] *= -1
            uv = _upright(place * np.sqrt(area / abs(total)))[face_vertex]
            if judge(uv, inner, chart, 1).good[0]:
                stretch, spread = chart_stretch(corners, uv, chart, 1)
                yield uv, float(stretch[0]), float(spread[0])


def _without_slivers(points: np.ndarray, face_vertex: np.ndarray) -> np.ndarray:
    """`points` (V, 3), those of triangles without height moved by a little of their shortest edge, as nothing can be
    solved with these."""
    corners = points[face_vertex]
    lengths = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    is_sliver = double_areas(corners) < SLIVER * lengths.max(axis=1) ** 2
    if not is_sliver.any():
        return points
    reach = np.zeros(len(points))
    np.maximum.at(reach, face_vertex[is_sliver], 0.05 * lengths[is_sliver].min(axis=1, keepdims=True))
    return points + reach[:, None] * np.random.default_rng(0).uniform(-1, 1, points.shape)


def _border(inner: np.ndarray, face_vertex: np.ndarray, vertices: int) -> np.ndarray | None:
    """The chart vertices around a disc, in order; None where the chart is no disc."""
    import igl

    edges = (len(inner) + (inner < 0).sum()) // 2
    if vertices - edges + len(face_vertex) != 1:
        return None
    loop = np.asarray(igl.boundary_loop(face_vertex.astype(np.int64)))
    return loop if len(loop) == (inner < 0).sum() else None


def _conformal(points: np.ndarray, face_vertex: np.ndarray, border: np.ndarray) -> Iterator[np.ndarray]:
    """Of `points` (V, 3) whose triangles have an area of one half; relaxed then, as sizes matter too."""
    import igl

    first = border[np.argmax(((points[border] - points[border].mean(axis=0)) ** 2).sum(axis=1))]
    second = border[np.argmax(((points[border] - points[first]) ** 2).sum(axis=1))]
    where = np.array([[0.0, 0.0], [np.linalg.norm(points[first] - points[second]), 0.0]])
    pins = np.array([first, second], np.int64)
    place = np.asarray(igl.lscm(points, face_vertex.astype(np.int64), pins, where)[0])
    total = signed_areas(place[face_vertex]).sum()
    if np.isfinite(place).all() and abs(total) > 1e-12:
        place = place * [1, np.sign(total)] / np.sqrt(abs(total))
        yield relaxed(place, face_vertex, points[face_vertex], SWEEPS, patience=PATIENCE)


def _symmetric_dirichlet(points: np.ndarray, face_vertex: np.ndarray, border: np.ndarray) -> Iterator[np.ndarray]:
    """The best first; it may wind over itself, which those on the way to it from the convex one do less and less."""
    import igl

    place = _convex(points, face_vertex, border, rounded=True)
    if not (signed_areas(place[face_vertex]) > 0).all():
        return
    energy = igl.MappingEnergyType.SYMMETRIC_DIRICHLET
    nobody, nowhere = np.zeros(0, np.int32), np.zeros((0, 2), order="F")
    rest, faces, initial = (np.asfortranarray(values) for values in (points, face_vertex, place))
    data = igl.slim_precompute(rest, faces, initial, energy, nobody, nowhere, 0.0)
    found = [place] + [np.array(igl.slim_solve(data, steps))[:, :2] for steps in STEPS]
    yield from reversed(found)


WAYS: Final[tuple[Way, ...]] = (_conformal, _symmetric_dirichlet)


def _lens(points: np.ndarray, face_vertex: np.ndarray, border: np.ndarray) -> Iterator[np.ndarray]:
    yield _convex(points, face_vertex, border, rounded=True)


def _rectangle(points: np.ndarray, face_vertex: np.ndarray, border: np.ndarray) -> Iterator[np.ndarray]:
    yield _convex(points, face_vertex, border, rounded=False)


def _convex(points: np.ndarray, face_vertex: np.ndarray, border: np.ndarray, rounded: bool) -> np.ndarray:
    """(V, 2): `border` on a curve as long as it is, every other vertex at a mean of its neighbours; area one half."""
    vertices = len(points)
    place = np.zeros((vertices, 2))
    place[border] = _around(points[border], rounded)
    inside = np.setdiff1d(np.arange(vertices), border)
    if len(inside):
        rows = _mean_value_weights(points, face_vertex)[inside]
        laplacian = diags_array(rows.sum(axis=1)) - rows[:, inside]
        place[inside] = splu(laplacian.tocsc()).solve(rows @ place)
    return place


def _mean_value_weights(points: np.ndarray, face_vertex: np.ndarray) -> csr_array:
    """(V, V): how much each vertex follows each neighbour, positive (Floater 2003, equation 2.1)."""
    rows, columns, weights = [], [], []
    for corner in range(3):
        here, one, other = (face_vertex[:, (corner + k) % 3] for k in range(3))
        u, v = points[one] - points[here], points[other] - points[here]
        lengths = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
        product = np.maximum(lengths[0] * lengths[1], 1e-300)
        cosine = ((u * v).sum(axis=1) / product).clip(-1, 1)
        half = np.sqrt((1 - cosine) / np.maximum(1 + cosine, 1e-9))  # tangent of half the angle
        for end, length in zip((one, other), lengths, strict=True):
            rows.append(here)
            columns.append(end)
            weights.append(np.maximum(half, 1e-6) / np.maximum(length, 1e-12))
    size = len(points)
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(entries, shape=(size, size)).tocsr()


def _around(loop: np.ndarray, rounded: bool) -> np.ndarray:
    """(B, 2): points of a convex curve of area one half, in the order and at the distances of `loop` (B, 3).

    A lens of two sine waves, or not so `rounded` a superellipse of fourth degree, which is nearly a rectangle. Its ends
    are where the loop is halved and farthest from itself, so that what is cut open along a path lies out long.
    """
    step = np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1)
    step = np.maximum(step, 1e-3 * step.mean())
    at = np.concatenate([[0], np.cumsum(step)])
    across = np.searchsorted(at[:-1], (at[:-1] + at[-1] / 2) % at[-1]) % len(loop)
    end = int(np.argmax(np.linalg.norm(loop[across] - loop, axis=1)))
    share = 2 * ((at[:-1] - at[end]) / at[-1] % 1)  # 0 at one end, 1 at the other
    length = max(at[-1] / 2, 1.0)
    side = np.where(share <= 1, -1.0, 1.0)
    along = np.where(share <= 1, share, 2 - share)
    width = np.pi / 4 * np.sin(np.pi * along) if rounded else 0.27 * (1 - (2 * along - 1) ** 4) ** 0.25
    return np.stack([length * along, side * width / length], axis=1)


def _upright(place: np.ndarray) -> np.ndarray:
    """`place` (N, 2) turned so that its smallest surrounding rectangle has its longer sides along u."""
    import cv2

    _, (width, height), angle = cv2.minAreaRect(place.astype(np.float32))
    turn = np.radians(angle + (90 if height > width else 0))
    along = np.array([np.cos(turn), np.sin(turn)])
    return place @ np.stack([along, [-along[1], along[0]]], axis=1)
