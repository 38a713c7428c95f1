"""Charts of a mesh laid out in the unit square for textures: no overlap, and room between them for small mip levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numba import njit

from omagen.geometry.sampling import face_areas
from omagen.geometry.uv_quality import uv_report
from omagen.kernels import cache
from omagen.omage.atlas import Atlas, make_atlas, uniform_density
from omagen.omage.packing import ChartMasks, Packing, TooManyCharts, pack
from omagen.shapes import Material, Mesh, Texture

cache.install()

GRIDS: Final = ((1024, 4), (2048, 2), (4096, 1))
"""Cells a side in which charts are packed, and cells between them: closer and finer where there are many charts"""
EXPECTED_FILL: Final = 0.6
LEAST_FILL: Final = 0.5
"""Of the square: where less is used, charts move closer"""
MOST_FLAW: Final = 0.01
"""Share of the surface that may overlap or have no room in UVs that are kept"""
MOST_STRETCH: Final = 4.0
"""Mean ratio of the largest to the smallest stretch of UVs that are kept"""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Unwrapped:
    uv: np.ndarray
    """(F, 3, 2) float32 in the unit square; zero for faces without any area"""
    report: dict[str, Any]


def uv_faults(mesh: Mesh) -> tuple[str, ...]:
    """Why the UVs of `mesh` are no layout for textures of each material, in words; empty where they are one."""
    if mesh.uv is None:
        return ("there are no UVs",)
    faults = []
    area = face_areas(mesh.vertices, mesh.faces)
    ab, ac = mesh.uv[:, 1] - mesh.uv[:, 0], mesh.uv[:, 2] - mesh.uv[:, 0]
    is_empty = ~(np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]) > 0)
    if (empty := float(area[is_empty].sum() / max(area.sum(), 1e-300))) > MOST_FLAW:
        faults.append(f"{empty:.0%} of the surface has no room in them")
    report = uv_report(mesh)
    if report["uv_overlap"] is None:
        faults.append("they leave the unit square")
    elif report["uv_overlap"] > MOST_FLAW:
        faults.append(f"{report['uv_overlap']:.0%} of them lie on top of others")
    if (report["stretch"] or 1.0) > MOST_STRETCH:
        faults.append(f"they are stretched {report['stretch']:.1f} times in the mean")
    return tuple(faults)


def unwrap(mesh: Mesh, size: int, progress: Progress, budget_s: float = 30.0) -> Unwrapped:
    """New UVs for textures of `size` x `size` pixels: charts of even density, apart by 1/256 of the square,
    which keeps them apart in mip levels down to 256 pixels; by less where there are many.

    Good charts that the mesh's UVs already have are kept as charts. Cutting takes about `budget_s` at most, then
    coarser charts have to do. Raises `OmagenError` (geometry) where no face has an area, cancelled from `progress`.
    """
    atlas = uniform_density(make_atlas(mesh, size, "auto", lambda stage, part: progress(stage, 0.8 * part), budget_s))
    low = np.full((atlas.charts, 2), np.inf)
    np.minimum.at(low, np.repeat(atlas.chart, 3), atlas.uv.reshape(-1, 2))
    local = atlas.uv - low[atlas.chart][:, None]
    extent = np.zeros((atlas.charts, 2))
    np.maximum.at(extent, np.repeat(atlas.chart, 3), local.reshape(-1, 2))
    placed, facts = _packed(atlas, local, extent, lambda stage, part: progress("Packing", 0.8 + 0.2 * part))
    uv = np.zeros((len(mesh.faces), 3, 2), np.float32)
    uv[atlas.source_face] = placed
    return Unwrapped(uv, {"charts": atlas.charts, "charting": atlas.report} | facts)


def _packed(
    atlas: Atlas, local: np.ndarray, extent: np.ndarray, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    ab, ac = local[:, 1] - local[:, 0], local[:, 2] - local[:, 0]
    area = float(np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum()) / 2
    best = None
    for cells, gutter in GRIDS:
        guess = float(np.sqrt(EXPECTED_FILL * cells**2 / max(area, 1e-300)))
        try:
            packing = pack(lambda scale: _masks(local, atlas.chart, extent, scale), cells, gutter, guess, progress)
        except TooManyCharts:
            continue
        fill = area * packing.scale**2 / cells**2
        if best is None or fill > best[0]:
            best = fill, packing, cells, gutter
        if fill >= LEAST_FILL or cells > GRIDS[0][0]:
            break
    if best is not None:
        _, packing, cells, gutter = best
        placed = _places(packing, local, atlas.chart) - gutter / 2  # half of the margin on each side of the square
        return placed / cells, {"packing": "charts", "margin": gutter / cells}
    side = int(np.ceil(np.sqrt(atlas.charts)))
    row, column = np.divmod(np.arange(atlas.charts), side)
    fit = 0.8 / np.maximum(extent.max(axis=1), 1e-300)
    corner = np.stack([column, row], axis=1) + 0.1
    return (local * fit[atlas.chart][:, None, None] + corner[atlas.chart][:, None]) / side, {
        "packing": "grid",
        "margin": 0.2 / side,
    }


def _masks(local: np.ndarray, chart: np.ndarray, extent: np.ndarray, scale: float) -> ChartMasks:
    """Bitmaps of all cells that the charts touch."""
    size = np.floor(extent * scale + 1e-9).astype(np.int64) + 1
    start = np.concatenate([[0], np.cumsum(size[:, 0] * size[:, 1])])
    bits = np.zeros(int(start[-1]), np.uint8)
    _touch(local, chart, scale, size, start, bits)
    return ChartMasks(bits, start, size[:, 1].astype(np.int32), size[:, 0].astype(np.int32))


@njit(cache=True, nogil=True)
def _touch(
    local: np.ndarray, chart: np.ndarray, scale: float, size: np.ndarray, start: np.ndarray, bits: np.ndarray
) -> None:
    """In every row of cells, those between the leftmost and the rightmost point of the triangle's part in that row."""
    for f in range(len(local)):
        c = chart[f]
        width, height = size[c, 0], size[c, 1]
        bottom = min(local[f, 0, 1], local[f, 1, 1], local[f, 2, 1]) * scale
        top = max(local[f, 0, 1], local[f, 1, 1], local[f, 2, 1]) * scale
        for row in range(max(int(bottom), 0), min(int(top), height - 1) + 1):
            left, right = np.inf, -np.inf
            for k in range(3):
                ax, ay = local[f, k, 0] * scale, local[f, k, 1] * scale
                bx, by = local[f, (k + 1) % 3, 0] * scale, local[f, (k + 1) % 3, 1] * scale
                if row <= ay <= row + 1:
                    left, right = min(left, ax), max(right, ax)
                for level in (row, row + 1):
                    if (ay < level) != (by < level):
                        x = ax + (level - ay) / (by - ay) * (bx - ax)
                        left, right = min(left, x), max(right, x)
            if left <= right:
                for column in range(max(int(left), 0), min(int(right), width - 1) + 1):
                    bits[start[c] + row * width + column] = 1


