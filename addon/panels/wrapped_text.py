"""Text of any length in a panel: wrapped at words, never cut off."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import blf  # pyright: ignore[reportMissingImports]
import bpy

FONT: Final = 0
MARGIN: Final = 72
"""Pixels at scale 1 that a box, its icon and the panel's borders take from the region's width."""


def draw(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", alert: bool = False
) -> None:
    """Draw `text` in as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale
    points = context.preferences.ui_styles[0].widget.points
    width = (context.region.width if context.region else 300) - MARGIN * scale - (20 * scale if icon != "NONE" else 0)
    column = layout.column(align=True)
    column.scale_y = 0.8
    column.alert = alert
    for index, line in enumerate(lines(text, max(int(width), 60), round(points * scale))):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE", translate=False)


@lru_cache(maxsize=256)
def lines(text: str, width: int, size: int) -> tuple[str, ...]:
    """`text` in lines of at most `width` pixels in the interface's font; long paths break at their separators."""
    blf.size(FONT, size)
    done: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for piece in re.findall(r"[ \t]*[^ \t/\\]*[/\\]?", paragraph):
            if line and blf.dimensions(FONT, line + piece)[0] > width:
                done.append(line)
                line = piece.lstrip()
            else:
                line += piece
            while len(line) > 1 and blf.dimensions(FONT, line)[0] > width:
                cut = _fitting(line, width)
                done.append(line[:cut])
                line = line[cut:]
        done.append(line)
    return tuple(done)


def _fitting(word: str, width: int) -> int:
    """How many characters of a word that is wider than a line fit into one; at least 1."""
    return max(
        next((n - 1 for n in range(1, len(word)) if blf.dimensions(FONT, word[:n])[0] > width), len(word) - 1), 1
    )
