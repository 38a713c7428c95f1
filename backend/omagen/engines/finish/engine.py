"""The engine `finish`: any mesh, cleaned, simplified, unwrapped, textured and with levels of detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.protocol import Choice, EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Request

if TYPE_CHECKING:
    from omagen.shapes import LodChain, Mesh

PARAMETERS = (
    Parameter(
        "faces", ParameterKind.INT, "Faces", 50_000, minimum=0, maximum=5_000_000,
        description="Most faces of the result; 0 keeps as many as there are. Closed surfaces stay closed.",
    ),
    Parameter(
        "texture", ParameterKind.INT, "Texture size", 2048, minimum=64, maximum=8192,
        description="Pixels a side of the textures.",
    ),
    Parameter(
        "unwrap", ParameterKind.CHOICE, "UVs", "auto",
        choices=(
            Choice("auto", "Automatic", "Keeps the UVs where they are a sound layout, else makes new ones"),
            Choice("keep", "Keep", "Keeps the UVs whatever they are, and with them every face of the mesh"),
            Choice("unwrap", "Unwrap", "Makes new UVs"),
        ),
        description="What becomes of the UVs.",
    ),
    Parameter(
        "lods", ParameterKind.INT, "Levels of detail", 1, minimum=1, maximum=8,
        description="Each further level has half the faces, and its details as a normal map.",
    ),
    Parameter(
        "remesh", ParameterKind.CHOICE, "New surface", "none",
        choices=(
            Choice("none", "No", "Simplifies the surface that there is"),
            Choice("quads", "Quads", "Makes four-sided faces of even size; where that fails, triangles"),
        ),
        description="Whether the faces are made anew.", group="Shape",
    ),
    Parameter(
        "clean", ParameterKind.BOOL, "Clean", True, group="Shape",
        description="Joins vertices, drops broken faces, turns faces outward, splits edges of more than two faces.",
    ),
    Parameter(
        "smallest_part", ParameterKind.FLOAT, "Drop parts below", 0.002, minimum=0.0, maximum=1.0, group="Shape",
        description="Loose parts smaller than this share of the whole are dropped; 0 keeps all.",
    ),
    Parameter(
        "largest_hole", ParameterKind.FLOAT, "Close holes up to", 0.05, minimum=0.0, maximum=10.0, group="Shape",
        description="Holes whose border is at most this share of the object's size are closed; 0 closes none.",
    ),
    Parameter(
        "materials", ParameterKind.CHOICE, "Materials", "bake",
        choices=(
            Choice("bake", "Bake", "One material with textures that show all that the original is like"),
            Choice("keep", "Keep", "Materials and textures stay as they are"),
        ),
        description="What becomes of the materials.", group="Textures",
    ),
    Parameter(
        "occlusion", ParameterKind.BOOL, "Ambient occlusion", False, group="Textures",
        description="Also computes how much light reaches each place.",
    ),
)  # fmt: skip


class FinishEngine:
    """Runs `finish_mesh`, and `lod_chain` where more than one level is wanted."""

    needs_kernels = True

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="finish",
            title="Finish",
            description="Makes any mesh clean, light, UV-mapped and textured.",
            inputs=(
                InputSpec("mesh", InputKind.MESH, "A mesh file", "GLB, glTF with everything inside, OBJ, PLY or STL"),
            ),
            parameters=PARAMETERS,
            memory_mb=2000,
            uses_seed=False,
            works_on_selection=True,
        )

    def load(self, device: str) -> None:
        """Import the libraries; it computes on the CPU, whatever the device."""
        import omagen.finish.pipeline  # noqa: F401

    def run(
        self, request: Request, files: Mapping[str, Path], progress: RunProgress
    ) -> tuple[Mesh | LodChain, dict[str, Any]]:
        """The mesh or its levels; `finish` in the report says of each stage how it went."""
        from omagen.finish.finishing import finish_with_levels
        from omagen.finish.settings import FinishSettings
        from omagen.geometry.kept import kept
        from omagen.shapes import LodChain

        mesh = read_given_mesh(files["mesh"], progress)
        values = dict(request.parameters)
        with_occlusion = bool(values.pop("occlusion"))
        settings = FinishSettings(**values)  # type: ignore[arg-type]  # the parameters are the fields
        shape, report = finish_with_levels(mesh, settings, progress, with_occlusion=with_occlusion)
        delivered = shape.levels[0] if isinstance(shape, LodChain) else shape
        return replace(shape, name=request.name or mesh.name), report | {"kept": kept(mesh, delivered)}