def _places(packing: Packing, local: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """(F, 3, 2) float64: where corners lie in the packed picture, in cells."""
    x, y = local[..., 0] * packing.scale, local[..., 1] * packing.scale
    turns = packing.turns[chart][:, None]
    height, width = packing.masks.height[chart][:, None], packing.masks.width[chart][:, None]
    for turn in range(1, 4):
        rows = height if turn % 2 else width
        x, y = np.where(turns >= turn, rows - y, x), np.where(turns >= turn, x, y)
    return np.stack([x + packing.column[chart][:, None], y + packing.row[chart][:, None]], axis=2)


def with_uv(mesh: Mesh, uv: np.ndarray) -> tuple[Mesh, bool]:
    """`mesh` on other UVs (F, 3, 2). Textures stay on the old ones, which become the second UVs; where there are second
    ones already, textures cannot stay, and are dropped: then the second value is False."""
    if mesh.uv is None or not any(_textures_of(material) for material in mesh.materials):
        return replace(mesh, uv=uv), True
    if mesh.second_uv is not None:
        return replace(without_textures(mesh), uv=uv, second_uv=None), False
    materials = tuple(
        replace(m, **{name: replace(texture, uv_set=1) for name, texture in _textures_of(m).items()})
        for m in mesh.materials
    )
    return replace(mesh, uv=uv, second_uv=mesh.uv, materials=materials), True


def without_textures(mesh: Mesh) -> Mesh:
    """`mesh` with what its materials say without their textures."""
    return replace(mesh, materials=tuple(replace(m, **dict.fromkeys(_textures_of(m))) for m in mesh.materials))


def _textures_of(material: Material) -> dict[str, Texture]:
    found = {field.name: getattr(material, field.name) for field in fields(material) if "texture" in field.name}
    return {name: texture for name, texture in found.items() if texture is not None}
