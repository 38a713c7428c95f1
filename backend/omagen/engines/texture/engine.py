"""The engine `texture`: pictures of an object onto a mesh of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.engines.base import RunProgress
from omagen.engines.reading import read_given_mesh
from omagen.protocol import Choice, EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Request

if TYPE_CHECKING:
    from omagen.shapes import Mesh

SIDES = ("front", "right", "back", "left", "top", "bottom")
PARAMETERS = (
    Parameter(
        "texture", ParameterKind.INT, "Texture size", 2048, minimum=64, maximum=8192,
        description="Pixels a side of the base colour.",
    ),
    Parameter(
        "unseen", ParameterKind.CHOICE, "Unseen parts", "fill",
        choices=(
            Choice("fill", "Continue", "Continues the colours around them along the surface"),
            Choice("mirror", "Mirror", "Shows the pictures on the opposite side too, mirrored, and continues the rest"),
            Choice("keep", "Keep", "Leaves the colours that the mesh has"),
        ),
        description="What becomes of the parts that no picture shows.",
    ),
    Parameter(
        "uv", ParameterKind.CHOICE, "UVs", "auto",
        choices=(
            Choice("auto", "Automatic", "Keeps the UVs where they are a sound layout, else makes new ones"),
            Choice("keep", "Keep", "Keeps the UVs, the faces and all other maps exactly as they are"),
            Choice("unwrap", "Unwrap", "Makes new UVs and bakes the other maps to them"),
        ),
        description="What becomes of the UVs.",
    ),
    Parameter(
        "sharpness", ParameterKind.FLOAT, "Blend sharpness", 4.0, minimum=0.0, maximum=32.0, group="Blending",
        description="How sharply pictures are kept apart where several show the same; low values blend softly.",
    ),
)  # fmt: skip


class TextureEngine:
    """Fits each picture to the mesh's outline from its side and projects it: base colour only."""

    needs_kernels = True

    def describe(self) -> EngineInfo:
        mesh = InputSpec("mesh", InputKind.MESH, "A mesh file", "GLB, glTF with everything inside, OBJ, PLY or STL")
        pictures = [
            InputSpec(
                side, InputKind.IMAGE, side.title(), f"The object seen from the {side}.", required=side == "front"
            )
            for side in SIDES
        ]
        return EngineInfo(
            id="texture",
            title="Texture",
            description="Projects one or several pictures of an object onto a mesh.",
            inputs=(mesh, *pictures),
            parameters=PARAMETERS,
            memory_mb=2000,
            uses_seed=False,
            works_on_selection=True,
            uses_region=True,
        )

    def load(self, device: str) -> None:
        """Import the libraries; it computes on the CPU, whatever the device."""
        import omagen.texturing.texturing  # noqa: F401

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> tuple[Mesh, dict[str, Any]]:
        """The textured mesh; `texturing` in the report says how much of it the pictures show."""
        from omagen.geometry.kept import kept
        from omagen.io.images import read_picture
        from omagen.texturing.settings import TextureSettings
        from omagen.texturing.texturing import texture_mesh

        mesh = read_given_mesh(files["mesh"], progress)
        pictures = {side: read_picture(files[side]) for side in SIDES if side in files}
        settings = TextureSettings(**request.parameters)  # type: ignore[arg-type]  # the parameters are the fields
        textured, report = texture_mesh(mesh, pictures, settings, progress)
        named = replace(textured, name=request.name or mesh.name)
        return named, {"texturing": report, "kept": kept(mesh, textured)}
