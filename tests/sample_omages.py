"""Small omages that tests share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from omagen.omage.files import omage_of_files
from omagen.shapes import Omage


def random_omage(seed: int = 0, resolution: int = 32, **changes: Any) -> Omage:
    """Two square charts of noise with every plane and all side data; colours from 8-bit sRGB are not exact."""
    rng = np.random.default_rng(seed)
    size = (resolution, resolution)
    chart = np.full(size, -1, np.int32)
    half = resolution // 2
    chart[1 : half - 1, 1 : half - 1] = 0
    chart[half + 1 : -1, 2:-2] = 1
    seam = np.full(size, -1, np.int32)
    seam[1, 1 : half - 1] = seam[half + 1, 2:half] = rng.permutation(half - 2)
    normal = rng.normal(size=(*size, 3))
    planes: dict[str, Any] = {
        "position": rng.uniform(-0.99995, 0.99995, (*size, 3)).astype(np.float32),
        "occupancy": chart >= 0,
        "normal": (normal / np.linalg.norm(normal, axis=2, keepdims=True)).astype(np.float32),
        "albedo": rng.random((*size, 3), np.float32),
        "metalness": rng.random(size, np.float32),
        "roughness": rng.random(size, np.float32),
        "opacity": rng.random(size, np.float32),
        "emission": rng.random((*size, 3), np.float32) * 5,
        "chart": chart,
        "seam": seam,
        "centre": (1.5, -2.0, 0.1),
        "scale": 0.37,
        "alpha_mode": "BLEND",
        "alpha_cutoff": 0.25,
        "double_sided": True,
        "name": "Tasse",
    }
    return Omage(**(planes | changes))


def assert_same(one: Omage, other: Omage, **tolerances: float) -> None:
    """Every field equal where occupied, planes within their tolerance (0 where none is given)."""
    for field in fields(Omage):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            assert (a.shape, a.dtype) == (b.shape, b.dtype), field.name
            if field.name not in ("occupancy", "chart", "seam"):
                a, b = a[one.occupancy], b[one.occupancy]
            np.testing.assert_allclose(a, b, 0, tolerances.get(field.name, 0), err_msg=field.name)
        else:
            assert a is b or a == b, field.name


def read_files(files: dict[str, bytes]) -> tuple[Any, list[str]]:
    """The omage of a folder's files by name, its planes untyped, and the warnings."""
    warnings: list[str] = []
    return omage_of_files(files, warnings), warnings
