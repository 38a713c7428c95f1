"""One picture to the same picture without its background."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omagen.engines.base import RunProgress
from omagen.protocol import EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Request

if TYPE_CHECKING:
    from omagen.shapes import Picture


class CutoutEngine:
    """Finds the object, mattes its edges and takes the background's colour out of them."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="cutout",
            title="Cut out",
            description="Removes a picture's background, so that the outline can be seen and corrected first.",
            inputs=(
                InputSpec("image", InputKind.IMAGE, "A picture", "A photograph or drawing of one object."),
                InputSpec("mask", InputKind.MASK, "A mask", "White where the object is.", required=False),
            ),
            parameters=(
                Parameter(
                    "keep_background",
                    ParameterKind.BOOL,
                    "Keep background",
                    False,
                    "Keeps the background's colours under the transparency, so that parts can be painted back.",
                ),
            ),
            produces="picture",
            memory_mb=900,
            uses_seed=False,
        )

    def load(self, device: str) -> None:
        """Import the libraries; a network's weights are read when a picture needs it."""
        import omagen.foreground  # noqa: F401

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Picture:
        """The picture with the object's opacity. Raises `OmagenError` where no object is found."""
        import numpy as np

        from omagen.foreground import cut_out
        from omagen.foreground.color import foreground_color
        from omagen.io.images import read_mask, read_picture
        from omagen.shapes import Picture

        picture = read_picture(files["image"])
        for warning in picture.warnings:
            progress.warn(warning)
        mask = read_mask(files["mask"]) if "mask" in files else None
        cutout = cut_out(picture, mask, progress)
        color = foreground_color(cutout.rgb, cutout.alpha, cutout.mixed)
        if request.parameters["keep_background"]:
            color = np.where(cutout.alpha[..., None] < 0.02, cutout.rgb, color)
        opacity = np.round(cutout.alpha * 255).astype(np.uint8)
        return Picture(np.dstack([color, opacity]), has_alpha=True)
