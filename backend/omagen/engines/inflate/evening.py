"""Triangles that are even *on the inflated surface*: splits, collapses, flips and relaxation until nothing sticks out.

The surface is steep at its rim, so triangles that are even in the plane are long there. Isotropic remeshing (Botsch and
Kobbelt 2004) with an exact count: collapses are made up for by splitting what is longest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omagen.engines.inflate.flipping import flip
from omagen.engines.inflate.surface import Surface
from omagen.engines.inflate.triangles import Edges, collapsible, doubled_normals, independent, sharpness, spread_out

LONG = 1.4
"""Relative length from which edges are split together."""
MOST_AT_ONCE = 5
"""Otherwise at most one in so many edges is split in one round."""
SHORT = 0.5
"""Relative length below which edges are collapsed."""
BAD_ANGLE = 22.0
"""Angles, in degrees, below this are worth mending."""
WORST_ANGLE = 15
"""Angles, in degrees, that are not let stand."""
ROUNDS = 12
COLLAPSING_ROUNDS = (1, 4, 7)
BAD_ROUNDS, MENDING_ROUNDS = 9, 18
"""Rounds of mending bad angles, and in all, with the worst angles."""


def refine(surface: Surface, target: int, report: Callable[[float], None]) -> None:
    """Split the longest edges until there are `target` vertices, flipping and relaxing between the rounds."""
    start = len(surface.xy)
    while (missing := target - len(surface.xy)) > 0:
        report(1 - missing / (target - start))
        edges = surface.edges()
        length = surface.relative_lengths(edges)
        several = min(missing, max(len(length) // MOST_AT_ONCE, 1))
        limit = min(LONG, np.partition(length, -several)[-several])
        chosen = independent(edges, np.where(length >= limit, length, 0.0), len(surface.faces))
        if not surface.split(edges, chosen[np.argsort(-length[chosen], kind="stable")[:missing]]):
            return
        flip(surface, 3)
        surface.relax(0.5)


def even_out(surface: Surface, target: int, report: Callable[[float], None]) -> None:
    """Even out: remove vertices that are too close, put them where edges are long, relax, and mend the worst angles."""
    for step in range(ROUNDS):
        report(0.8 * step / ROUNDS)
        if step in COLLAPSING_ROUNDS:
            _collapse(surface, SHORT)
            refine(surface, target, lambda fraction: None)
        surface.relax(0.6)
        flip(surface, 3)
    flip(surface, 20)
    _mend_all(surface, lambda fraction: report(0.8 + 0.2 * fraction))


def _mend_all(surface: Surface, report: Callable[[float], None]) -> None:
    """Mend the worst angles, with triangles allowed to lean over, without which notches cannot do."""
    surface.may_lean = True
    for _ in range(3):
        flip(surface, 20)
        surface.relax(0.6)
    flip(surface, 20)
    for step in range(MENDING_ROUNDS):
        report(step / MENDING_ROUNDS)
        mended = _mend(surface, step, BAD_ANGLE if step < BAD_ROUNDS else WORST_ANGLE)
        if not len(mended):
            break
        flip(surface, 4, mended)
        if step % 3 == 2:
            _collapse(surface, 0.0)
            _divide_needles(surface)
            flip(surface, 20)


def _needles(surface: Surface, edges: Edges, degrees: float) -> np.ndarray:
    """(n,) bool: which edges are sides of triangles with an angle below `degrees`."""
    pa, pb, pc, pd = (surface.points[index] for index in (edges.a, edges.b, edges.c, edges.d))
    return np.maximum(sharpness(pa, pb, pc), sharpness(pb, pa, pd)) > np.cos(np.radians(degrees))


def _divide_needles(surface: Surface) -> None:
    """Split long sides of needles that resist everything else: those whose short side lies on the outline."""
    edges = surface.edges()
    length = surface.relative_lengths(edges)
    long = _needles(surface, edges, WORST_ANGLE) & (length > 1.3)
    surface.split(edges, independent(edges, np.where(long, length, 0.0), len(surface.faces)))


def _collapse(surface: Surface, least: float) -> None:
    """Merge the ends of edges whose relative length is below `least`, or that are the shortest side of a needle."""
    edges = surface.edges()
    length = surface.relative_lengths(edges)
    short = np.flatnonzero((length < least) | (_needles(surface, edges, BAD_ANGLE) & (length < 0.7)))
    a, b = edges.a[short], edges.b[short]
    kept, removed = np.minimum(a, b), np.maximum(a, b)
    allowed = collapsible(surface.faces, kept, removed, surface.rim_count)
    kept, removed, score = kept[allowed], removed[allowed], -length[short[allowed]]
    first = np.unique(removed, return_index=True)[1]
    kept, removed, score = kept[first], removed[first], score[first]
    chosen = spread_out(removed, score, surface.faces, len(surface.xy), 2)
    _merge(surface, kept[chosen], removed[chosen])


def _merge(surface: Surface, kept: np.ndarray, removed: np.ndarray) -> None:
    """Replace vertices by neighbours, except where that would tip a triangle over."""
    into = np.arange(len(surface.xy))
    for _ in range(2):
        into[:] = np.arange(len(surface.xy))
        into[removed] = kept
        faces = into[surface.faces]
        whole = (faces != np.roll(faces, 1, 1)).all(1)
        tipped = whole & ~surface.sound(faces)
        spoiled = np.isin(removed, surface.faces[tipped])
        kept, removed = kept[~spoiled], removed[~spoiled]
        if not spoiled.any():
            break
    else:
        return
    stays = into == np.arange(len(surface.xy))
    surface.connect((np.cumsum(stays) - 1)[faces[whole]])
    surface.xy, surface.z = surface.xy[stays], surface.z[stays]
    surface.normals, surface.near = surface.normals[stays], surface.near[stays]


def _mend(surface: Surface, step: int, degrees: float) -> np.ndarray:
    """Move the vertices of triangles with angles below `degrees` to where the smallest angle around them is largest.

    Tries a few places around each (optimisation-based smoothing, Freitag and Ollivier-Gooch 1997). Returns the faces
    around these vertices, none when no angle is small.
    """
    points, count = surface.points, len(surface.xy)
    poor = sharpness(*(points[surface.faces[:, k]] for k in range(3)))
    worst = np.zeros(count)
    np.maximum.at(worst, surface.faces.ravel(), np.repeat(poor, 3))
    worst[: surface.rim_count] = 0
    vertices = np.flatnonzero(worst > np.cos(np.radians(degrees)))
    if not len(vertices):
        return vertices
    jitter = np.sin(12.9898 * vertices + 78.233 * step) * 43758.5453 % 1.0
    vertices = vertices[spread_out(vertices, jitter, surface.faces, count, 1)]
    number = np.full(count, -1)
    number[vertices] = np.arange(len(vertices))
    face, corner = np.nonzero(number[surface.faces] >= 0)
    owner = number[surface.faces[face, corner]]
    b, c = (surface.faces[face, (corner + ahead) % 3] for ahead in (1, 2))
    reach = np.sqrt(np.bincount(owner, np.sum((points[b] - points[c]) ** 2, 1)) / np.bincount(owner))
    xy, near = _around(surface, vertices, reach)
    z, normals, near = surface.lift(xy, near)
    trials, size = len(xy) // len(vertices), len(vertices)
    each = (np.arange(trials)[:, None] * size + owner).ravel()
    b, c = np.tile(b, trials), np.tile(c, trials)
    trial = np.concatenate([xy, z[:, None]], 1)[each]
    sound = surface.facing(
        doubled_normals(trial, points[b], points[c]), normals[each] + surface.normals[b] + surface.normals[c]
    )
    now = np.zeros(len(xy))
    np.maximum.at(now, each, np.where(sound, sharpness(trial, points[b], points[c]), 2.0))
    now[z <= 0] = 2.0
    best = np.argmin(now.reshape(trials, size), 0) * size + np.arange(size)
    better = now[best] < worst[vertices] - 1e-6
    chosen, moved = best[better], vertices[better]
    surface.move(moved, xy[chosen], z[chosen], normals[chosen], near[chosen])
    return np.unique(face)


def _around(surface: Surface, vertices: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m n, 2) plane positions of surface points around `vertices`, (n,), m each, in all directions, near and far; and
    faces near them.
    """
    normal = surface.normals[vertices]
    across = np.stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))], 1)
    across[np.linalg.norm(across, axis=1) < 1e-6] = [1.0, 0.0, 0.0]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(normal, across)
    far = np.repeat([0.1, 0.3], 8)
    angle = np.tile(np.arange(8) * (np.pi / 4), 2) + far
    step = np.cos(angle)[:, None, None] * across + np.sin(angle)[:, None, None] * up
    goals = (surface.points[vertices] + far[:, None, None] * reach[:, None] * step).reshape(-1, 3)
    near = np.tile(surface.near[vertices], len(far))
    return surface.projected(goals, near), near
