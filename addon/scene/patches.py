"""The charts of a decoded omage as arrays: the vertices of each, each for itself, a picture of all."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from typing import Final

import numpy as np

from . import png
from .glb import ObjectArrays
from .topology import edges_of

GOLDEN: Final = 0.6180339887


def members(arrays: ObjectArrays) -> list[np.ndarray]:
    """The vertices of each patch, (N,) int64, in the order of their numbers; vertices on seams belong to several."""
    assert arrays.patches is not None
    keys = np.unique(np.repeat(arrays.patches.astype(np.int64), 3) << 32 | arrays.corner_vertex)
    starts = np.flatnonzero(np.diff(keys >> 32, prepend=-1))
    return [vertices & 0xFFFFFFFF for vertices in np.split(keys, starts[1:])]


def split(arrays: ObjectArrays) -> list[ObjectArrays]:
    """Each patch for itself, largest first; fit for any thread."""
    assert arrays.patches is not None
    order = np.argsort(arrays.patches, kind="stable")
    starts = np.flatnonzero(np.diff(arrays.patches[order], prepend=-1))
    return [_part(arrays, triangles) for triangles in np.split(order, starts[1:])]


def _part(arrays: ObjectArrays, triangles: np.ndarray) -> ObjectArrays:
    assert arrays.patches is not None
    corners = (3 * triangles[:, None] + np.arange(3)).reshape(-1)
    used, corner_vertex = np.unique(arrays.corner_vertex[corners], return_inverse=True)
    corner_vertex = corner_vertex.reshape(-1).astype(np.int32)
    edges, corner_edge = edges_of(corner_vertex, len(used))

    def at(array: np.ndarray | None, index: np.ndarray) -> np.ndarray | None:
        return None if array is None else array[index]

    return replace(
        arrays,
        positions=arrays.positions[used],
        corner_vertex=corner_vertex,
        edges=edges,
        corner_edge=corner_edge,
        uv=at(arrays.uv, corners),
        vertex_normals=at(arrays.vertex_normals, used),
        corner_normals=at(arrays.corner_normals, corners),
        colors=at(arrays.colors, used),
        material_index=at(arrays.material_index, triangles),
        patches=arrays.patches[triangles],
    )


def picture(arrays: ObjectArrays, resolution: int) -> bytes:
    """A PNG of `resolution` pixels a side in which every patch has a colour; fit for any thread.

    A decoded omage's UVs are the centres of the pixels that its vertices come from.
    """
    assert arrays.patches is not None and arrays.uv is not None
    column, row = (arrays.uv * resolution).astype(np.int32).clip(0, resolution - 1).T
    pixels = np.zeros((resolution, resolution, 4), np.uint8)
    pixels[resolution - 1 - row, column] = _palette(int(arrays.patches.max()) + 1)[np.repeat(arrays.patches, 3)]
    return png.encode([pixels], resolution, resolution)


def _palette(count: int) -> np.ndarray:
    """(count, 4) uint8, neighbours in number far apart in hue."""
    colors = [
        colorsys.hsv_to_rgb(i * GOLDEN % 1.0, 0.45 + 0.3 * (i % 3) / 2, 0.95 - 0.15 * (i % 2)) for i in range(count)
    ]
    return np.round(255 * np.concatenate([np.array(colors), np.ones((count, 1))], axis=1)).astype(np.uint8)
