"""Mesh to omage: charts, layout, exact seams, and everything that the materials say, sampled pixel by pixel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np

from omagen.omage.adapting import with_room_for_shape
from omagen.omage.atlas import Atlas, UvChoice, make_atlas
from omagen.omage.cores import in_parts
from omagen.omage.fitting import Fitted, fit
from omagen.omage.frame import normalise_vertices, to_omage_frame
from omagen.omage.layout import Layout, draft_scale, lay_out
from omagen.omage.opacity import opacity_in_mode
from omagen.omage.quality import encode_report
from omagen.omage.raster_dilation import dilate_all
from omagen.omage.surface import PART, blank_samples, sample_surface
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

SMALLEST: Final = 32
LARGEST: Final = 4096
DILATION: Final = 8
"""Pixels by which colours grow into the gutter."""

AlphaMode = Literal["OPAQUE", "MASK", "BLEND"]
Progress = Callable[[str, float], None]


def encode(
    mesh: Mesh, resolution: int = 1024, uv: UvChoice = "auto", progress: Progress = lambda stage, fraction: None
) -> tuple[Omage, dict[str, Any]]:
    """`mesh` as an omage of `resolution` x `resolution` pixels, with a report in plain JSON.

    `uv`: `auto` uses the mesh's own UVs as far as they serve, `keep` insists on their layout, `unwrap` makes new ones.
    Border pixels lie exactly on the charts' borders, and both sides of a seam hold the same points, so that a closed
    mesh decodes to a closed one (`seam` of the omage says which pixels are one point). One alpha mode serves all
    materials. Report: see `quality.encode_report`, besides how the charts came
    about (`charting`), what was given up (`given_up`) and `seconds`. Raises `OmagenError`: input for a resolution
    outside 32 to 4096, geometry for a mesh without area or UVs that cannot be kept, cancelled from `progress`.
    """
    omage, report, _ = encode_with_layout(mesh, resolution, uv, progress)
    return omage, report


def encode_with_layout(
    mesh: Mesh, resolution: int, uv: UvChoice = "auto", progress: Progress = lambda stage, fraction: None
) -> tuple[Omage, dict[str, Any], Layout]:
    """What `encode` returns, and where its charts lie: by that the round trip can be measured along the seams."""
    check_resolution(resolution)
    begin = time.perf_counter()
    atlas = make_atlas(mesh, resolution, uv, lambda stage, fraction: progress(stage, 0.5 * fraction))
    frame: list[tuple[tuple[float, float, float], float]] = []

    def positions_of(vertices: np.ndarray) -> np.ndarray:
        positions, centre, scale = normalise_vertices(vertices)
        frame[:] = [(centre, scale)]
        return positions

    def lay(atlas: Atlas) -> tuple[Layout, dict[str, int]]:
        return lay_out(atlas, resolution, keep=uv == "keep", progress=lambda s, part: progress(s, 0.5 + 0.2 * part))

    roomy = with_room_for_shape(atlas, resolution)
    fitted = fit(
        roomy, lay, positions_of, scale_of=lambda atlas: draft_scale(atlas, resolution), may_change=uv != "keep"
    )
    progress("Sampling the surface", 0.8)
    layout = fitted.layout
    ((centre, scale),) = frame
    omage = replace(sample_materials(mesh, fitted), centre=centre, scale=scale, name=mesh.name)
    report = encode_report(omage, layout.atlas, atlas) | {
        "charting": atlas.report,
        "given_up": fitted.given_up,
        "uv": "kept" if layout.placed else "packed",
        "seconds": round(time.perf_counter() - begin, 3),
    }
    progress("Done", 1.0)
    return omage, report, layout


def check_resolution(resolution: int) -> None:
    """Raises `OmagenError` (input) unless it is 32 to 4096."""
    if not SMALLEST <= resolution <= LARGEST:
        raise OmagenError(
            ErrorCode.INPUT, f"An omage cannot have {resolution} pixels a side.", f"Choose {SMALLEST} to {LARGEST}."
        )


def sample_materials(mesh: Mesh, fitted: Fitted) -> Omage:
    """The omage of `mesh` drawn as `fitted`, which lies in a square: what its materials say at every sample."""
    layout, samples = fitted.layout, fitted.samples
    row, column = fitted.pixels
    pixel = row.astype(np.int32) * layout.size[1] + column.astype(np.int32)

    def plane(values: np.ndarray, fill: float = 0) -> np.ndarray:
        shape = (layout.size[0] * layout.size[1], *values.shape[1:])
        picture = np.zeros(shape, values.dtype) if fill == 0 else np.full(shape, fill, values.dtype)
        in_parts(len(pixel), PART, lambda part: picture.__setitem__(pixel[part], values[part]))
        return square(picture)

    def square(pixels: np.ndarray) -> np.ndarray:
        return pixels.reshape(*layout.size, *pixels.shape[1:])

    face = layout.atlas.source_face[samples.face]
    blank = blank_samples(layout.size[0] * layout.size[1])
    surface = sample_surface(mesh, face, samples.bary, _source_layout(mesh, layout), (blank, pixel))
    opacity, alpha_mode = _opacity(mesh, face, surface.opacity[pixel])
    maps: dict[str, Any] = {name: square(getattr(surface, name)) for name in ("albedo", "metalness", "roughness")}
    if alpha_mode != "OPAQUE":
        maps["opacity"] = plane(opacity)
    if surface.emission.any():
        maps["emission"] = square(surface.emission)
    occupancy = plane(np.ones(len(pixel), bool))
    dilate_all(list(maps.values()), occupancy, DILATION)
    return Omage(
        position=plane(fitted.position),
        occupancy=occupancy,
        normal=to_omage_frame(square(surface.normal)),
        **maps,
        chart=plane(samples.chart, -1),
        seam=plane(samples.seam, -1),
        alpha_mode=alpha_mode,
        double_sided=any(material.double_sided for material in mesh.materials),
    )


def _opacity(mesh: Mesh, face: np.ndarray, opacity: np.ndarray) -> tuple[np.ndarray, AlphaMode]:
    """`opacity` (P,) of samples on `face` (P,), made to fit one material for all, and that material's alpha mode.

    Where only masks occur their cut-offs all move to 0.5; where anything blends, masks become opaque or clear.
    """
    if (opacity >= 1).all():
        return opacity, "OPAQUE"
    masked = np.array([material.alpha_mode == "MASK" for material in mesh.materials])
    index = np.zeros(len(face), np.int32) if mesh.material_index is None else mesh.material_index[face]
    mode: AlphaMode = "BLEND" if (opacity[~masked[index]] < 1).any() else "MASK"
    return opacity_in_mode(mesh, face, opacity, mode), mode


def _source_layout(mesh: Mesh, layout: Layout) -> np.ndarray:
    """(F, 3, 2) float64: where the corners of the mesh's faces lie, in pixels of their grid; NaN for dropped ones."""
    places = np.full((len(mesh.faces), 3, 2), np.nan)
    places[layout.atlas.source_face] = layout.grids.uv
    return places
