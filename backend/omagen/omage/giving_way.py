"""Keeps a layout whose charts come too close: pixels give way between them, their uv stay.

Charts that touch in uv, as tiles of a floor do, would share pixels. What holds a chart together is not where its
border pixels lie but which points of the seam they stand for, so a chart can do without a pixel of its rim: its
triangles reach a little less far in the picture and just as far in space. Small charts, which have least to give, take
their pixels first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numba
import numpy as np

from omagen.omage.mask_topology import is_one_piece, link_borders, repair
from omagen.omage.masks import tidy

if TYPE_CHECKING:
    from omagen.omage.layout import Layout


def give_way(layout: Layout) -> Layout:
    """`layout` with an empty pixel between any two charts and none outside the picture, the charts where they were.

    Charts that cannot be drawn as what they are with the pixels left to them are no longer `sound`.
    """
    grids, boundary = layout.grids, layout.boundary
    charts = len(grids.width)
    mask, following, sound = grids.mask.copy(), grids.following.copy(), grids.sound.copy()
    pixels = np.add.reduceat(mask.astype(np.int64), grids.start[:-1])
    loops = np.argsort(boundary.loop_chart, kind="stable").astype(np.int32)
    ranges = np.searchsorted(boundary.loop_chart[loops], np.arange(charts + 1)).astype(np.int64)
    _give_way(
        np.argsort(pixels, kind="stable"), layout.origin, layout.step, np.array(layout.size), grids.start, grids.width,
        grids.height, grids.uv, grids.face, boundary.half_edge, boundary.loop_start, loops, ranges, mask, following,
        sound,
    )  # fmt: skip
    return replace(layout, grids=replace(grids, mask=mask, following=following, sound=sound))


@numba.njit(cache=True, nogil=True)
def _give_way(
    order: np.ndarray,
    origin: np.ndarray,
    step: np.ndarray,
    size: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    uv: np.ndarray,
    face: np.ndarray,
    half_edge: np.ndarray,
    loop_start: np.ndarray,
    loops: np.ndarray,
    ranges: np.ndarray,
    mask: np.ndarray,
    following: np.ndarray,
    sound: np.ndarray,
) -> None:
    taken = np.zeros((size[0] + 2, size[1] + 2), np.uint8)  # with a rim, so that neighbours can be asked for
    for c in order:
        rows, columns = height[c], width[c]
        cells = mask[start[c] : start[c + 1]].reshape(rows, columns)
        blocked = np.zeros((rows, columns), np.uint8)
        gives = False
        for i in range(rows):
            for j in range(columns):
                y = origin[c, 0] + step[c, 0, 0] * i + step[c, 1, 0] * j
                x = origin[c, 1] + step[c, 0, 1] * i + step[c, 1, 1] * j
                if 0 <= y < size[0] and 0 <= x < size[1] and not taken[y : y + 3, x : x + 3].any():
                    continue
                blocked[i, j] = 1
                if cells[i, j]:
                    cells[i, j] = 0
                    gives = True
        if gives:
            inside = (face[start[c] : start[c + 1]].reshape(rows, columns) >= 0).astype(np.uint8) & (1 - blocked)
            links = following[start[c] : start[c + 1]]
            own = loops[ranges[c] : ranges[c + 1]]
            tidied = tidy(cells, inside, blocked)
            tidied = repair(cells, links, uv, half_edge, loop_start, own) and tidy(cells, inside, blocked) and tidied
            sound[c] = tidied and link_borders(cells, links) and is_one_piece(links, int(columns), len(own))
            for i in range(rows):  # what a repair has filled may not be what gave way
                for j in range(columns):
                    sound[c] = sound[c] and not (cells[i, j] and blocked[i, j])
        for i in range(rows):
            for j in range(columns):
                if cells[i, j]:
                    y = origin[c, 0] + step[c, 0, 0] * i + step[c, 1, 0] * j
                    x = origin[c, 1] + step[c, 0, 1] * i + step[c, 1, 1] * j
                    if 0 <= y < size[0] and 0 <= x < size[1]:
                        taken[y + 1, x + 1] = 1
