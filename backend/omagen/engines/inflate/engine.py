"""One picture to a closed, textured object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omagen.engines.base import RunProgress
from omagen.engines.inflate.parameters import PARAMETERS
from omagen.protocol import EngineInfo, InputKind, InputSpec, Request

if TYPE_CHECKING:
    from omagen.shapes import Mesh


class InflateEngine:
    """Cuts the object out, inflates its silhouette and projects the picture onto it. Needs no weights and no GPU."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            id="inflate",
            title="Inflate",
            description="Inflates the object's silhouette like a cushion. Takes seconds on any computer.",
            inputs=(
                InputSpec("image", InputKind.IMAGE, "A picture", "A photograph or drawing of one object."),
                InputSpec("mask", InputKind.MASK, "A mask", "White where the object is.", required=False),
            ),
            parameters=PARAMETERS,
            memory_mb=600,
            uses_seed=False,
        )

    def load(self, device: str) -> None:
        """Import the libraries; there are no weights, and every device is served by the CPU."""
        import omagen.engines.inflate.inflation  # noqa: F401

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Mesh:
        """The object as a `Mesh`, 1 m along its longest side, centred. Raises `OmagenError` where no object is
        found.
        """
        from omagen.engines.inflate.inflation import inflate
        from omagen.foreground import cut_out
        from omagen.io.images import read_mask, read_picture

        picture = read_picture(files["image"])
        for warning in picture.warnings:
            progress.warn(warning)
        mask = read_mask(files["mask"]) if "mask" in files else None
        cutout = cut_out(picture, mask, _Part(progress, 0.0, 0.3))
        return inflate(cutout, request.parameters, _Part(progress, 0.3, 1.0), request.name or "object")


class _Part:
    """A `RunProgress` that covers a part of another one."""

    def __init__(self, whole: RunProgress, start: float, end: float) -> None:
        self._whole, self._start, self._end = whole, start, end

    def __call__(self, stage: str, fraction: float) -> None:
        self._whole(stage, self._start + (self._end - self._start) * fraction)

    def warn(self, message: str) -> None:
        self._whole.warn(message)
