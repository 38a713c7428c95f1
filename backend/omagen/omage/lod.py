"""Levels of detail: an omage at any other resolution, seams closed as before.

A level is what the encoder makes of the omage's own decoded surface, whose charts and texture coordinates are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from omagen.omage.atlas import Atlas
from omagen.omage.corners import corner_uv, smooth_normals, stored_normals
from omagen.omage.encode import check_resolution, sample_materials
from omagen.omage.fitting import fit
from omagen.omage.frame import restore_vertices, to_omage_frame
from omagen.omage.layout import lay_apart, lay_out
from omagen.omage.materials import material_of
from omagen.omage.patches import chart_labels
from omagen.omage.surface import sample_surface
from omagen.omage.triangulate import Surface, build_surface
from omagen.shapes import Mesh, Omage

MAPS: Final = ("normal", "albedo", "metalness", "roughness")
Progress = Callable[[str, float], None]


def resize(omage: Omage, resolution: int, progress: Progress = lambda stage, fraction: None) -> Omage:
    """`omage` at another resolution, 32 to 4096; its maps are filtered, its borders keep their place on the surface.

    Where the charts stay apart at the new resolution they stay where they are; otherwise they are packed anew. Raises
    `OmagenError`: input for the resolution, cancelled from `progress`.
    """
    check_resolution(resolution)
    if resolution == omage.resolution:
        return omage
    progress("Reading the surface", 0.0)
    labels = chart_labels(omage)
    surface = build_surface(labels, omage.position, omage.seam, omage.normal)
    atlas = _atlas_of(surface, labels, omage.seam)
    fitted = fit(atlas, lambda atlas: lay_out(atlas, resolution, keep=False, progress=progress), _as_positions)
    level = sample_materials(_mesh_of(surface, omage), fitted)
    missing = {name: None for name in MAPS if getattr(omage, name) is None}
    return replace(
        level,
        **missing,
        centre=omage.centre,
        scale=omage.scale,
        name=omage.name,
        alpha_mode=omage.alpha_mode,
        alpha_cutoff=omage.alpha_cutoff,
        double_sided=omage.double_sided,
    )


def lod_chain(omage: Omage, coarsest: int = 64) -> list[Omage]:
    """`omage` and its levels at half the resolution each, down to `coarsest`; every level is made from the first."""
    levels = [omage]
    while levels[-1].resolution // 2 >= coarsest:
        levels.append(resize(omage, levels[-1].resolution // 2))
    return levels


@dataclass(frozen=True)
class Level:
    """The shape of an omage at another resolution, over pixels of its own that know their place in the omage's maps."""

    surface: Surface
    labels: np.ndarray
    """(H, W) int32: charts, -1 for none"""
    position: np.ndarray
    """(H, W, 3) float32"""
    uv: np.ndarray
    """(H, W, 2) float32: where in the omage's maps each pixel is, v up"""
    normal: np.ndarray | None
    """(H, W, 3) float32, where the omage has normals"""


def level_of(omage: Omage, surface: Surface, labels: np.ndarray, seam: np.ndarray | None, resolution: int) -> Level:
    """`surface`, decoded from `omage` with its charts `labels` and `seam` numbers (R, R), as it would be
    at `resolution` pixels a side.

    The charts keep their place in the omage's maps, however close they are: the level is a shape, not a picture.
    """
    check_resolution(resolution)
    atlas = _atlas_of(surface, labels, seam)
    fitted = fit(atlas, lambda atlas: lay_apart(atlas, float(resolution)), _as_positions)
    row, column = fitted.pixels
    samples, size = fitted.samples, fitted.layout.size

    def plane(values: np.ndarray, fill: float = 0) -> np.ndarray:
        picture = np.full((*size, *values.shape[1:]), fill, values.dtype)
        picture[row, column] = values
        return picture

    mesh = _mesh_of(surface, omage)
    atlas = fitted.layout.atlas
    assert mesh.uv is not None
    corners = mesh.uv[atlas.source_face[samples.face]]
    uv = corners[:, 0] * (1 - samples.bary.sum(axis=1))[:, None]
    uv += corners[:, 1] * samples.bary[:, :1] + corners[:, 2] * samples.bary[:, 1:]
    normal = None
    if omage.normal is not None:
        bare = replace(mesh, materials=())
        normals = sample_surface(bare, atlas.source_face[samples.face], samples.bary).normal
        normal = plane(np.ascontiguousarray(to_omage_frame(normals)))
    new_labels, position = plane(samples.chart, -1), plane(fitted.position)
    shape = build_surface(new_labels, position, plane(samples.seam, -1), normal)
    return Level(shape, new_labels, position, plane(uv.astype(np.float32)), normal)


def _atlas_of(surface: Surface, labels: np.ndarray, seam: np.ndarray | None) -> Atlas:
    """The decoded surface as an atlas that is placed: its uv are its charts' places in the picture."""
    uv = _pixel_places(labels, seam)[surface.pixels % labels.size]
    is_inserted = surface.pixels >= labels.size
    if is_inserted.any():
        made = _pixel_places(labels, seam)[surface.inserted].mean(axis=1)
        uv[is_inserted] = made[surface.pixels[is_inserted] - labels.size]
    _, chart = np.unique(surface.face_labels(labels), return_inverse=True)
    chart = chart.astype(np.int32)
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    mirrored = np.bincount(chart, a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) < 0
    order = np.arange(len(surface.faces), dtype=np.int32)
    return Atlas(surface.vertices, surface.faces, order, uv, chart, placed=True, mirrored=mirrored)


def _pixel_places(labels: np.ndarray, seam: np.ndarray | None) -> np.ndarray:
    """(H * W, 2) float64: the centre of every pixel in a square of side 1.

    Neighbouring pixels of a chart that stand for the same point of a seam share one place, as they share one vertex.
    """
    height, width = labels.shape
    row, column = np.divmod(np.arange(labels.size), width)
    places = np.stack([(column + 0.5) / width, (row + 0.5) / height], axis=1)
    if seam is None:
        return places
    pairs = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, height - down), slice(max(-right, 0), width - max(right, 0)))
        there = (slice(down, height), slice(max(right, 0), width + min(right, 0)))
        same = (seam[here] >= 0) & (seam[here] == seam[there]) & (labels[here] == labels[there])
        i, j = np.nonzero(same)
        first = i * width + j + max(-right, 0)
        pairs.append(np.stack([first, first + down * width + right], axis=1))
    pair = np.concatenate(pairs)
    used, index = np.unique(pair, return_inverse=True)
    index = index.reshape(-1, 2)
    graph = coo_array((np.ones(len(pair), bool), (index[:, 0], index[:, 1])), shape=(len(used), len(used)))
    groups, group = connected_components(graph, directed=False)
    mean = np.zeros((groups, 2))
    np.add.at(mean, group, places[used])
    places[used] = (mean / np.bincount(group, minlength=groups)[:, None])[group]
    return places


def _mesh_of(surface: Surface, omage: Omage) -> Mesh:
    vertices = restore_vertices(surface.vertices, omage.centre, omage.scale)
    return Mesh(
        vertices=vertices,
        faces=surface.faces,
        uv=corner_uv(surface),
        normals=smooth_normals(vertices, surface.faces)
        if omage.normal is None
        else stored_normals(surface, omage.normal),
        materials=(material_of(omage),),
    )


def _as_positions(vertices: np.ndarray) -> np.ndarray:
    return vertices.astype(np.float64)
