"""One object in several levels of detail."""

from __future__ import annotations

from dataclasses import dataclass

from omagen.shapes.mesh import Mesh


@dataclass(frozen=True)
class LodChain:
    levels: tuple[Mesh, ...]
    """At least one, the finest first"""
    name: str = "object"
