"""The contract of an engine: what it says of itself and how the worker runs it.

Engines are found through the entry-point group `omagen.engines`; ours and other people's register alike. The module
that an entry point names is imported by the server, so it imports nothing heavy at its top: libraries are imported
inside `load` and `run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omagen.protocol import EngineInfo, Request

if TYPE_CHECKING:  # numpy comes with the shapes, and describing an engine must stay cheap
    from omagen.shapes import DecodedOmage, LodChain, Mesh, Omage, Picture

    Shape = Mesh | LodChain | Picture | Omage | DecodedOmage


class RunProgress(Protocol):
    """How a running engine speaks to the user."""

    def __call__(self, stage: str, fraction: float) -> None:
        """Report `stage` (a few words, shown to the user) at `fraction` (0 to 1) of the engine's own work.

        Raises `OmagenError` (cancelled) once the user has cancelled: calling it often is what makes cancelling gentle.
        """
        ...

    def warn(self, message: str) -> None:
        """Tell the user something that does not stop the job; shown in the panel and kept in `result.json`."""
        ...


class Engine(Protocol):
    """An engine that runs the omage codec also has `needs_kernels = True`: its first run waits for compiled kernels."""

    def describe(self) -> EngineInfo:
        """What the engine takes, gives and needs. Cheap: called by the server at start."""
        ...

    def load(self, device: str) -> None:
        """Bring weights and compiled kernels into memory on `device`. Called once per worker, before the first run."""
        ...

    def run(
        self, request: Request, files: Mapping[str, Path], progress: RunProgress
    ) -> Shape | tuple[Shape | None, dict[str, Any]]:
        """Do the work. `request` is complete and valid; `files` maps the ids of file inputs to readable paths.

        Returns the shape or, with it, what is worth knowing about its making: plain JSON that joins `report` in
        `result.json`; of engines that produce a report, that alone. Engines that work on what the user has selected
        say there under `kept` what of the input they left as it was (see `geometry.kept`), so that the result can be
        laid over the user's own mesh. Raises `OmagenError` for whatever the user can understand or mend.
        """
        ...
