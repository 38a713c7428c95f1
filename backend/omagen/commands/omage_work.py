"""What the worker processes of `omagen encode` and `omagen decode` do with one file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np

from omagen import __version__
from omagen.commands.conversions import digest
from omagen.commands.converting import Order
from omagen.commands.workers import Reporter
from omagen.omage_layout import part_start
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage

_SWITCHES: Final = {"auto": "auto", "yes": True, "no": False}


def encode_file(order: Order, report: Reporter) -> dict[str, Any]:
    """Read the mesh `order.source`, write the omage `order.output`; returns digest, seconds and reports."""
    from omagen.io.meshes import read_mesh
    from omagen.omage.files import write_omage

    begin = time.monotonic()
    source_digest = digest(order.source)
    report("Reading the mesh", 0.0)
    mesh, warnings = read_mesh(order.source)
    for warning in warnings:
        report.warn(warning)
    omage, facts, seams = _encoded(mesh, order, report)
    report("Writing the omage", 0.9)
    write_omage(omage, order.output)
    result = {"source": source_digest, "report": facts, "seconds": round(time.monotonic() - begin, 3)}
    if order.settings["measure"]:
        report("Measuring the round trip", 0.95)
        result["measured"] = _measured(mesh, omage, order.output, seams)
    return result


def decode_file(order: Order, report: Reporter) -> dict[str, Any]:
    """Read the omage `order.source`, write the mesh `order.output`; returns digest, seconds and reports."""
    from omagen.geometry.quality import quality_report
    from omagen.omage.files import read_omage

    begin = time.monotonic()
    source_digest = digest(order.source)
    report("Reading the omage", 0.0)
    omage, warnings = read_omage(order.source)
    for warning in warnings:
        report.warn(warning)
    report("Decoding", 0.2)
    mesh, facts = _decoded(omage, order)
    report("Writing the mesh", 0.7)
    write_mesh(mesh, order.output, {"request": dict(order.settings)})
    seconds = round(time.monotonic() - begin, 3)
    return {"source": source_digest, "report": quality_report(mesh) | facts, "seconds": seconds}


def write_mesh(mesh: Mesh, output: Path, provenance: dict[str, Any]) -> None:
    """Write a GLB, whole or not at all. Raises `OmagenError` (environment) where that is not possible."""
    from omagen.io.glb_writer import write_glb

    part = output.with_name(f"{part_start(output.name)}-{uuid4().hex}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_glb(mesh, part, {"version": __version__, **provenance})
        part.replace(output)
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"{output} cannot be written: {error.strerror or error}.",
            "Free some space or choose another folder.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _encoded(mesh: Mesh, order: Order, report: Reporter) -> tuple[Omage, dict[str, Any], np.ndarray | None]:
    """The omage, the encoder's report, and points on the seams to measure at."""
    resolution = order.settings["resolution"]
    if order.settings["reference"]:
        from omagen.omage.published import encode_as_published
        from omagen.omage.quality import layout_report

        report("Sampling as published", 0.2)
        omage, counts = encode_as_published(mesh, resolution)
        return omage, layout_report(omage) | counts, None
    from omagen.omage.encode import encode_with_layout
    from omagen.omage.quality import seam_midpoints

    omage, facts, layout = encode_with_layout(
        mesh, resolution, order.settings["uv"], lambda stage, part: report(stage, 0.9 * part)
    )
    return omage, facts, seam_midpoints(layout.atlas)


def _measured(mesh: Mesh, omage: Omage, written: Path, seams: np.ndarray | None) -> dict[str, Any]:
    """The round trip through the written files, 16-bit and 8-bit as they are."""
    from omagen.omage.decode import decode
    from omagen.omage.files import read_omage
    from omagen.omage.quality import roundtrip_quality

    found, _ = read_omage(written)
    found = replace(found, centre=omage.centre, scale=omage.scale)  # which an array file does not hold
    decoded, _ = decode(found)
    return roundtrip_quality(mesh, found, decoded, seam_points=seams)


def _decoded(omage: Omage, order: Order) -> tuple[Mesh, dict[str, Any]]:
    from omagen.omage.decode import decode
    from omagen.omage.published import decode_as_published

    settings = order.settings
    if settings["reference"]:
        return decode_as_published(omage)
    switches = {name: _SWITCHES[settings[name]] for name in ("close_seams", "fill_holes", "remove_outliers")}
    return decode(omage, resolution=settings["resolution"], **switches)
