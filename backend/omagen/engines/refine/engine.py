"""The engine `refine`: a mesh's shape follows normals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.engines.refine import diffusion
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
    from omagen.shapes import DisplacedMesh, Mesh

INPUTS = (
    InputSpec("mesh", InputKind.MESH, "A mesh file", "GLB, glTF with everything inside, OBJ, PLY or STL"),
    InputSpec("normals", InputKind.IMAGE, "A normal map", "On the mesh's UVs; without any source its own", False),
    InputSpec("detail", InputKind.MESH, "A finer mesh", "In the same place", False),
    InputSpec("omage", InputKind.OMAGE, "An omage", "Its normals, in the same place", False),
    InputSpec(
        "view", InputKind.IMAGE, "An edited view", "A picture of its normals that was painted on", False, is_shown=False
    ),
    InputSpec("camera", InputKind.TEXT, "Its camera", "JSON as in geometry.camera_json", False, is_shown=False),
    *diffusion.INPUTS,
)
PARAMETERS = (
    Parameter(
        "strength", ParameterKind.FLOAT, "Strength", 1.0, minimum=0.0, maximum=2.0,
        description="0 changes nothing, 1 follows the normals, more exaggerates them.",
    ),
    Parameter(
        "vertices", ParameterKind.INT, "Subdivide up to", 0, minimum=0, maximum=1_000_000,
        description="Vertices: faces with finer normals than they can show are split; 0 splits none.",
    ),
    Parameter(
        "output", ParameterKind.CHOICE, "Result", "geometry",
        choices=(
            Choice("geometry", "Geometry", "Vertices move"),
            Choice("maps", "Maps", "The mesh stays; a normal map and a displacement map carry the shape"),
        ),
        description="What the refinement becomes.",
    ),
    Parameter(
        "space", ParameterKind.CHOICE, "Normal map", "tangent",
        choices=(
            Choice("tangent", "Tangent space", "Mostly blue; green is up (OpenGL)"),
            Choice("object", "Object space", "All colours, in the frame of the mesh file"),
        ),
        description="How the normal map is meant.", group="Source",
    ),
    Parameter(
        "keep_larger", ParameterKind.FLOAT, "Keep shapes above", 0.0, minimum=0.0, maximum=0.5, group="Shape",
        description="Share of the size: larger shapes stay as they are, for normals that only fine detail is right in; "
        "0 takes shapes of all sizes from the normals.",
    ),
    Parameter(
        "iterations", ParameterKind.INT, "Iterations", 2, minimum=1, maximum=10, group="Shape",
        description="Rounds of turning faces before vertices are moved along their normals.",
    ),
    Parameter(
        "falloff", ParameterKind.INT, "Soft border", 3, minimum=0, maximum=50, group="Shape",
        description="Rings of vertices over which the border of a region fades.",
    ),
    Parameter(
        "remesh", ParameterKind.BOOL, "New triangles", False, group="Shape",
        description="Makes the triangles anew on the way, for strong changes. UVs and textures are lost.",
    ),
    Parameter(
        "texture", ParameterKind.INT, "Map size", 2048, minimum=64, maximum=8192, group="Result",
        description="Pixels a side of the maps, where the result is maps.",
    ),
    *diffusion.PARAMETERS,
)  # fmt: skip


class RefineEngine:
    """Follows a normal map, a finer mesh, an omage or an edited view; else the mesh's own normal map."""

    needs_kernels = True

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="refine",
            title="Refine",
            description="Turns normals into shape: of a map, a finer mesh, an omage, a painted view, an image model.",
            inputs=INPUTS,
            parameters=PARAMETERS,
            memory_mb=1500,
            uses_seed=True,
            works_on_selection=True,
            uses_region=True,
        )

    def load(self, device: str) -> None:
        """Import the libraries."""
        import omagen.refine.refining  # noqa: F401

        self._device = device

    def run(
        self, request: Request, files: Mapping[str, Path], progress: RunProgress
    ) -> tuple[Mesh | DisplacedMesh, dict[str, Any]]:
        """The mesh and what became of it. Raises `OmagenError` where mesh or source cannot be used."""
        from omagen.geometry.kept import kept
        from omagen.refine.refining import deliver
        from omagen.refine.settings import RefineSettings
        from omagen.refine.source_choice import choose_source
        from omagen.shapes import Mesh

        mesh = read_given_mesh(files["mesh"], progress)
        values: Mapping[str, Any] = request.parameters
        given = {key: path for key, path in files.items() if key in ("normals", "detail", "omage", "view")}
        device = getattr(self, "_device", "cpu")
        begin, report = 0.1, {}
        if values["diffusion"]:
            if given:
                raise OmagenError(
                    ErrorCode.INPUT, "There are two sources of normals.", "Turn diffusion off, or give no other source."
                )
            begin = 0.8
            source, report = diffusion.diffusion_source(
                mesh, values, request.inputs.get("prompt", ""), files.get("reference"), request.seed,
                device, lambda stage, fraction: progress(stage, 0.05 + 0.75 * fraction),
            )  # fmt: skip
            progress.warn(diffusion.UNVERIFIED)
        else:
            mesh, source = choose_source(mesh, given, values["space"], request.inputs.get("camera", ""))
        settings = RefineSettings(
            strength=values["strength"],
            rotations=values["iterations"],
            keep_larger=values["keep_larger"] or (diffusion.KEEP_LARGER if values["diffusion"] else 0.0),
            vertices=values["vertices"],
            falloff=values["falloff"],
            remesh=values["remesh"],
            device=device if device.startswith("cuda") else "cpu",
        )
        mesh = replace(mesh, name=request.name or mesh.name)
        shape, facts = deliver(
            mesh, source, settings, values["output"], values["texture"],
            lambda stage, fraction: progress(stage, begin + (1 - begin) * fraction),
        )  # fmt: skip
        delivered = shape if isinstance(shape, Mesh) else shape.mesh
        enhancement = {"diffusion": report} if report else {}
        return shape, {"refinement": facts, "kept": kept(mesh, delivered)} | enhancement
