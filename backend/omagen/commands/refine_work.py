"""What the worker process of `omagen refine` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.commands.conversions import digest
from omagen.commands.converting import Order
from omagen.commands.omage_work import write_mesh
from omagen.commands.workers import Reporter

if TYPE_CHECKING:
    from omagen.refine.targets import NormalSource
    from omagen.shapes import Mesh

SOURCES = ("normals", "detail", "omage", "views")


def refine_file(order: Order, report: Reporter) -> dict[str, Any]:
    """Read the mesh `order.source` and its source of normals, write `order.output`; returns digest, seconds, reports.

    Maps go beside the mesh: the displacement as *.displacement.png.
    """
    from omagen.engines.refine import diffusion
    from omagen.geometry.quality import quality_report
    from omagen.io.images import encode_png
    from omagen.io.meshes import read_mesh
    from omagen.refine.refining import deliver
    from omagen.refine.settings import RefineSettings
    from omagen.refine.source_choice import choose_source
    from omagen.shapes import DisplacedMesh

    begin, given = time.monotonic(), order.settings
    source_digest = digest(order.source)
    report("Reading the mesh", 0.0)
    mesh, warnings = read_mesh(order.source)
    for warning in warnings:
        report.warn(warning)
    files = {name: Path(given[name]).expanduser() for name in SOURCES if given[name]}
    begun, drawn = 0.05, {}
    if given["diffusion"] is None:
        mesh, source = choose_source(mesh, files, given["space"])
    else:
        begun = 0.8
        source, drawn = _drawn(mesh, given, lambda s, f: report(s, 0.05 + 0.75 * f))
        report.warn(diffusion.UNVERIFIED)
    names = ("strength", "vertices", "falloff", "remesh", "device")
    keep_larger = given["keep_larger"] or (diffusion.KEEP_LARGER if drawn else 0.0)
    settings = RefineSettings(
        rotations=given["iterations"], keep_larger=keep_larger, **{name: given[name] for name in names}
    )
    output = "maps" if given["maps"] else "geometry"
    shape, facts = deliver(
        mesh, source, settings, output, given["texture"], lambda s, f: report(s, begun + (0.95 - begun) * f)
    )
    if drawn:
        facts["diffusion"] = drawn
    report("Writing the mesh", 0.97)
    if isinstance(shape, DisplacedMesh):
        picture = order.output.with_suffix(".displacement.png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(encode_png(shape.pixels()))
        facts["displacement"] = picture.name
        shape = shape.mesh
    write_mesh(shape, order.output, {"request": dict(given)})
    seconds = round(time.monotonic() - begin, 3)
    return {"source": source_digest, "report": quality_report(shape) | {"refinement": facts}, "seconds": seconds}


def _drawn(mesh: Mesh, given: Mapping[str, Any], report: Callable[[str, float], None]) -> tuple[NormalSource, dict]:
    """Normals that an image model draws detail into, with the engine's own settings."""
    from omagen.engines.refine.diffusion import PARAMETERS, diffusion_source

    values = {parameter.id: parameter.default for parameter in PARAMETERS}
    reference = Path(given["reference"]).expanduser() if given["reference"] else None
    return diffusion_source(mesh, values, given["diffusion"], reference, given["seed"], given["device"], report)
