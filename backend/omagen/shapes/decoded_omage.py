"""A mesh together with the omage that it was decoded from."""

from __future__ import annotations

from dataclasses import dataclass

from omagen.shapes.mesh import Mesh
from omagen.shapes.omage import Omage


@dataclass(frozen=True)
class DecodedOmage:
    """Given back where reading has changed the omage, so that what is edited from then on is what was decoded."""

    mesh: Mesh
    omage: Omage
