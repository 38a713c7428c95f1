"""The engine `view_normals`: a mesh's normals as a camera sees them, as a picture to paint on."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    from omagen.shapes import Picture


class ViewNormalsEngine:
    """Draws normals; the engine `refine` takes the picture back once it has been painted on."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="view_normals",
            title="Normals of a view",
            description="A picture of the object's normals to paint on; Refine then follows what was painted.",
            inputs=(
                InputSpec("mesh", InputKind.MESH, "A mesh", "GLB, glTF with everything inside, OBJ, PLY or STL"),
                InputSpec("camera", InputKind.TEXT, "Camera", "JSON as in omagen.geometry.camera_json"),
            ),
            parameters=(
                Parameter(
                    "height", ParameterKind.INT, "Height", 1024, minimum=64, maximum=4096,
                    description="Pixels from the picture's top to its bottom",
                ),
            ),
            produces="picture",
            memory_mb=900,
            uses_seed=False,
            works_on_selection=True,
        )  # fmt: skip

    def load(self, device: str) -> None:
        """Nothing to load: it computes on the CPU, whatever the device."""

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Picture:
        from omagen.geometry.camera_json import camera_from_json
        from omagen.refine.edited_view import view_picture

        try:
            camera = camera_from_json(json.loads(request.inputs["camera"]))
        except ValueError:
            raise OmagenError(ErrorCode.INPUT, "The camera is no JSON.", "See the engine's description.") from None
        mesh = read_given_mesh(files["mesh"], progress)
        progress("Drawing the view", 0.5)
        return view_picture(mesh, camera, int(request.parameters["height"]))
