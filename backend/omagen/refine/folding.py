"""Keeps steps short where they would turn faces over."""

from __future__ import annotations

from typing import Final, NamedTuple

from omagen.refine.arrays import Array, dot, unit
from omagen.refine.system import System

HALVINGS: Final = 6
ATTEMPTS: Final = 60
"""After the halvings a move is given up where it is still too long, and so is what that leaves too long around it"""
TURNED: Final = 0.1
"""Cosine below which a face has turned over, to its target and to where it looked first"""
SHRUNK: Final = 0.02
"""Share of its area below which a face has collapsed"""


def held_back(system: System, x: Array, move: Array, wanted: Array, old: Array) -> Array:
    """`x + move` (V, 3), with shorter moves around faces that would turn over or collapse.

    A face turns over where it looks away from its target, `wanted` (F, 3), or from where it looked first, `old` (F, 3),
    more than it did at `x`. Moves are halved vertex by vertex until no face does, or else given up.
    """
    moved = x + move
    before, after = system.normals(x), system.normals(moved)
    # most steps turn nothing over, which the looser test shows
    suspect = (dot(after, wanted) < TURNED * _length(after)) | (dot(after, old) < TURNED * _length(after))
    suspect = suspect | (_length(after) < SHRUNK * _length(before))
    rows = system.rows_of(suspect)
    rows = rows[system.rows_of(_First.of(before, wanted, old, rows).overturned(after[rows]))]
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
        near = system.faces_around(touched > 0)
        after = system.normals(moved, near)
        rows = near[system.rows_of(_First.of(before, wanted, old, near).overturned(after))]
        if len(rows) == 0:
            return moved
    return x


def _length(vectors: Array) -> Array:
    return dot(vectors, vectors) ** 0.5


class _First(NamedTuple):
    """Faces as they are at the beginning of a step, each (F, 1) or (F, 3)"""

    size: Array
    wanted: Array
    to_wanted: Array
    old: Array
    to_old: Array

    @classmethod
    def of(cls, before: Array, wanted: Array, old: Array, rows: Array) -> _First:
        """The faces `rows` of all faces"""
        normal, wanted, old = unit(before[rows]), wanted[rows], old[rows]
        return cls(_length(before[rows]), wanted, dot(normal, wanted), old, dot(normal, old))

    def overturned(self, after: Array) -> Array:
        """(F, 1) bool, from the normals `after` (F, 3), twice as long as the areas"""
        length = _length(after)
        direction = after / length.clip(1e-300)
        cosine = dot(direction, self.wanted)
        turned = (cosine < TURNED) & (cosine < self.to_wanted)
        cosine = dot(direction, self.old)
        away = (cosine < TURNED) & (cosine < self.to_old)
        return (self.size > 0) & (turned | away | (length < SHRUNK * self.size))
