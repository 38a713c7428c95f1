"""How two omages differ, map by map."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from omagen.shapes import Omage

PEAKS: Final = {
    "position": 2.0,
    "normal": 2.0,
    "albedo": 1.0,
    "metalness": 1.0,
    "roughness": 1.0,
    "opacity": 1.0,
    "emission": 1.0,
}
"""The range of each map's values, to which the signal-to-noise ratio refers."""


def omage_difference(a: Omage, b: Omage) -> dict[str, Any]:
    """Plain JSON for two omages of one resolution. Raises `ValueError` if it is not one.

    occupancy: `pixels` that are occupied in one only, and their `share` of those occupied in either. maps: for each map
    that one of them has, `psnr` (dB, None where equal) and `max` (largest difference of a value) over the pixels that
    both occupy, or `only_in` (first, second). centre and scale: as they differ, relative to the scale of `a`.
    """
    if a.resolution != b.resolution:
        raise ValueError(f"omages of {a.resolution} and {b.resolution} pixels cannot be compared pixel by pixel")
    both, either = a.occupancy & b.occupancy, a.occupancy | b.occupancy
    unlike = int(np.count_nonzero(either)) - int(np.count_nonzero(both))
    return {
        "occupancy": {"pixels": unlike, "share": unlike / max(int(np.count_nonzero(either)), 1)},
        "maps": {
            name: _map_difference(getattr(a, name), getattr(b, name), both, peak)
            for name, peak in PEAKS.items()
            if getattr(a, name) is not None or getattr(b, name) is not None
        },
        "centre": float(np.linalg.norm(np.subtract(a.centre, b.centre))) / a.scale,
        "scale": abs(b.scale / a.scale - 1),
    }


def _map_difference(a: np.ndarray | None, b: np.ndarray | None, both: np.ndarray, peak: float) -> dict[str, Any]:
    if a is None or b is None:
        return {"only_in": "second" if a is None else "first"}
    difference = a[both].astype(np.float64) - b[both]
    if difference.size == 0 or not difference.any():
        return {"psnr": None, "max": 0.0}
    return {
        "psnr": float(10 * np.log10(peak**2 / np.mean(difference**2))),
        "max": float(np.abs(difference).max()),
    }
