"""What finishing is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from omagen.protocol import ErrorCode, OmagenError

Remesh = Literal["none", "quads"]
Unwrap = Literal["auto", "keep", "unwrap"]
MAPS: Final = ("base_color", "metallic_roughness", "normal", "occlusion", "emissive")
TEXTURE_SIZES: Final = (64, 8192)
MOST_LODS: Final = 8


@dataclass(frozen=True)
class FinishSettings:
    """Every stage can be left out. The defaults suit whatever surface comes along: they mend what is broken, leave open
    what is meant to be open, and reduce what no one could edit."""

    clean: bool = True
    """Join vertices, drop broken faces, agree on the outside, split what is no surface, drop crumbs, close holes"""
    smallest_part: float = 0.002
    """Pieces smaller than this share of the whole are dropped; 0: none"""
    largest_hole: float = 0.05
    """Holes with a border up to this share of the whole's diagonal are closed; 0: none"""
    faces: int = 50_000
    """Most faces that are wanted: triangles, or quads where these are asked for. 0: as many as there are"""
    remesh: Remesh = "none"
    """`quads`: a new surface of four-sided faces of one size; `faces` says how many, 0 for as many as there are"""
    unwrap: Unwrap = "auto"
    """`auto`: keep the UVs where they are a sound layout; `keep`: whatever they are, with every face; `unwrap`: new"""
    materials: Literal["bake", "keep"] = "bake"
    """`keep`: materials and their textures stay as they are, and nothing is baked"""
    texture: int = 2048
    """Pixels a side of the textures that are baked"""
    maps: frozenset[str] | None = None
    """Which of `MAPS` are baked; None: those that the surface has something to say on"""
    lods: int = 1
    """Levels of detail, the whole mesh among them; each has half the faces of the one before"""
    budget_s: float = 60.0
    """Stages that have an alternative take it where they would go far beyond their share of this"""

    def checked(self) -> FinishSettings:
        """This, or `OmagenError` (input) where a value makes no sense."""
        low, high = TEXTURE_SIZES
        faults = (
            (not low <= self.texture <= high, f"A texture cannot have {self.texture} pixels.", f"{low} to {high} do."),
            (self.faces < 0, f"There cannot be {self.faces} faces.", "Give their number, or 0 for as many as now."),
            (not 1 <= self.lods <= MOST_LODS, f"There cannot be {self.lods} levels.", f"1 to {MOST_LODS} can."),
            (not 0 <= self.smallest_part <= 1, "The smallest part is a share.", "Give a number from 0 to 1."),
            (not self.largest_hole >= 0, "The largest hole is a share.", "Give a number from 0."),
            (self.unwrap not in ("auto", "keep", "unwrap"), f"There is no {self.unwrap!r}.", "auto, keep or unwrap."),
            (self.remesh not in ("none", "quads"), f"There is no {self.remesh!r}.", "Use none or quads."),
            (self.materials not in ("bake", "keep"), f"There is no {self.materials!r}.", "Use bake or keep."),
            (not (self.maps or frozenset()) <= set(MAPS), "There is no such map.", f"There are {', '.join(MAPS)}."),
        )
        for is_wrong, message, remedy in faults:
            if is_wrong:
                raise OmagenError(ErrorCode.INPUT, message, remedy)
        return self

    @property
    def keeps_topology(self) -> bool:
        """Whether no face may be added, dropped or changed: every one carries UVs that are to be kept."""
        return self.unwrap == "keep"

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"maps": None if self.maps is None else sorted(self.maps)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FinishSettings:
        maps = data.get("maps")
        return cls(**{**data, "maps": None if maps is None else frozenset(maps)}).checked()
