"""Where on the surface every pixel is sampled: border pixels at their seam points, the others at or near their centres.

Moving border pixels onto the border would fold the grid where a border pixel passes its inner neighbour. So the move
fades out into the chart over a few pixels (a screened Laplace equation), and the grid stays in order. Then edges of the
mesh draw the samples near them onto themselves (see `features`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np

from omagen.omage.atlas import Atlas
from omagen.omage.cores import on_cores
from omagen.omage.features import attract
from omagen.omage.grids import Grids, even_parts
from omagen.omage.seams import SeamPixels

RINGS: Final = 5
"""How many pixels into the chart a moved border is felt."""
SCREENING: Final = 0.3
"""How fast it fades: the weight of staying at the centre against that of following the neighbours."""
SWEEPS: Final = 12
MAX_WALK: Final = 256


@dataclass(frozen=True)
class Samples:
    """One entry for every pixel of every chart, chart by chart, row by row."""

    chart: np.ndarray
    """(P,) int32"""
    row: np.ndarray
    """(P,) int32 within the chart's grid"""
    column: np.ndarray
    """(P,) int32"""
    face: np.ndarray
    """(P,) int32"""
    bary: np.ndarray
    """(P, 2) float32: weights of the face's second and third corner"""
    seam: np.ndarray
    """(P,) int32 into the seam points, -1 inside charts"""


def locate_samples(grids: Grids, seams: SeamPixels, twin: np.ndarray, atlas: Atlas, positions: np.ndarray) -> Samples:
    """The sample of every pixel. `twin` as in `Boundary`; `positions` (V, 3) float64 of the atlas's vertices."""
    seam = np.full(len(grids.mask), -1, np.int32)
    seam[seams.cell] = np.arange(len(seams.cell), dtype=np.int32)
    shift = np.zeros((len(grids.mask), 2), np.float32)
    ring = np.full(len(grids.mask), 127, np.int8)
    start_face = grids.face.copy()
    _move_border(grids.uv, grids.start, grids.width, seams.cell, seams.half_edge, seams.share, shift, ring, start_face)
    charts = even_parts(grids.start)
    on_cores(lambda part: _fade(grids.mask, grids.start, grids.width, part, ring, shift), charts)
    attract(grids, positions, atlas.faces, atlas.chart, twin, (grids.mask > 0) & (ring > 0), shift)
    total = int(np.count_nonzero(grids.mask))
    chart = np.empty(total, np.int32)
    row, column, face = np.empty_like(chart), np.empty_like(chart), np.empty_like(chart)
    bary = np.empty((total, 2), np.float32)
    place = np.empty(total, np.int32)
    first_face = np.unique(atlas.chart, return_index=True)[1].astype(np.int32)
    begin = np.cumsum(np.add.reduceat(grids.mask, grids.start[:-1], dtype=np.int64))
    begin = np.concatenate([[0], begin])

    def collect(part: tuple[int, int]) -> None:
        _collect(
            grids.uv, twin, grids.start, grids.width, grids.height, grids.mask, start_face, shift, seam,
            seams.half_edge, seams.share, first_face, part, begin[part[0]], chart, row, column, face, bary, place,
        )  # fmt: skip

    on_cores(collect, charts)
    return Samples(chart, row, column, face, bary, np.where(place >= 0, seams.seam[place], -1).astype(np.int32))


