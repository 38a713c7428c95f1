"""Edge flips on the inflated surface that make the smallest angles larger, keeping track of what is next to what."""

from __future__ import annotations

import numpy as np

from omagen.engines.inflate.surface import Surface
from omagen.engines.inflate.triangles import Edges, before, corner_cosine, edge_keys, following, independent, sharpness

NEARLY_DELAUNAY = 0.1
"""Edges whose opposite angles' cosines add up to more than this cannot gain from a flip, bent as the surface may be."""
LEAST_GAIN = 1e-6


def flip(surface: Surface, rounds: int, around: np.ndarray | None = None) -> None:
    """Flip inner edges while that makes the smallest angle of their two triangles larger, at most `rounds` times over.

    around: (n,) the faces whose edges are looked at first, all if None; later rounds follow what has changed.
    """
    half = np.arange(surface.faces.size) if around is None else _half_edges(around)
    points = surface.points
    for _ in range(rounds):
        twin = surface.twins[half]
        once = (twin > half) if around is None else (twin >= 0)
        half, twin = half[once], twin[once]
        edges = Edges.of(surface.faces, half, twin)
        gain = _gain(surface, points, edges)
        chosen = independent(edges, gain, len(surface.faces))
        chosen = chosen[_new(surface, edges.c[chosen], edges.d[chosen])]
        if not len(chosen):
            return
        changed = _turn(surface, half[chosen], twin[chosen])
        gain[chosen] = 0.0
        half, around = np.union1d(half[gain > 0], _half_edges(changed)), changed


def _half_edges(faces: np.ndarray) -> np.ndarray:
    return (3 * faces[:, None] + np.arange(3)).ravel()


def _gain(surface: Surface, points: np.ndarray, edges: Edges) -> np.ndarray:
    """(n,) by how much the cosine of the smallest angle falls; 0 where an edge should or may not be flipped."""
    gain = np.zeros(len(edges.a))
    pa, pb, pc, pd = (points[index] for index in (edges.a, edges.b, edges.c, edges.d))
    opposite = corner_cosine(pc, pa, pb) + corner_cosine(pd, pa, pb)
    chord = (edges.c < surface.rim_count) & (edges.d < surface.rim_count)
    worth = np.flatnonzero((opposite < NEARLY_DELAUNAY) & ~chord)
    pa, pb, pc, pd = (corner[worth] for corner in (pa, pb, pc, pd))
    was = np.maximum(sharpness(pa, pb, pc), sharpness(pb, pa, pd))
    becomes = np.maximum(sharpness(pc, pd, pb), sharpness(pd, pc, pa))
    better = was - becomes > LEAST_GAIN
    worth, gained = worth[better], (was - becomes)[better]
    a, b, c, d = (index[worth] for index in (edges.a, edges.b, edges.c, edges.d))
    sound = surface.sound(np.stack([c, d, b], 1)) & surface.sound(np.stack([d, c, a], 1))
    gain[worth[sound]] = gained[sound]
    return gain


def _new(surface: Surface, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """(n,) bool: which edges from `c` to `d` neither exist yet nor come twice."""
    count = len(surface.xy)
    keys, first = np.unique(edge_keys(c, d, count), return_index=True)
    if not len(keys):
        return np.zeros(0, bool)
    present = edge_keys(surface.faces.ravel(), surface.faces[:, [1, 2, 0]].ravel(), count)
    place = np.minimum(np.searchsorted(keys, present), len(keys) - 1)
    taken = place[keys[place] == present]
    fresh = np.zeros(len(c), bool)
    fresh[np.delete(first, np.unique(taken))] = True
    return fresh


def _turn(surface: Surface, half: np.ndarray, twin: np.ndarray) -> np.ndarray:
    """Flip the edges of these half-edges, no two in one triangle. Returns the faces that changed."""
    faces, across = surface.faces.copy(), surface.twins.copy()
    edges = Edges.of(faces, half, twin)
    left, right = edges.left, edges.right
    faces[left] = np.stack([edges.c, edges.d, edges.b], 1)
    faces[right] = np.stack([edges.d, edges.c, edges.a], 1)
    old = np.concatenate([before(twin), following(half), before(half), following(twin)])
    new = np.concatenate([3 * left + 1, 3 * left + 2, 3 * right + 1, 3 * right + 2])
    moved = np.arange(len(across))
    moved[old] = new
    other = across[old]
    inner = other >= 0
    other[inner] = moved[other[inner]]
    across[new] = other
    across[other[inner]] = new[inner]
    across[3 * left], across[3 * right] = 3 * right, 3 * left
    surface.connect(faces, across)
    return np.concatenate([left, right])
