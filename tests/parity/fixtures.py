"""Parity fixtures: what a published system computed, one safetensors file each, found below folders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from places import SHARED
from safetensors import safe_open
from safetensors.numpy import load_file

REFERENCE = SHARED / "reference"
OWN = Path(__file__).parent / "own"
"""A few files that this project wrote itself, small enough to check by hand."""


Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Fixture:
    """One file. `config` is all that a test may know about sizes; the tensors, read when asked for, follow from it."""

    path: Path
    system: str
    network: str
    config: dict[str, Any]

    @property
    def inputs(self) -> Tensors:
        return self._tensors["input"]

    @property
    def outputs(self) -> Tensors:
        return self._tensors["output"]

    @property
    def params(self) -> Tensors:
        return self._tensors["param"]

    @cached_property
    def _tensors(self) -> dict[str, Tensors]:
        groups: dict[str, Tensors] = {"input": {}, "output": {}, "param": {}}
        for key, tensor in load_file(self.path).items():
            group, _, name = key.partition(".")
            groups[group][name] = tensor.copy()  # tensors in the file may be unaligned, which changes rounding
        return groups


def find_fixtures(folders: Iterable[str | Path]) -> list[Path]:
    """Every fixture below `folders`; without any, below the published references, else below our own."""
    roots = [Path(folder) for folder in folders] or [REFERENCE if REFERENCE.is_dir() else OWN]
    for root in roots:
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder of parity fixtures at {root}")
    return sorted(path for root in roots for path in root.rglob("*.safetensors"))


def read_fixture(path: Path) -> Fixture:
    """The fixture at `path`: metadata `system`, `network` and `config` (JSON)."""
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    return Fixture(path, metadata["system"], metadata["network"], json.loads(metadata["config"]))