@numba.njit(cache=True, nogil=True)
def _move_border(
    uv: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    cell: np.ndarray,
    half_edge: np.ndarray,
    share: np.ndarray,
    shift: np.ndarray,
    ring: np.ndarray,
    start_face: np.ndarray,
) -> None:
    """Note how far border pixels move, and a face for those whose centre no face covers."""
    c = 0
    for p in range(len(cell)):
        while not (start[c] <= cell[p] < start[c + 1]):
            c = c + 1 if c + 1 < len(width) else 0
        local = cell[p] - start[c]
        f, a = half_edge[p] // 3, half_edge[p] % 3
        b = 0 if a == 2 else a + 1
        x = uv[f, a, 0] + share[p] * (uv[f, b, 0] - uv[f, a, 0])
        y = uv[f, a, 1] + share[p] * (uv[f, b, 1] - uv[f, a, 1])
        shift[cell[p], 0] = x - (local % width[c] + 0.5)
        shift[cell[p], 1] = y - (local // width[c] + 0.5)
        ring[cell[p]] = 0
        if start_face[cell[p]] < 0:
            start_face[cell[p]] = f


@numba.njit(cache=True, nogil=True)
def _fade(
    mask: np.ndarray, start: np.ndarray, width: np.ndarray, part: tuple[int, int], ring: np.ndarray, shift: np.ndarray
) -> None:
    """Let the shift of the border die away over `RINGS` pixels inside the charts of `part`."""
    for c in range(part[0], part[1]):
        w = width[c]
        begin, end = start[c] + w, start[c + 1] - w
        inner = np.empty(max(end - begin, 0), np.int64)
        count = 0
        for depth in range(1, RINGS + 1):
            first = count
            for p in range(begin, end):
                if not mask[p] or ring[p] != 127:
                    continue
                if min(ring[p - 1], ring[p + 1], ring[p - w], ring[p + w]) == depth - 1:
                    inner[count] = p
                    count += 1
            for n in range(first, count):
                ring[inner[n]] = depth
        for sweep in range(SWEEPS):
            for n in range(count):
                p = inner[n] if sweep % 2 == 0 else inner[count - 1 - n]
                x = y = 0.0
                weight = SCREENING
                for q in (p - 1, p + 1, p - w, p + w):
                    if mask[q]:
                        x += shift[q, 0]
                        y += shift[q, 1]
                        weight += 1.0
                shift[p, 0] = x / weight
                shift[p, 1] = y / weight


@numba.njit(cache=True, nogil=True)
def _collect(
    uv: np.ndarray,
    twin: np.ndarray,
    start: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    mask: np.ndarray,
    cover: np.ndarray,
    shift: np.ndarray,
    seam: np.ndarray,
    half_edge: np.ndarray,
    share: np.ndarray,
    first_face: np.ndarray,
    part: tuple[int, int],
    n: int,
    chart: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    place: np.ndarray,
) -> None:
    """The samples of the charts of `part`, from number `n` on."""
    for c in range(part[0], part[1]):
        w, h = width[c], height[c]
        for i in range(h):
            for j in range(w):
                p = start[c] + i * w + j
                if not mask[p]:
                    continue
                chart[n], row[n], column[n], place[n] = c, i, j, seam[p]
                if seam[p] >= 0:
                    e = half_edge[seam[p]]
                    f, a = e // 3, e % 3
                    here, there = 1.0 - share[seam[p]], share[seam[p]]
                    face[n] = f
                    bary[n, 0] = there if a == 0 else here if a == 1 else 0.0
                    bary[n, 1] = there if a == 1 else here if a == 2 else 0.0
                else:
                    x, y = j + 0.5 + shift[p, 0], i + 0.5 + shift[p, 1]
                    f = _start_face(cover, start[c], w, h, x, y)
                    if f < 0:
                        f = first_face[c]
                    face[n], bary[n, 0], bary[n, 1] = walk(uv, twin, f, x, y)
                n += 1


@numba.njit(cache=True, nogil=True)
def _start_face(cover: np.ndarray, base: int, width: int, height: int, x: float, y: float) -> int:
    """A face that covers the centre of the cell that holds (x, y), or of a cell as near as possible."""
    i = min(max(int(np.floor(y)), 0), height - 1)
    j = min(max(int(np.floor(x)), 0), width - 1)
    for reach in range(0, max(width, height)):
        best, found = np.inf, -1
        for v in range(max(i - reach, 0), min(i + reach, height - 1) + 1):
            for u in range(max(j - reach, 0), min(j + reach, width - 1) + 1):
                if max(abs(v - i), abs(u - j)) != reach:
                    continue
                f = cover[base + v * width + u]
                distance = (u + 0.5 - x) ** 2 + (v + 0.5 - y) ** 2
                if f >= 0 and distance < best:
                    best, found = distance, f
        if found >= 0:
            return found
    return -1


@numba.njit(cache=True, nogil=True)
def walk(uv: np.ndarray, twin: np.ndarray, face: int, x: float, y: float) -> tuple[int, float, float]:
    """Walk from `face` towards (x, y): the face that holds it and weights, or the nearest point where the way ends."""
    came = -1
    for _ in range(MAX_WALK):
        ax, ay = uv[face, 0, 0], uv[face, 0, 1]
        bx, by = uv[face, 1, 0] - ax, uv[face, 1, 1] - ay
        cx, cy = uv[face, 2, 0] - ax, uv[face, 2, 1] - ay
        px, py = x - ax, y - ay
        area = bx * cy - by * cx
        if area == 0.0:
            return face, 1.0 / 3.0, 1.0 / 3.0
        wb = (px * cy - py * cx) / area
        wc = (bx * py - by * px) / area
        wa = 1.0 - wb - wc
        if wa >= -1e-9 and wb >= -1e-9 and wc >= -1e-9:
            return face, min(max(wb, 0.0), 1.0), min(max(wc, 0.0), 1.0)
        # Edge c -> c + 1 lies opposite corner c + 2: leave through the edge whose opposite weight is the most negative.
        best, exit_edge = -1e-9, -1
        for edge in range(3):
            weight = wc if edge == 0 else (wa if edge == 1 else wb)
            if weight < best and twin[3 * face + edge] >= 0 and 3 * face + edge != came:
                best, exit_edge = weight, edge
        if exit_edge < 0:
            return _nearest(face, ax, ay, bx, by, cx, cy, px, py)
        came = twin[3 * face + exit_edge]
        face = came // 3
    return face, 1.0 / 3.0, 1.0 / 3.0


@numba.njit(cache=True, nogil=True)
def _nearest(
    face: int, ax: float, ay: float, bx: float, by: float, cx: float, cy: float, px: float, py: float
) -> tuple[int, float, float]:
    """The weights of the point of a triangle (0, b, c) nearest to p outside it."""
    best, wb, wc = np.inf, 0.0, 0.0
    for edge in range(3):
        if edge == 0:
            x0, y0, x1, y1 = 0.0, 0.0, bx, by
        elif edge == 1:
            x0, y0, x1, y1 = bx, by, cx, cy
        else:
            x0, y0, x1, y1 = cx, cy, 0.0, 0.0
        dx, dy = x1 - x0, y1 - y0
        norm = dx * dx + dy * dy
        t = min(max(((px - x0) * dx + (py - y0) * dy) / norm, 0.0), 1.0) if norm > 0 else 0.0
        gap = (x0 + t * dx - px) ** 2 + (y0 + t * dy - py) ** 2
        if gap < best:
            best = gap
            if edge == 0:
                wb, wc = t, 0.0
            elif edge == 1:
                wb, wc = 1.0 - t, t
            else:
                wb, wc = 0.0, 1.0 - t
    return face, wb, wc
