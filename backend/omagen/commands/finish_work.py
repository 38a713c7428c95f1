"""What the worker processes of `omagen finish` do with one file."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from omagen.commands.conversions import digest
from omagen.commands.converting import Order
from omagen.commands.omage_work import write_mesh
from omagen.commands.workers import Reporter


def finish_file(order: Order, report: Reporter) -> dict[str, Any]:
    """Read the mesh `order.source`, write `order.output` and its levels beside it; returns digest, seconds, reports.

    The finest level is written last: when it is there, all are.
    """
    from omagen.finish.finishing import finish_with_levels
    from omagen.finish.settings import FinishSettings
    from omagen.geometry.quality import quality_report
    from omagen.io.meshes import read_mesh
    from omagen.shapes import LodChain

    begin = time.monotonic()
    source_digest = digest(order.source)
    report("Reading the mesh", 0.0)
    mesh, warnings = read_mesh(order.source)
    for warning in warnings:
        report.warn(warning)
    settings = FinishSettings.from_json(dict(order.settings))
    shape, facts = finish_with_levels(mesh, settings, report)
    report("Writing the mesh", 0.95)
    levels = shape.levels if isinstance(shape, LodChain) else (shape,)
    provenance = {"request": dict(order.settings)}
    for number, level in reversed(list(enumerate(levels))):
        output = order.output if number == 0 else order.output.with_stem(f"{order.output.stem}_lod{number}")
        named = level if number == 0 else replace(level, name=f"{level.name} LOD{number}")
        write_mesh(named, output, provenance)
    quality = quality_report(levels[0]) | {"level_triangles": [len(level.faces) for level in levels]}
    return {"source": source_digest, "report": quality | facts, "seconds": round(time.monotonic() - begin, 3)}
