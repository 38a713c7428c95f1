"""The mesh that a request brings along, for all engines that take one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omagen.engines.base import RunProgress

if TYPE_CHECKING:
    from omagen.shapes import Mesh


def read_given_mesh(path: Path, progress: RunProgress) -> Mesh:
    """The mesh in the file `path`; what was odd about it becomes warnings. Raises `OmagenError` as `read_mesh` does."""
    from omagen.io.meshes import read_mesh

    progress("Reading", 0.0)
    mesh, warnings = read_mesh(path)
    for warning in warnings:
        progress.warn(warning)
    return mesh
