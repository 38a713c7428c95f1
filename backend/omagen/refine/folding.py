"""Keeps steps short where they would turn faces over."""

from __future__ import annotations

from typing import Final, NamedTuple

from omagen.refine.arrays import Array, dot, unit
from omagen.refine.system import System

SCALES: Final = (1.0, 0.5, 0.25, 0.125)
"""Of the whole move: the next one is tried where too much turns over with the one before"""
MANY: Final = 0.02
"""Share of the faces; where more turn over, the whole move is too long"""
HALVINGS: Final = 8
ATTEMPTS: Final = 14
"""After the halvings a move is given up where it is still too long"""
SOFTENING: Final = 3
"""Rings over which a shorter move passes into the full one: steps between neighbours are what turns faces over"""
TURNED: Final = 0.1
"""Cosine below which a face has turned over from where it looked first"""
SHRUNK: Final = 0.02
"""Share of its area below which a face has collapsed"""


def held_back(system: System, x: Array, move: Array, old: Array) -> Array:
    """`x + move` (V, 3), with shorter moves around faces that would turn over or collapse.

    A face turns over where it looks away from where it looked first, `old` (F, 3), more than it did at `x`. Moves are
    halved around such faces until there are none; where that does not help, the whole move is.
    """
    first = _First.of(system, x, old)
    moved = x + move
    rows = system.rows_of(first.overturned(system.normals(moved)))
    if len(rows) == 0:
        return moved
    for scale in SCALES:
        if scale < 1:
            moved = x + scale * move
            rows = system.rows_of(first.overturned(system.normals(moved)))
        if len(rows) > MANY * len(old):
            continue
        less = move[:, :1] * 0
        for attempt in range(ATTEMPTS):
            if len(rows) == 0:
                return moved
            less = _lessened(system, less, rows, scale, 0.5 if attempt < HALVINGS else 1.0)
            moved = x + (scale - less) * move
            near = system.faces_around(less > 0)  # the others are as they were, and sound
            rows = near[system.rows_of(first.of_rows(near).overturned(system.normals(moved, near)))]
    return x


def _lessened(system: System, less: Array, rows: Array, scale: float, by: float) -> Array:
    """What is taken from `scale`, `less` (V, 1), with a share `by` of the rest at the corners of the faces `rows`, and
    softly less around them."""
    hit = less * 0
    hit[system.faces[rows].reshape(-1)] = by
    less = less + hit * (scale - less)
    for _ in range(SOFTENING):
        around = system.around(less)
        less = system.arrays.where(around > less, around, less)
    return less


def _length(vectors: Array) -> Array:
    return dot(vectors, vectors) ** 0.5


class _First(NamedTuple):
    """Faces as they are at the beginning of a step, each (F, 1) or (F, 3)"""

    size: Array
    old: Array
    to_old: Array

    @classmethod
    def of(cls, system: System, x: Array, old: Array) -> _First:
        normals = system.normals(x)
        return cls(_length(normals), old, dot(unit(normals), old))

    def of_rows(self, rows: Array) -> _First:
        """Some of the faces"""
        return _First(self.size[rows], self.old[rows], self.to_old[rows])

    def overturned(self, after: Array) -> Array:
        """(F, 1) bool, from the normals `after` (F, 3), twice as long as the areas"""
        length = _length(after)
        cosine = dot(after, self.old) / length.clip(1e-300)
        away = (cosine < TURNED) & (cosine < self.to_old)
        return (self.size > 0) & (away | (length < SHRUNK * self.size))
