"""Colours that do not lie on a mesh: of points, and of fields that answer for any point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from omagen.bake.texels import TexelLayout
from omagen.bake.textures import Planes, material_of
from omagen.omage.raster_dilation import dilate_all
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh

Field = Callable[[np.ndarray], np.ndarray]
"""Called with points (N, 3) float32, metres; returns colours (N, 3), linear, 0 to 1"""
PART: Final = 2**17
"""Points that a field is asked for at once"""


def bake_field(
    mesh: Mesh,
    field: Field,
    size: int,
    progress: Callable[[str, float], None] = lambda stage, fraction: None,
    *,
    margin: int | None = None,
) -> Mesh:
    """`mesh` with one material, whose base colour of `size` x `size` texels is what `field` says on its surface.

    `mesh` has UVs without overlap; what else lies in its only material stays. Each texel is the mean of four samples.
    `margin` as for `bake`. Raises `OmagenError`: input for a size that does not exist or a field that does not answer
    with colours, geometry for a mesh without UVs, cancelled from `progress`.
    """
    layout = TexelLayout(mesh, size)
    planes = Planes.blank(size * size, frozenset({"base_color"}), "OPAQUE")
    assert planes.base_color is not None
    count = np.zeros(size * size, np.uint8)
    for turn, samples in enumerate(layout.samples(4)):
        points = layout.positions(samples).astype(np.float32)
        for begin in range(0, len(points), PART):
            progress("Colouring", min((turn + begin / len(points)) / 4, 1.0))
            part = slice(begin, begin + PART)
            colors = np.asarray(field(points[part]))
            if colors.shape != points[part].shape:
                raise OmagenError(
                    ErrorCode.INPUT,
                    f"The field gave {colors.shape} numbers for {len(points[part])} points.",
                    "It must give three for each point.",
                )
            planes.base_color[samples.pixel[part]] += np.nan_to_num(colors).clip(0, 1)
        count[samples.pixel] += 1
    planes.covered = count > 0
    planes.base_color /= np.maximum(count, 1)[:, None]
    dilate_all([planes.base_color.reshape(size, size, 3)], planes.covered.reshape(size, size), margin)
    kept = mesh.materials[0] if len(mesh.materials) == 1 else Material(mesh.name)
    material = material_of(planes, size, kept, layout.wrap)
    return replace(mesh, materials=(material,), material_index=None, colors=None)


def point_field(points: np.ndarray, colors: np.ndarray, neighbours: int = 4) -> Field:
    """The field of a point cloud: the mean of the `neighbours` nearest points, weighted by one over distance squared.

    `points` (N, 3), metres; `colors` (N, 3), linear. Points that are not finite do not count. Raises `OmagenError`
    (input) where none is left.
    """
    from scipy.spatial import KDTree

    usable = np.isfinite(points).all(1) & np.isfinite(colors).all(1)
    if not usable.any():
        raise OmagenError(ErrorCode.INPUT, "The point cloud has no usable points.", "Choose another one.")
    tree = KDTree(np.asarray(points, np.float64)[usable])
    known = np.asarray(colors, np.float32)[usable]
    nearest = min(neighbours, len(known))

    def field(places: np.ndarray) -> np.ndarray:
        distance, number = tree.query(places, nearest)
        distance, number = distance.reshape(len(places), -1), number.reshape(len(places), -1)
        # relative to the nearest, so that a point that is hit exactly does not divide by nothing
        least = distance[:, :1] ** 2
        share = (least + 1e-24) / (distance**2 + 1e-24)
        share /= share.sum(1, keepdims=True)
        return np.einsum("nk,nkc->nc", share, known[number])

    return field
