"""Levels of detail: an omage at any other resolution, seams closed as before.

A level is what the encoder makes of the omage's own decoded surface, whose charts and texture coordinates are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from omagen.omage.atlas import Atlas
from omagen.omage.chart_places import corner_places
from omagen.omage.charts.stretch import double_areas
from omagen.omage.corners import corner_uv, smooth_normals, stored_normals
from omagen.omage.encode import check_resolution, sample_materials
from omagen.omage.fitting import fit
from omagen.omage.frame import restore_vertices, to_omage_frame
from omagen.omage.layout import counter_clockwise, draft_scale, lay_apart, lay_out
from omagen.omage.materials import material_of
from omagen.omage.patches import chart_labels
from omagen.omage.surface import sample_surface
from omagen.omage.triangulate import Surface, build_surface
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

APART: Final = 1.5
"""Pixels: charts with fewer from border to border at a level are not tried where they are."""
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
    return _Source(omage).at(resolution, lambda stage, fraction: progress(stage, 0.2 + 0.8 * fraction))


def lod_chain(omage: Omage, coarsest: int = 64, progress: Progress = lambda stage, fraction: None) -> list[Omage]:
    """`omage` and its levels at half the resolution each, down to `coarsest`; every level is made from the first."""
    check_resolution(coarsest)
    resolutions = []
    while (omage.resolution >> (len(resolutions) + 1)) >= coarsest:
        resolutions.append(omage.resolution >> (len(resolutions) + 1))
    if not resolutions:
        return [omage]
    progress("Reading the surface", 0.0)
    source, levels = _Source(omage), [omage]
    for resolution in resolutions:
        stage, begin = f"Level {resolution} x {resolution}", (len(levels) - 1) / len(resolutions)
        progress(stage, begin)
        levels.append(source.at(resolution, lambda _, part, at=begin, stage=stage: progress(stage, at)))
    progress("Done", 1.0)
    return levels


class _Source:
    """An omage's surface, ready to be drawn at other resolutions."""

    def __init__(self, omage: Omage) -> None:
        self._omage = omage
        self._labels = chart_labels(omage)
        surface = build_surface(self._labels, omage.position, omage.seam, omage.normal)
        if not len(surface.faces):
            raise OmagenError(
                ErrorCode.GEOMETRY,
                "The omage holds no surface: nowhere do three neighbouring pixels belong together.",
                "Choose an omage with occupied pixels.",
            )
        self._mesh = _mesh_of(surface, omage)
        self._atlas = _atlas_of(surface, self._labels, omage.seam)

    def at(self, resolution: int, progress: Progress) -> Omage:
        omage, atlas = self._omage, self._atlas
        if not _stay_apart(self._labels, resolution / omage.resolution):
            atlas = _loosened(atlas)
        fitted = fit(
            atlas,
            lambda atlas: lay_out(atlas, resolution, keep=False, progress=progress),
            _as_positions,
            scale_of=lambda atlas: draft_scale(atlas, resolution),
        )
        missing = {name: None for name in MAPS if getattr(omage, name) is None}
        return replace(
            sample_materials(self._mesh, fitted),
            **missing,
            centre=omage.centre,
            scale=omage.scale,
            name=omage.name,
            alpha_mode=omage.alpha_mode,
            alpha_cutoff=omage.alpha_cutoff,
            double_sided=omage.double_sided,
        )


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
    _, chart = np.unique(surface.face_labels(labels), return_inverse=True)
    chart = chart.astype(np.int32)
    uv, mirrored = corner_places(surface, labels, seam, chart)
    faces, order = surface.faces, np.arange(len(surface.faces), dtype=np.int32)
    flaps = _flaps(faces, uv, chart, mirrored)
    if len(flaps) and len(np.unique(rest := np.delete(chart, flaps))) == len(mirrored):
        faces, order, uv, chart = np.delete(faces, flaps, 0), np.delete(order, flaps), np.delete(uv, flaps, 0), rest
    return Atlas(surface.vertices, faces, order, uv, chart, placed=True, mirrored=mirrored)


def _flaps(faces: np.ndarray, uv: np.ndarray, chart: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Triangles (K,) that lie back to back with another of their chart: where a tip of it has become a line.

    No place in the picture suits both; without them the two sides of the line join.
    """
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    turned = np.where(mirrored[chart], -area, area) <= 0
    if not turned.any():
        return np.zeros(0, np.int64)
    suspect = np.zeros(int(faces.max()) + 1, bool)
    suspect[faces[turned]] = True
    near = np.flatnonzero(suspect[faces].all(axis=1))
    key = np.concatenate([np.sort(faces[near], axis=1), chart[near, None]], axis=1)
    _, group, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    return near[count[group.reshape(-1)] == 2]


def _stay_apart(labels: np.ndarray, scale: float) -> bool:
    """Whether charts are likely to stay apart where they are, with pixels `scale` times as many."""
    if scale >= 1:
        return True
    present = (labels >= 0).astype(np.uint8)
    least = np.where(labels >= 0, labels, np.iinfo(np.int32).max).astype(np.float64)
    reach = int(np.ceil(APART / scale)) - 1
    window = np.ones((2 * reach + 1,) * 2, np.uint8)
    most = cv2.dilate(labels.astype(np.float64), window, borderType=cv2.BORDER_REPLICATE)
    least = cv2.erode(least, window, borderType=cv2.BORDER_REPLICATE)
    return not (present.astype(bool) & (least != most)).any()


def _loosened(atlas: Atlas) -> Atlas:
    """`atlas` as one to be packed: not placed, of the size that it has in space, densities as they are."""
    loose = counter_clockwise(atlas)
    a, b = loose.uv[:, 1] - loose.uv[:, 0], loose.uv[:, 2] - loose.uv[:, 0]
    flat = float(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())
    area = float(double_areas(loose.vertices[loose.faces].astype(np.float64)).sum())
    return replace(loose, uv=loose.uv * np.sqrt(area / max(flat, 1e-300)))


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
