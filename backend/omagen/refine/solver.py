"""Target normals -> geometry: a few gradient-domain solves, then scalar offsets along the normals.

The first turn each face to its target and fit all faces together again (Poisson editing); the others move vertices
along their normals only, until edges are at right angles to the targets, and so do not drift (Nehab et al. 2005,
section 4, for one unknown a vertex). Both are A δ = -Σ_f K_f (t_f · x) ⊗ h_f, with the direction h_f half-way between a
face and its target, or with the vertex normals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from omagen.refine.arrays import Array, Arrays, cross, dot, unit
from omagen.refine.folding import held_back
from omagen.refine.system import System
from omagen.refine.targets import FaceTargets, Offsets

UNSURE: Final = 0.1
"""How much a face counts of which nothing is known"""
PULL: Final = 10.0
"""How much stronger known places hold than the places of the mesh as it came"""
CG_STEPS: Final = 4
"""More bring nothing: what is left are places where targets contradict each other"""
SHIFT_STEPS: Final = 5
CG_TOLERANCE: Final = 0.003

Places = Callable[[np.ndarray], Offsets | None]
"""Vertices (V, 3) float64 -> how far along their normals they are from where they should be"""
Targets = Callable[[np.ndarray], FaceTargets]
"""Vertices (V, 3) float64 -> what is wanted of the faces where they are now"""


@dataclass(frozen=True)
class SolveSettings:
    rotations: int = 2
    """Gradient-domain solves"""
    offsets: int = 1
    """Solves along the normals"""
    banded: bool = False
    """Whether only what is smaller than `size` is taken from the normals"""
    size: float = 0.05
    """At which size places begin to hold the mesh where it is, in the vertices' unit"""


def solve(
    vertices: np.ndarray,
    faces: np.ndarray,
    movable: np.ndarray,
    targets: Targets,
    places: Places,
    amount: np.ndarray,
    settings: SolveSettings,
    progress: Callable[[float], None],
    arrays: Arrays | None = None,
) -> np.ndarray:
    """(V, 3) float64: `vertices` moved so that `faces` (F, 3) get the directions of `targets`.

    `movable` (V,) bool; all others stay bit by bit. `amount` (F,): how far each face turns towards its target, 1 = all
    the way. Vertices should be of unit size and near the origin. No face comes to look away from
    where it looked before.
    """
    arrays = arrays or Arrays()
    found = targets(vertices)
    weights = UNSURE + (1 - UNSURE) * found.weight
    system = System(vertices, faces, movable, weights, settings.size, arrays)
    progress(0.3)
    start = arrays.floats(vertices)
    share = arrays.floats(amount)[:, None]
    old = unit(system.normals(start))
    x = held = start
    wanted = old
    steps = settings.rotations + settings.offsets
    for step in range(steps):
        if step in (0, settings.rotations):
            here = vertices if step == 0 else arrays.numpy(x)
            if step > 0:  # the mesh has moved: what is seen of it has, too
                found = targets(here)
            wanted = _directions(system, old, found, share, settings.banded)
            known = places(here)
            if known is not None and known.weight.any():
                shift = _shift(system, x, known, float(amount.mean()))
                held, x = held + shift, held_back(system, x, shift, old)
        solve_step = _rotation_step if step < settings.rotations else _offset_step
        x = held_back(system, x, solve_step(system, x, held, wanted), old)
        progress(0.3 + 0.7 * (step + 1) / steps)
    result = vertices.copy()
    result[movable] = arrays.numpy(x)[movable]
    return result


def _shift(system: System, x: Array, found: Offsets, share: float) -> Array:
    """(V, 3): a smooth shift along the normals that brings the vertices as near to their places as is known."""
    normal = _vertex_normals(system, x)
    pull = PULL * system.screen * system.arrays.floats(found.weight)[:, None]
    right = pull * system.arrays.floats(found.along)[:, None]

    def operator(d: Array) -> Array:
        return system.summed(system.stiffness(system.at_corners(d))) + (pull + 1e-3 * system.screen) * d

    return share * system.gradient_solve(operator, right, SHIFT_STEPS, CG_TOLERANCE) * normal


def _vertex_normals(system: System, x: Array) -> Array:
    return unit(system.summed(system.spread(system.normals(x))))


def _directions(system: System, old: Array, found: FaceTargets, share: Array, banded: bool) -> Array:
    """(F, 3) unit: where each face should look; the old direction where that is not known."""
    arrays = system.arrays
    known = arrays.floats(found.weight)[:, None] > 0
    target = arrays.where(known, arrays.floats(found.normal), old)
    if banded:
        target = _high_band(system, old, target)
        target = arrays.where(known, target, old)
    return _between(arrays, old, target, share)


def _between(arrays: Arrays, a: Array, b: Array, share: Array) -> Array:
    """The direction `share` of the way from `a` to `b` (F, 3), along the great circle, also beyond it."""
    cosine = dot(a, b)
    side = b - cosine * a
    length = dot(side, side) ** 0.5
    sine, cosine = arrays.turn(length, cosine, share)
    return unit(cosine * a + sine * (side / length.clip(1e-12)))


def _high_band(system: System, old: Array, target: Array) -> Array:
    """`target` turned, place by place, as smoothed targets are turned to smoothed normals of the mesh."""
    weighted = system.arrays.join(old, target) * system.areas
    both = system.summed(system.spread(weighted))
    smooth = system.smooth(system.arrays.join(unit(both[:, :3]), unit(both[:, 3:])))
    at_faces = system.at_corners(smooth).sum(1)
    here, there = unit(at_faces[:, :3]), unit(at_faces[:, 3:])
    axis = cross(there, here)
    cosine = dot(there, here)
    turned = target * cosine + cross(axis, target) + axis * dot(axis, target) / (1 + cosine).clip(0.05)
    return unit(turned)


def _rotation_step(system: System, x: Array, start: Array, wanted: Array) -> Array:
    normal = unit(system.normals(x))
    middle = (normal + wanted) / (1 + dot(normal, wanted)).clip(0.05)
    heights = dot(system.at_corners(x), wanted[:, None])
    bends = system.stiffness(heights) * middle[:, None]
    return system.solve(-system.summed(bends) - system.screen * (x - start))


def _offset_step(system: System, x: Array, start: Array, wanted: Array) -> Array:
    normal = _vertex_normals(system, x)
    along = dot(system.at_corners(normal), wanted[:, None])
    heights = dot(system.at_corners(x), wanted[:, None])
    right = -system.summed(along * system.stiffness(heights)) - system.screen * dot(normal, x - start)

    def operator(d: Array) -> Array:
        return system.summed(along * system.stiffness(along * system.at_corners(d))) + system.screen * d

    return system.gradient_solve(operator, right, CG_STEPS, CG_TOLERANCE) * normal
