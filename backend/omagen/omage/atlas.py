"""A mesh cut into charts and flattened: what the encoder packs and samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from omagen.omage.charts.charting import Charting, repaired
from omagen.omage.charts.improving import evened, improved
from omagen.omage.charts.merging import budget_of, merged
from omagen.omage.charts.preparation import Surface, as_surface, prepare
from omagen.omage.charts.reuse import GivenUv, given_uv, laid_out
from omagen.omage.charts.stretch import anisotropy
from omagen.omage.charts.uniting import united
from omagen.omage.charts.unwrapping import unwrap
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh

UvChoice = Literal["auto", "keep", "unwrap"]
Progress = Callable[[str, float], None]
CUTTING_SHARE: Final = 0.5
"""Of the time budget, for cutting charts; checks and repairs follow, joining takes what is left."""
LEAST_KEPT: Final = 0.7
"""Where less of the surface has usable UVs, all of it is cut anew."""


@dataclass(frozen=True)
class Atlas:
    """Charts of a mesh, each flattened without overlap, and how they came about.

    Within a chart, faces are joined over edges on both sides of which the uv are the same numbers. Edges with three
    faces or more, or whose faces disagree about their winding, are never inside a chart. Charts are discs or discs
    with holes; every triangle has a positive area in uv and no two of a chart overlap.
    """

    vertices: np.ndarray
    """(V, 3) float32, welded: no two are equal; the frame of the mesh"""
    faces: np.ndarray
    """(F, 3) int32 into `vertices`; corners in the order of the source face"""
    source_face: np.ndarray
    """(F,) int32: the face of the mesh that each came from"""
    uv: np.ndarray
    """(F, 3, 2) float64, v up. Placed: in the unit square. Else in metres, every chart for itself with its lower left
    corner at the origin, and of the area that it has in space"""
    chart: np.ndarray
    """(F,) int32, 0..C-1"""
    placed: bool
    """The uv are a whole layout, to be used as it is."""
    mirrored: np.ndarray
    """(C,) bool: charts whose triangles run clockwise in uv. Only in placed atlases"""
    least: np.ndarray | None = None
    """(C, 2) float64: pixels that each chart, once packed, must measure at least along u and v; None: one"""
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def charts(self) -> int:
        return len(self.mirrored)


def make_atlas(
    mesh: Mesh,
    resolution: int,
    uv: UvChoice = "auto",
    progress: Progress = lambda stage, fraction: None,
    budget_s: float = 30.0,
) -> Atlas:
    """Cut and flatten `mesh` for an omage of `resolution` pixels across.

    `auto` uses the mesh's own UVs where they are good, `keep` insists on them, `unwrap` ignores them. `progress` is
    called often and may raise to cancel. Raises `OmagenError` (geometry) where no face has an area or, with `keep`,
    where the UVs are not a layout without overlap.
    """
    begin = time.monotonic()
    progress("Preparing the surface", 0.0)
    surface = prepare(mesh)
    given = None
    if uv == "keep" and mesh.uv is None:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no UVs to keep.", "Choose automatic UVs.")
    if uv != "unwrap" and mesh.uv is not None:
        progress("Checking the UVs", 0.1)
        given = given_uv(surface, mesh.uv[surface.source_face], resolution, uv == "keep")
        if uv == "keep" and given.layout_faults:
            faults = "; ".join(given.layout_faults)
            raise OmagenError(ErrorCode.GEOMETRY, f"The UVs cannot be kept: {faults}.", "Choose automatic UVs.")
        if uv == "keep" or (given.is_roomy and given.even.all()):
            return _placed(surface, given, time.monotonic() - begin)
    progress("Cutting charts", 0.2)
    found, surface, method = _charts(surface, given, CUTTING_SHARE * budget_s, progress)
    found = improved(surface, replace(found, uv=evened(surface.corners(), found.uv, found.chart, found.charts)))
    cut = found.charts
    budget = budget_of(resolution, float(surface.double_area.sum()) / 2)
    found = united(surface, found, budget, begin + budget_s, progress)
    found = merged(surface, found, budget, begin + budget_s, progress)
    report = {"uv": method, "charts_cut": cut, "seconds": time.monotonic() - begin}
    return _described(_at_even_density(surface, found), surface, report)


def uniform_density(atlas: Atlas) -> Atlas:
    """`atlas` as one that is not placed: every chart at the density of all others, counter-clockwise."""
    if not atlas.placed:
        return atlas
    uv = atlas.uv.copy()
    uv[atlas.mirrored[atlas.chart], :, 0] *= -1
    corners = atlas.vertices[atlas.faces].astype(np.float64)
    uv = evened(corners, uv, atlas.chart, atlas.charts)
    return replace(atlas, uv=uv, placed=False, mirrored=np.zeros(atlas.charts, bool))


def _charts(
    surface: Surface, given: GivenUv | None, patience_s: float, progress: Progress
) -> tuple[Charting, Surface, str]:
    """Valid charts, the surface without faces that could not get any area, and where the charts come from."""
    is_new = np.ones(len(surface.faces), bool)
    method = "unwrapped"
    if given is not None and given.usable_share >= LEAST_KEPT:
        is_new = ~given.usable[given.found.chart]
    if given is None or is_new.all():
        label, uv = unwrap(surface, patience_s, progress)
    else:
        method = "partly kept" if is_new.any() else "kept"
        label, uv = given.found.chart.copy(), given.unstretched.copy()
        if is_new.any():
            part = as_surface(surface.vertices, surface.faces[is_new], surface.source_face[is_new], {})
            part_label, uv[is_new] = unwrap(part, patience_s, progress)
            label[is_new] = part_label + given.found.charts + 1
    found, is_lost = repaired(surface, label, uv)
    while is_lost.any():
        if is_lost.all():
            raise OmagenError(
                ErrorCode.GEOMETRY, "The mesh has no faces with an area.", "Check the mesh and try again."
            )
        lost = surface.dropped.get("no area", 0) + int(is_lost.sum())
        dropped = surface.dropped | {"no area": lost}
        surface = as_surface(surface.vertices, surface.faces[~is_lost], surface.source_face[~is_lost], dropped)
        found, is_lost = repaired(surface, found.chart[~is_lost], found.uv[~is_lost])
    return found, surface, method


def _placed(surface: Surface, given: GivenUv, seconds: float) -> Atlas:
    found = given.found
    uv = laid_out(found, given.mirrored)
    atlas = Atlas(surface.vertices, surface.faces, surface.source_face, uv, found.chart, True, given.mirrored)
    return _described(atlas, surface, {"uv": "placed", "seconds": seconds})


def _at_even_density(surface: Surface, found: Charting) -> Atlas:
    uv = evened(surface.corners(), found.uv, found.chart, found.charts)
    mirrored = np.zeros(found.charts, bool)
    return Atlas(surface.vertices, surface.faces, surface.source_face, uv, found.chart, False, mirrored)


def _described(atlas: Atlas, surface: Surface, report: dict[str, Any]) -> Atlas:
    corners = surface.corners()
    area = surface.double_area
    ratio = anisotropy(corners, atlas.uv)
    is_real = (area > 0) & np.isfinite(ratio)
    mean = float(np.average(ratio[is_real], weights=area[is_real])) if is_real.any() else 1.0
    numbers = {"charts": atlas.charts, "components": surface.components, "anisotropy": mean}
    return replace(atlas, report=report | numbers | {"dropped_faces": surface.dropped})
