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
    if not first.overturned(system.normals(moved)).any():
        return moved
    for scale in SCALES:
        factor = move[:, :1] * 0 + scale
        for attempt in range(ATTEMPTS):
            moved = x + factor * move
            rows = system.rows_of(first.overturned(system.normals(moved)))
            if len(rows) == 0:
                return moved
            if attempt == 0 and len(rows) > MANY * len(old):
                break
            factor = _shortened(system, factor, rows, 0.5 if attempt < HALVINGS else 0.0)
    return x


def _shortened(system: System, factor: Array, rows: Array, by: float) -> Array:
    """`factor` (V, 1), `by` times as large at the corners of the faces `rows`, and softly so around them."""
    hit = factor * 0
    hit[system.faces[rows].reshape(-1)] = 1.0
    factor = factor * (1 - hit * (1 - by))
    for _ in range(SOFTENING):
        around = system.around(factor)
        factor = system.arrays.where(around < factor, around, factor)
    return factor


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

    def overturned(self, after: Array) -> Array:
        """(F, 1) bool, from the normals `after` (F, 3), twice as long as the areas"""
        length = _length(after)
        cosine = dot(after, self.old) / length.clip(1e-300)
        away = (cosine < TURNED) & (cosine < self.to_old)
        return (self.size > 0) & (away | (length < SHRUNK * self.size))
