"""Mesh to omage: charts, layout, exact seams, and everything that the materials say, sampled pixel by pixel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from omagen.omage.atlas import Atlas, UvChoice, make_atlas, uniform_density
from omagen.omage.frame import normalise_vertices, to_omage_frame
from omagen.omage.layout import Layout, lay_out, split_charts
from omagen.omage.locate import Samples, locate_samples
from omagen.omage.quality import encode_report
from omagen.omage.raster_dilation import dilate
from omagen.omage.seams import SeamPixels, sample_seams, strained_charts
from omagen.omage.surface import sample_surface
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

SMALLEST: Final = 32
LARGEST: Final = 4096
ROUNDS: Final = 4
"""How often the layout may be made anew because charts turned out not to fit."""
DILATION: Final = 8
"""Pixels by which colours grow into the gutter."""

Progress = Callable[[str, float], None]


def encode(
    mesh: Mesh, resolution: int = 1024, uv: UvChoice = "auto", progress: Progress = lambda stage, fraction: None
) -> tuple[Omage, dict[str, Any]]:
    """`mesh` as an omage of `resolution` x `resolution` pixels, with a report in plain JSON.

    `uv`: `auto` uses the mesh's own UVs as far as they serve, `keep` insists on their layout, `unwrap` makes new ones.
    Border pixels lie exactly on the charts' borders, and both sides of a seam hold the same points, so that a closed
    mesh decodes to a closed one (`seam` of the omage says which pixels are one point). Alpha modes and cut-offs of
    several materials become the strictest of them. Report: see `quality.encode_report`, besides how the charts came
    about (`charting`), what was given up (`given_up`) and `seconds`. Raises `OmagenError`: input for a resolution
    outside 32 to 4096, geometry for a mesh without area or UVs that cannot be kept, cancelled from `progress`.
    """
    if not SMALLEST <= resolution <= LARGEST:
        raise OmagenError(
            ErrorCode.INPUT, f"An omage cannot have {resolution} pixels a side.", f"Choose {SMALLEST} to {LARGEST}."
        )
    begin = time.perf_counter()
    atlas = make_atlas(mesh, resolution, uv, lambda stage, fraction: progress(stage, 0.5 * fraction))
    layout, positions, centre, scale, seams, given_up = _fit(atlas, resolution, uv == "keep", progress)
    samples = locate_samples(layout.grids, seams, layout.boundary.twin, layout.atlas.chart)
    progress("Sampling the surface", 0.8)
    omage = _omage_of(mesh, layout, positions, seams, samples)
    omage = replace(omage, centre=centre, scale=scale, name=mesh.name)
    report = encode_report(omage, layout.atlas) | {
        "charting": atlas.report,
        "given_up": given_up | {"shrunk_seams": seams.merged},
        "uv": "kept" if layout.placed else "packed",
        "seconds": round(time.perf_counter() - begin, 3),
    }
    progress("Done", 1.0)
    return omage, report


def _fit(atlas: Atlas, resolution: int, keep: bool, progress: Progress):
    """Lay out and sample the seams; charts whose borders do not fit their pixels are halved and all is laid out again."""
    strained_before = 0
    for round_ in range(ROUNDS):
        layout, given_up = lay_out(
            atlas, resolution, keep=keep, progress=lambda stage, fraction: progress(stage, 0.5 + 0.2 * fraction)
        )
        progress("Sampling the seams", 0.7)
        positions, centre, scale = normalise_vertices(layout.atlas.vertices)
        seams = sample_seams(positions, layout.boundary, layout.grids)
        strained = strained_charts(layout.grids, seams)
        given_up["split_charts"] = given_up.get("split_charts", 0) + strained_before
        if keep or not strained.any() or round_ == ROUNDS - 1:
            return layout, positions, centre, scale, seams, given_up | {"strained_charts": int(strained.sum())}
        strained_before += int(strained.sum())
        atlas = split_charts(uniform_density(layout.atlas), layout.boundary.twin, strained)
    raise AssertionError("unreachable")


def _omage_of(mesh: Mesh, layout: Layout, positions: np.ndarray, seams: SeamPixels, samples: Samples) -> Omage:
    row, column = layout.pixel(samples.chart, samples.row, samples.column)
    occupancy = np.zeros((layout.resolution, layout.resolution), bool)
    occupancy[row, column] = True

    def plane(values: np.ndarray, fill: float = 0) -> np.ndarray:
        picture = np.full((layout.resolution, layout.resolution, *values.shape[1:]), fill, values.dtype)
        picture[row, column] = values
        return picture

    surface = sample_surface(mesh, layout.atlas.source_face[samples.face], samples.bary, _source_layout(mesh, layout))
    has_emission = bool(surface.emission.any())
    is_opaque = bool((surface.opacity >= 1).all())
    modes = [material.alpha_mode for material in mesh.materials]
    return Omage(
        position=plane(_positions(layout.atlas, positions, seams, samples)),
        occupancy=occupancy,
        normal=plane(np.ascontiguousarray(to_omage_frame(surface.normal))),
        albedo=dilate(plane(surface.albedo), occupancy, DILATION),
        metalness=dilate(plane(surface.metalness), occupancy, DILATION),
        roughness=dilate(plane(surface.roughness), occupancy, DILATION),
        opacity=None if is_opaque else dilate(plane(surface.opacity), occupancy, DILATION),
        emission=dilate(plane(surface.emission), occupancy, DILATION) if has_emission else None,
        chart=plane(samples.chart, -1),
        seam=plane(samples.seam, -1),
        alpha_mode="OPAQUE" if is_opaque else ("MASK" if "MASK" in modes else "BLEND"),
        alpha_cutoff=max((m.alpha_cutoff for m in mesh.materials if m.alpha_mode == "MASK"), default=0.5),
        double_sided=any(material.double_sided for material in mesh.materials),
    )


def _positions(atlas: Atlas, positions: np.ndarray, seams: SeamPixels, samples: Samples) -> np.ndarray:
    """(P, 3) float32: what each sample's point is; all pixels of one seam point get the very same numbers."""
    bary = samples.bary.astype(np.float64)
    corners = positions[atlas.faces[samples.face]]
    points = corners[:, 0] * (1 - bary.sum(axis=1))[:, None]
    points += corners[:, 1] * bary[:, :1] + corners[:, 2] * bary[:, 1:]
    on_seam = samples.seam >= 0
    points[on_seam] = seams.points[samples.seam[on_seam]]
    return points.astype(np.float32)


def _source_layout(mesh: Mesh, layout: Layout) -> np.ndarray:
    """(F, 3, 2) float64: where the corners of the mesh's own faces lie, in pixels of their grid; NaN for dropped faces."""
    places = np.full((len(mesh.faces), 3, 2), np.nan)
    places[layout.atlas.source_face] = layout.grids.uv
    return places
