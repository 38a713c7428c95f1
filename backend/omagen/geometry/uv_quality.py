"""How good the UVs of a mesh are: overlap, stretch, how much of the texture they use and how evenly."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from omagen.omage.charts.coverage import cover
from omagen.omage.charts.stretch import anisotropy, double_areas
from omagen.shapes import Material, Mesh

GRID: Final = 1024
"""Cells a side in which coverage is counted"""
NOTHING: Final = {
    "uv_overlap": None,
    "stretch": None,
    "fill": None,
    "texel_density": None,
    "texture_coverage": 0.0,
}


def uv_report(mesh: Mesh) -> dict[str, Any]:
    """Plain JSON; all but the last None without UVs.

    uv_overlap: share of the covered cells of a 1024 x 1024 grid over the unit square that are covered twice or more, by
    faces of one material; None where UVs leave the square, as tiling ones do. fill: share of the grid that is covered,
    the mean of the materials. stretch: mean ratio of the largest to the smallest stretch by area, 1 = none (faces
    without area in UVs are left out). texel_density: mean, texels of the largest base colour or normal texture per
    metre, or UV units where there is none; spread, the standard deviation of its log2 over the surface.
    texture_coverage: share of the surface, by area, whose material has a texture.
    """
    report: dict[str, Any] = dict(NOTHING)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = double_areas(corners)
    total = float(area.sum())
    materials = mesh.materials or (Material(),)
    index = np.zeros(len(mesh.faces), np.int32) if mesh.material_index is None else mesh.material_index
    has_texture = np.array([_side(material) > 0 for material in materials])
    if total > 0 and mesh.uv is not None:
        report["texture_coverage"] = round(float(area[has_texture[index]].sum() / total), 6)
    if mesh.uv is None or not total > 0:
        return report
    uv = np.nan_to_num(mesh.uv.astype(np.float64))
    report |= _coverage(uv, index)
    ratio = anisotropy(corners, uv)
    is_flat = np.isfinite(ratio) & (area > 0)
    if is_flat.any():
        weight = area[is_flat]
        report["stretch"] = round(float(np.average(ratio[is_flat], weights=weight)), 4)
        ab, ac = uv[is_flat, 1] - uv[is_flat, 0], uv[is_flat, 2] - uv[is_flat, 0]
        flat = np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
        sides = np.maximum(np.array([_side(material) for material in materials], float), 1.0)[index[is_flat]]
        level = np.log2(sides * np.sqrt(flat / weight))
        mean = float(np.average(level, weights=weight))
        spread = float(np.sqrt(np.average((level - mean) ** 2, weights=weight)))
        report["texel_density"] = {"mean": round(2.0**mean, 4), "spread": round(spread, 4)}
    return report


def _coverage(uv: np.ndarray, index: np.ndarray) -> dict[str, Any]:
    used = np.unique(index)
    covered = doubled = 0
    for material in used:
        seen = np.full((GRID, GRID), -1, np.int32)
        twice = np.zeros(seen.shape, bool)
        chosen = uv if len(used) == 1 else uv[index == material]
        cover(np.clip(chosen, -1, 2) * GRID, np.zeros(len(chosen), np.int32), seen, twice)
        covered += int((seen >= 0).sum())
        doubled += int(twice.sum())
    is_inside = uv.min() >= -1e-4 and uv.max() <= 1 + 1e-4
    overlap = round(doubled / max(covered, 1), 6) if is_inside else None
    return {"uv_overlap": overlap, "fill": round(covered / (GRID * GRID * len(used)), 4)}


def _side(material: Material) -> int:
    """Of the larger texture, in texels; 0 without one."""
    textures = (material.base_color_texture, material.normal_texture)
    return max((max(t.pixels.shape[:2]) for t in textures if t is not None), default=0)
