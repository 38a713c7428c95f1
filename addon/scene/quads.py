"""Pairs of triangles as the four-sided faces that they are halves of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .glb import ObjectArrays


def join_quads(arrays: ObjectArrays, first: np.ndarray) -> ObjectArrays:
    """`arrays`, of triangles only, with the triangles `first` (Q,) int64 and the next one of each made into quads.

    A triangle (a, b, c) and its next (a, c, d) give (a, b, c, d); what corners carry stays, the diagonals go.
    """
    begins = np.ones(arrays.triangles, bool)
    begins[first + 1] = False
    kept = np.ones(len(arrays.corner_vertex), bool)
    kept[3 * first + 2] = kept[3 * first + 3] = False
    sizes = np.full(arrays.triangles, 3, np.int32)
    sizes[first] = 4
    sizes = sizes[begins]
    corner_edge = arrays.corner_edge[kept]
    used = np.zeros(len(arrays.edges), bool)
    used[corner_edge] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)

    def corners(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else np.ascontiguousarray(array[kept])

    def faces(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[begins]

    return replace(
        arrays,
        corner_vertex=arrays.corner_vertex[kept],
        edges=np.ascontiguousarray(arrays.edges[used]),
        corner_edge=number[corner_edge],
        face_start=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32),
        uv=corners(arrays.uv),
        corner_normals=corners(arrays.corner_normals),
        material_index=faces(arrays.material_index),
        patches=faces(arrays.patches),
    )
