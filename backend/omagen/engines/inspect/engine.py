"""The engine `inspect`: how good a mesh is, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.protocol import EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Request


class InspectEngine:
    """Counts what a user should know of a mesh before using it: see `geometry.quality.quality_report`."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="inspect",
            title="Inspect",
            description="Looks for holes, bad edges, overlapping UVs and whatever else is wrong with a mesh.",
            inputs=(InputSpec("mesh", InputKind.MESH, "A mesh", "GLB, glTF with everything inside, OBJ, PLY or STL"),),
            parameters=(
                Parameter(
                    "weld", ParameterKind.BOOL, "Join vertices", True,
                    description="Counts vertices in one place as one: files often split them along UV seams.",
                ),
            ),
            produces="report",
            memory_mb=1000,
            uses_seed=False,
            works_on_selection=True,
        )  # fmt: skip

    def load(self, device: str) -> None:
        """Nothing to load: it computes on the CPU, whatever the device."""

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> tuple[None, dict[str, Any]]:
        from omagen.geometry.cleaning import join_places
        from omagen.geometry.quality import quality_report

        mesh = read_given_mesh(files["mesh"], progress)
        progress("Looking at the mesh", 0.3)
        return None, quality_report(join_places(mesh) if request.parameters["weld"] else mesh)
