"""How good an omage is, in one line; how good a mesh is, in a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

SEPARATOR: Final = "  ·  "
CLOSED: Final = 1e-5
"""Less, as a share of the object's size, is what rounding leaves."""


@dataclass(frozen=True)
class Figure:
    key: str
    """In the backend's report"""
    title: str
    say: Callable[[float], str]
    meaning: str


def _small(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= CLOSED else f"under {100 * CLOSED:g} %"


def _seams(share: float) -> str:
    return f"seams {_small(share)}" if share >= CLOSED else "seams closed"


def _parts(lost: float) -> str:
    return f"{int(lost)} part{'' if lost == 1 else 's'} lost" if lost else "all parts kept"


FIGURES: Final = (
    Figure("chamfer", "Distance", lambda v: f"Chamfer {_small(v)}", "Mean distance from the original, of its size"),
    Figure("seam_gap", "Seams", _seams, "How far seams gape, likewise"),
    Figure("occupancy", "Occupancy", lambda v: f"{v:.0%} used", "Share of the pixels that hold surface"),
    Figure("lost_components", "Parts", _parts, "Parts of the mesh that are too small for the resolution"),
    Figure("texel_density", "Density", lambda v: f"{v:,.3g} px per m", "Pixels per metre of surface"),
    Figure("stretch", "Stretch", lambda v: f"stretch {v:.2f}", "How unevenly the surface is spread out; 1 is best"),
)


def _count(value: float) -> str:
    return f"{int(value):,}"


def _share(value: float) -> str:
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


MESH_FIGURES: Final = (
    ("triangles", "Triangles", _count),
    ("components", "Parts", _count),
    ("watertight", "Watertight", _count),
    ("open_edges", "Open Edges", _count),
    ("non_manifold_edges", "Non-Manifold Edges", _count),
    ("degenerate_faces", "Faces without Area", _count),
    ("self_intersections", "Self-Intersections", _count),
    ("uv_charts", "UV Islands", _count),
    ("uv_overlap", "UV Overlap", _share),
    ("stretch", "UV Stretch", lambda v: f"{v:.2f}"),
    ("fill", "UV Fill", _share),
    ("texel_density", "Pixels per Metre", lambda v: f"{v:,.3g}"),
    ("texture_coverage", "Textured", _share),
)
FAULTS: Final = frozenset({"non_manifold_edges", "degenerate_faces", "self_intersections", "uv_overlap"})
"""What no use of a mesh wants any of"""


def line(report: Mapping[str, Any]) -> str:
    """Everything that is known, e.g. "Chamfer 0.02 % · seams closed · 71 % used"; empty where nothing is."""
    words = SEPARATOR.join(figure.say(value) for figure, value in known(report))
    return words[:1].upper() + words[1:]


def known(report: Mapping[str, Any]) -> list[tuple[Figure, float]]:
    """The figures that the report holds."""
    found = ((figure, _number(report.get(figure.key))) for figure in FIGURES)
    return [(figure, value) for figure, value in found if value is not None]


def mesh_lines(report: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """What is known of a mesh: title, value in words, and whether that is something to mend."""
    lines = []
    for key, title, say in MESH_FIGURES:
        value = report.get(key)
        if isinstance(value, Mapping) and "mean" not in value and "median" not in value:
            continue
        number = _number(value)
        if isinstance(value, bool):
            lines.append((title, "Yes" if value else "No", False))
        elif number is not None:
            lines.append((title, say(number), key in FAULTS and number > 0))
    return lines


def _number(value: Any) -> float | None:
    """A figure, or the middle of one that is given with its spread."""
    if isinstance(value, Mapping):
        value = value.get("mean", value.get("median"))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
