"""How much of the sky the surroundings of a surface hide, texel by texel, within a budget of rays.

Zhukov, Iones, Kronin, "An ambient light illumination model", 1998; cosine weights by the density of the rays. All
points use the same rays, turned with the normal, so neighbours agree without noise, across seams as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from omagen.bake.surface_texels import SurfaceTexels
from omagen.bake.thinning import spread, thinned
from omagen.geometry.directions import cosine_directions
from omagen.geometry.rays import RayCaster

BUDGET: Final = 2**24
"""Rays in all"""
FEWEST: Final = 64
MOST: Final = 256
"""Rays a point"""
LIFT: Final = 2e-5
"""Of the mesh's size: how far above the surface rays start"""
HORIZON: Final = 0.02
"""Cosine with the face's own normal below which a ray would only meet the facet it starts from"""
PART: Final = 2**18


def occlusion_of(texels: SurfaceTexels, size: int, caster: RayCaster, progress: Callable[[float], None]) -> np.ndarray:
    """(N,) float32: 1 where nothing is hidden, 0 where everything is.

    Where there are more texels than the budget serves, some are computed and the others take theirs from computed ones
    nearby that lie on the same part of the surface.
    """
    count = len(texels.pixel)
    stride = 1
    while count * FEWEST > BUDGET * stride**2:
        stride += 1
    chosen = np.arange(count) if stride == 1 else thinned(texels.pixel, size, stride)
    rays = int(np.clip(BUDGET // max(len(chosen), 1), FEWEST, MOST))
    openness = np.zeros(count, np.float32)
    openness[chosen] = _openness(texels.part(chosen), caster, rays, progress)
    if stride > 1:
        others = np.setdiff1d(np.arange(count), chosen, assume_unique=True)
        values, found = spread(texels, chosen, openness[chosen, None], others, size, stride)
        openness[others] = values[:, 0]
        missing = others[~found][: BUDGET // FEWEST]
        openness[missing] = _openness(texels.part(missing), caster, FEWEST, progress)
    return openness


def _openness(texels: SurfaceTexels, caster: RayCaster, rays: int, progress: Callable[[float], None]) -> np.ndarray:
    """(N,) float32 by `rays` rays from each of `texels`."""
    count = len(texels.pixel)
    local = cosine_directions(rays).astype(np.float32)
    size = float(np.ptp(texels.position, axis=0).max()) if count else 1.0
    result = np.ones(count, np.float32)
    step = max(PART // rays, 1)
    for begin in range(0, count, step):
        progress(begin / count)
        part = texels.part(slice(begin, begin + step))
        along = np.einsum("rk,nkc->nrc", local, _frames(part.normal))
        counts = np.einsum("nrc,nc->nr", along, part.facing) > HORIZON
        origin = part.position + (LIFT * size) * (part.facing + part.normal)
        row, _ = np.nonzero(counts)
        hidden = np.zeros(counts.shape, bool)
        hidden[counts] = caster.occluded(origin[row], along[counts])
        result[begin : begin + step] = 1 - hidden.sum(1) / np.maximum(counts.sum(1), 1)
    return result


def _frames(normal: np.ndarray) -> np.ndarray:
    """(N, 3, 3): two directions across each `normal` (N, 3), and the normal itself (Duff et al. 2017)."""
    x, y, z = normal.T
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    return np.stack([first, second, normal], axis=1)
