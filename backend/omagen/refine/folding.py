"""Keeps steps short where they would turn faces over."""

from __future__ import annotations

from typing import Final

from omagen.refine.arrays import Array, dot, unit
from omagen.refine.system import System

HALVINGS: Final = 6
ATTEMPTS: Final = 60
"""After the halvings a move is given up where it is still too long, and so is what that leaves too long around it"""
AWAY: Final = -0.2
"""Cosine to its direction before a step below which a face has turned over, whatever its target"""
TURNED: Final = 0.1
"""Cosine to its target below which a face has turned over"""
SHRUNK: Final = 0.02
"""Share of its area below which a face has collapsed"""


def held_back(system: System, x: Array, move: Array, wanted: Array) -> Array:
    """`x + move` (V, 3), with shorter moves around faces that would turn over or collapse; `wanted` (F, 3) unit.

    A face turns over where it looks away from its target and from where it looks at `x`. Moves are halved vertex by vertex until
    no face does, and given up where that is not enough.
    """
    before = system.normals(x)
    size = dot(before, before) ** 0.5
    before = unit(before)
    facing = dot(before, wanted)
    moved = x + move
    rows = system.rows_of(_overturned(system.normals(moved), before, size, wanted, facing))
    if len(rows) == 0:
        return moved
    factor = move[:, :1] * 0 + 1
    touched = factor * 0
    for attempt in range(ATTEMPTS):
        hit = touched * 0
        hit[system.faces[rows].reshape(-1)] = 1.0
        factor = factor * (1 - hit * (0.5 if attempt < HALVINGS else 1.0))
        moved = x + factor * move
        touched = touched + hit
        # only faces around what has been changed can be better, or worse, than before
        near = system.rows_of(system.at_corners(touched).sum(1) > 0)
        after = system.normals(moved, near)
        bad = _overturned(after, before[near], size[near], wanted[near], facing[near])
        rows = near[system.rows_of(bad)]
        if len(rows) == 0:
            return moved
    return x


def _overturned(after: Array, before: Array, size: Array, wanted: Array, facing: Array) -> Array:
    """(F, 1) bool"""
    length = dot(after, after) ** 0.5
    direction = after / length.clip(1e-300)
    cosine = dot(direction, wanted)
    turned = (cosine < TURNED) & (cosine < facing)
    return (size > 0) & (turned | (dot(direction, before) < AWAY) | (length < SHRUNK * size))
