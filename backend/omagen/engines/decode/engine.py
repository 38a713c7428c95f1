"""The engine `decode`: an omage to a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omagen.engines.base import RunProgress
from omagen.protocol import (
    Choice,
    EngineInfo,
    ErrorCode,
    InputKind,
    InputSpec,
    OmagenError,
    Parameter,
    ParameterKind,
    Request,
)

if TYPE_CHECKING:
    from omagen.shapes import DecodedOmage, Mesh

MIN_RESOLUTION, MAX_RESOLUTION = 32, 4096
PARAMETERS = (
    Parameter(
        "resolution", ParameterKind.INT, "Resolution", 0, minimum=0, maximum=MAX_RESOLUTION,
        description="Of the mesh, 32 to 4096; 0 is the omage's own. The textures keep theirs.",
    ),
    Parameter(
        "parts", ParameterKind.CHOICE, "Parts", "whole",
        choices=(
            Choice("whole", "None", "One object"),
            Choice("groups", "Vertex groups", "A vertex group for each chart"),
            Choice("face_sets", "Face sets", "A face set for each chart, for sculpting"),
            Choice("objects", "Objects", "An object for each chart"),
        ),
        description="What becomes of the charts that the omage consists of.",
    ),
    Parameter(
        "close_seams", ParameterKind.BOOL, "Close seams", True, group="Repair",
        description="Joins borders that nearly meet, in omages that do not say which ones belong together.",
    ),
    Parameter(
        "fill_holes", ParameterKind.BOOL, "Fill holes", True, group="Repair",
        description="Closes small holes, in omages that do not say where their borders are.",
    ),
    Parameter(
        "remove_outliers", ParameterKind.BOOL, "Remove outliers", True, group="Repair",
        description="Drops specks and pixels far from their neighbours, in omages that do not say what is theirs.",
    ),
)  # fmt: skip


class DecodeEngine:
    """Triangulates an omage's charts, welds them and puts the omage's maps on them."""

    needs_kernels = True

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="decode",
            title="Decode omage",
            description="Turns an omage back into a mesh with UVs and materials, at any resolution.",
            inputs=(InputSpec("omage", InputKind.OMAGE, "An omage", "A file .omage, or .npz as published"),),
            parameters=PARAMETERS,
            memory_mb=1000,
            uses_seed=False,
        )

    def load(self, device: str) -> None:
        """Import the libraries; it computes on the CPU, whatever the device."""
        import omagen.omage.decode  # noqa: F401

    def run(
        self, request: Request, files: Mapping[str, Path], progress: RunProgress
    ) -> tuple[Mesh | DecodedOmage, dict[str, Any]]:
        """The mesh, and how the decoder arrived at it; with the omage where its file is not as Omagen writes it.

        Raises `OmagenError` where the omage holds no surface.
        """
        from omagen.omage.decode import decode
        from omagen.omage.files import read_omage
        from omagen.omage.npz import is_array_file
        from omagen.shapes import DecodedOmage

        values = request.parameters
        resolution = int(values["resolution"])
        if 0 < resolution < MIN_RESOLUTION:
            raise OmagenError(
                ErrorCode.INPUT,
                f"The resolution cannot be {resolution}.",
                f"Choose 0, the omage's own, or {MIN_RESOLUTION} to {MAX_RESOLUTION}.",
            )
        progress("Reading", 0.0)
        omage, warnings = read_omage(files["omage"])
        for warning in warnings:
            progress.warn(warning)
        progress("Decoding", 0.3)
        mesh, report = decode(
            omage,
            resolution=resolution,
            close_seams=_switch(values["close_seams"]),
            fill_holes=_switch(values["fill_holes"]),
            remove_outliers=_switch(values["remove_outliers"]),
        )
        if report["lost_charts"]:
            progress.warn(f"{report['lost_charts']:,} of the omage's charts are too small to hold a triangle.")
        progress("Done", 1.0)
        name = request.name or mesh.name
        mesh = replace(mesh, name=name)
        if not warnings and not is_array_file(files["omage"]):
            return mesh, {"decoding": report}
        return DecodedOmage(mesh, replace(omage, name=name)), {"decoding": report}


def _switch(value: object) -> bool | Literal["auto"]:
    return "auto" if value else False
