"""The engine `encode`: a mesh file to an omage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.protocol import Choice, EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Request

if TYPE_CHECKING:
    from omagen.shapes import Omage

PARAMETERS = (
    Parameter(
        "resolution", ParameterKind.INT, "Resolution", 1024, minimum=32, maximum=4096,
        description="Pixels a side of the omage. It is resolution of shape and of colour alike.",
    ),
    Parameter(
        "uv", ParameterKind.CHOICE, "UVs", "auto",
        choices=(
            Choice("auto", "Automatic", "Uses the mesh's UVs where they are a valid layout, else unwraps it"),
            Choice("keep", "Keep", "Uses the mesh's UVs; faces that overlap others are unwrapped"),
            Choice("unwrap", "Unwrap", "Unwraps the mesh anew"),
        ),
        description="How the mesh is laid out in the picture.",
    ),
)  # fmt: skip


class EncodeEngine:
    """Charts, packs and samples a mesh with all of its materials."""

    needs_kernels = True

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="encode",
            title="Encode as omage",
            description="Turns a mesh into pictures of its shape, normals and colours, to edit and to decode.",
            inputs=(
                InputSpec("mesh", InputKind.MESH, "A mesh file", "GLB, glTF with everything inside, OBJ, PLY or STL"),
            ),
            parameters=PARAMETERS,
            produces="omage",
            memory_mb=1000,
            uses_seed=False,
        )

    def load(self, device: str) -> None:
        """Import the libraries; it computes on the CPU, whatever the device."""
        import omagen.omage.encode  # noqa: F401

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> tuple[Omage, dict[str, Any]]:
        """The omage and the encoder's report. Raises `OmagenError` where the file holds no surface."""
        from omagen.omage.encode import encode_with_layout
        from omagen.omage.quality import fidelity

        mesh = read_given_mesh(files["mesh"], progress)
        values = request.parameters
        omage, report, layout = encode_with_layout(
            mesh,
            int(values["resolution"]),
            uv=values["uv"],  # type: ignore[arg-type]  # one of the choices
            progress=lambda stage, fraction: progress(stage, 0.1 + 0.8 * fraction),
        )
        progress("Measuring", 0.9)
        report |= fidelity(mesh, omage, layout.atlas)
        for lost, what in (("lost_components", "part"), ("lost_charts", "chart")):
            count = report.get(lost, 0)
            if count:
                progress.warn(
                    f"{count:,} {what}{'s' if count > 1 else ''} of the mesh too small for this resolution left out."
                )
                break
        return replace(omage, name=request.name or mesh.name), report
