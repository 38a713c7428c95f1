"""The engine `mesh`: brings in a mesh file, checked and cleaned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.protocol import (
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
    from omagen.shapes import Mesh


class MeshEngine:
    """Reads GLB, glTF, OBJ, PLY or STL and repairs what can be repaired without changing the look."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="mesh",
            title="Mesh file",
            description="Brings in a mesh file, checked and cleaned",
            inputs=(
                InputSpec("mesh", InputKind.MESH, "A mesh file", "GLB, glTF with everything inside, OBJ, PLY or STL"),
            ),
            parameters=(
                Parameter(
                    id="weld",
                    kind=ParameterKind.BOOL,
                    title="Join vertices",
                    default=True,
                    description="Join vertices at exactly the same place. UVs, normals and materials stay as they are",
                ),
                Parameter(
                    id="drop_degenerate",
                    kind=ParameterKind.BOOL,
                    title="Drop broken faces",
                    default=True,
                    description="Drop faces without area and faces that are there twice",
                ),
            ),
            memory_mb=1000,
            uses_seed=False,
        )

    def load(self, device: str) -> None:
        """Nothing to load: it computes on the CPU, whatever the device."""

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Mesh:
        from omagen.geometry import cleaning

        mesh = read_given_mesh(files["mesh"], progress)
        progress("Cleaning", 0.6)
        if request.parameters["weld"]:
            mesh = cleaning.weld_vertices(mesh)
        if request.parameters["drop_degenerate"]:
            progress("Cleaning", 0.7)
            mesh = _told(mesh, cleaning.drop_degenerate_faces, "without area", progress)
            mesh = _told(mesh, cleaning.drop_duplicate_faces, "that were there twice", progress)
        progress("Cleaning", 0.9)
        mesh = cleaning.drop_unused_vertices(mesh)
        if len(mesh.faces) == 0:
            raise OmagenError(
                ErrorCode.GEOMETRY, "Nothing is left of the mesh after cleaning.", "Turn off dropping broken faces."
            )
        progress("Done", 1.0)
        return replace(mesh, name=request.name or mesh.name)


def _told(mesh: Mesh, clean: Callable[[Mesh], Mesh], which: str, progress: RunProgress) -> Mesh:
    """`clean(mesh)`, with a warning that counts the faces it dropped."""
    cleaned = clean(mesh)
    dropped = len(mesh.faces) - len(cleaned.faces)
    if dropped:
        progress.warn(f"{dropped:,} face{'s' if dropped > 1 else ''} {which} dropped.")
    return cleaned
