"""Triangles that are even *on the inflated surface*: splits, collapses, flips and relaxation until nothing sticks out.

The surface is steep at its rim, so triangles that are even in the plane are long there. Isotropic remeshing (Botsch and
Kobbelt 2004) with an exact count: collapses are made up for by splitting what is longest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from omagen.engines.inflate.surface import Surface
from omagen.engines.inflate.triangles import collapsible, independent, sharpness, spread_out, upright

LONG = 1.4
"""Relative length from which edges are split first."""
SHORT = 0.5
"""Relative length below which edges are collapsed."""
BAD_ANGLE = 22.0
"""Angles, in degrees, below this are worth mending."""
ROUNDS = 12
COLLAPSING_ROUNDS = (1, 4, 7)
MENDING_ROUNDS = 10


def refine(surface: Surface, target: int, report: Callable[[float], None]) -> None:
    """Split the longest edges until there are `target` vertices, flipping and relaxing between the rounds."""
    start, limit = len(surface.xy), LONG
    while len(surface.xy) < target:
        report((len(surface.xy) - start) / max(target - start, 1))
        edges = surface.edges()
        length = surface.relative_lengths(edges)
        chosen = independent(edges, np.where(length > limit, length, 0.0), len(surface.faces))
        if len(chosen) < max(0.02 * (target - len(surface.xy)), 1):
            limit *= 0.93
        room = target - len(surface.xy)
        surface.split(edges, chosen[np.argsort(-length[chosen], kind="stable")[:room]])
        surface.flip(3)
        surface.relax(0.5)


def even_out(surface: Surface, target: int, report: Callable[[float], None]) -> None:
    """Even out: remove vertices that are too close, put them where edges are long, relax, and mend the worst angles."""
    for step in range(ROUNDS):
        report(0.8 * step / ROUNDS)
        if step in COLLAPSING_ROUNDS:
            _collapse(surface)
            refine(surface, target, lambda fraction: None)
        surface.relax(0.6)
        surface.flip(3)
    surface.flip(20)
    for step in range(MENDING_ROUNDS):
        report(0.8 + 0.2 * step / MENDING_ROUNDS)
        if not _mend(surface, step):
            break
        surface.flip(4)


def _collapse(surface: Surface) -> None:
    """Merge the ends of edges that are much too short, or the shortest side of a needle."""
    edges = surface.edges()
    points, length = surface.points, surface.relative_lengths(edges)
    pa, pb, pc, pd = (points[index] for index in (edges.a, edges.b, edges.c, edges.d))
    needle = np.maximum(sharpness(pa, pb, pc), sharpness(pb, pa, pd)) > np.cos(np.radians(BAD_ANGLE))
    short = np.flatnonzero((length < SHORT) | (needle & (length < 0.7)))
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
        tipped = whole & ~upright(*surface.points[faces].swapaxes(0, 1))
        spoiled = np.isin(removed, surface.faces[tipped])
        kept, removed = kept[~spoiled], removed[~spoiled]
        if not spoiled.any():
            break
    else:
        return
    stays = into == np.arange(len(surface.xy))
    surface.faces = (np.cumsum(stays) - 1)[faces[whole]]
    surface.xy, surface.z, surface.normals = surface.xy[stays], surface.z[stays], surface.normals[stays]


def _mend(surface: Surface, step: int) -> bool:
    """Move the vertices of triangles with small angles to where the smallest angle around them is largest.

    Tries a few places around each (optimisation-based smoothing, Freitag and Ollivier-Gooch 1997). False if none are
    left.
    """
    points, count = surface.points, len(surface.xy)
    poor = sharpness(*points[surface.faces].swapaxes(0, 1))
    worst = np.zeros(count)
    np.maximum.at(worst, surface.faces.ravel(), np.repeat(poor, 3))
    worst[: surface.rim_count] = 0
    vertices = np.flatnonzero(worst > np.cos(np.radians(BAD_ANGLE)))
    if not len(vertices):
        return False
    jitter = np.sin(12.9898 * vertices + 78.233 * step) * 43758.5453 % 1.0
    vertices = vertices[spread_out(vertices, jitter, surface.faces, count, 1)]
    face, corner = np.nonzero(np.isin(surface.faces, vertices))
    owner = np.searchsorted(vertices, surface.faces[face, corner])
    pb, pc = (points[surface.faces[face, (corner + ahead) % 3]] for ahead in (1, 2))
    best, place = worst[vertices].copy(), surface.xy[vertices].copy()
    reach = np.sqrt(np.bincount(owner, np.linalg.norm(pb - pc, axis=1) ** 2) / np.bincount(owner))
    for xy in _around(surface, vertices, reach):
        z, _ = surface.lift(xy)
        trial = np.concatenate([xy, z[:, None]], 1)[owner]
        bad = np.where(upright(trial, pb, pc), sharpness(trial, pb, pc), 2.0)
        now = np.zeros(len(vertices))
        np.maximum.at(now, owner, bad)
        better = (now < best - 1e-6) & (z > 0)
        best[better], place[better] = now[better], xy[better]
    surface.xy = surface.xy.copy()
    surface.xy[vertices] = place
    z, normals = surface.lift(place)
    surface.z[vertices], surface.normals[vertices] = z, normals
    return True


def _around(surface: Surface, vertices: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
    """(n, 2) plane positions of surface points around `vertices`, in all directions, near and far."""
    normal = surface.normals[vertices]
    across = np.stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))], 1)
    flat = np.linalg.norm(across, axis=1) < 1e-6
    across[flat] = [1.0, 0.0, 0.0]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(normal, across)
    for far in (0.1, 0.3):
        for angle in np.arange(8) * (np.pi / 4) + far:
            step = np.cos(angle) * across + np.sin(angle) * up
            yield surface.projected(surface.points[vertices] + far * reach[:, None] * step)
