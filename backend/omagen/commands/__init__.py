"""The commands of `omagen`. Each module has `add_parser`, which is cheap, and sets `run`, which imports the rest."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

NAMES = (
    "generate", "cutout", "finish", "inspect", "texture", "refine", "encode", "decode", "omage", "engines",
    "jobs", "models", "serve", "prepare", "doctor",
)  # fmt: skip


def load() -> list[ModuleType]:
    """The command modules in the order in which the help lists them."""
    return [import_module(f"{__name__}.{name}") for name in NAMES]
