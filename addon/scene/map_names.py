"""Which map of an omage a picture is, by its name: `chair geometry.png`, `Chair_Albedo.tif`, `chair-normal`."""

from __future__ import annotations

from typing import Final

from .omage_files import MAPS, MapKind

PICTURES: Final = (".png", ".tif", ".tiff", ".webp", ".bmp", ".tga", ".jpg", ".jpeg")
"""Formats of pictures that the backend reads, the better ones first."""
SUFFIXES: Final = (*PICTURES, ".exr")
SEPARATORS: Final = " _-."


def parts(name: str) -> tuple[str, MapKind | None]:
    """What the name begins with, and the map: "Chair_" and the albedo. All of the name and None for any other name."""
    kind = next((kind for kind in MAPS if name.casefold().endswith(kind.name)), None)
    return (name, None) if kind is None else (name[: -len(kind.name)], kind)


def title(name: str) -> str:
    """What the object is called: "Chair" of "Chair_Albedo"; empty where the name is only that of a map."""
    return parts(name)[0].rstrip(SEPARATORS)


def plain(name: str) -> str:
    """The same for all ways to write a name: capitals, spaces and lines do not count."""
    return "".join(mark for mark in name.casefold() if mark not in SEPARATORS)


def without_suffix(name: str) -> str:
    """The name of an image that Blender has called like its file."""
    suffix = next((suffix for suffix in SUFFIXES if name.casefold().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]
