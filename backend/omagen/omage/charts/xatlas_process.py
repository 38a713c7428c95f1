"""xatlas in a process of its own: it can be neither interrupted nor limited in time, but a process can be ended."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np


def run_xatlas(
    places: np.ndarray, faces: np.ndarray, max_cost: float, deadline: float, look: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray] | None:
    """As `generate`, but None when it is not done by `deadline` (of `time.monotonic`) or ends badly.

    `look` is called all the time and may raise, which ends the process.
    """
    from omagen.native_process import run_alone

    made = run_alone(__file__, {"places": places, "faces": faces, "max_cost": max_cost}, deadline, look)
    return None if made is None else (made["label"], made["uv"])


def generate(places: np.ndarray, faces: np.ndarray, max_cost: float) -> tuple[np.ndarray, np.ndarray]:
    """`label` (F,) int32, -1 for faces that xatlas ignores, and `uv` (F, 3, 2) float64 in the unit of `places`.

    `places` (V, 3) float32, `faces` (F, 3) uint32. `max_cost` is where charts stop to grow: larger means fewer and more
    distorted ones.
    """
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(places, faces)
    chart_options = xatlas.ChartOptions()
    chart_options.max_cost = max_cost
    pack_options = xatlas.PackOptions()
    pack_options.resolution = 256  # the layout is not used, so let its packing be coarse and quick
    pack_options.bilinear = False
    pack_options.rotate_charts = False
    pack_options.rotate_charts_to_axis = False
    atlas.generate(chart_options, pack_options)
    if atlas.chart_count == 0:  # no face had an area for it
        return np.full(len(faces), -1, np.int32), np.zeros((len(faces), 3, 2))
    _, indices, uv = atlas[0]
    _, chart = atlas.get_mesh_vertex_assignment(0)
    size = np.array([atlas.width, atlas.height], np.float64)
    label = chart.astype(np.int64)[indices[:, 0]]
    label[label >= atlas.chart_count] = -1
    return label.astype(np.int32), uv.astype(np.float64)[indices] * size / float(atlas.texels_per_unit)


def _main(given: str, made: str) -> None:
    with np.load(given) as arrays:
        label, uv = generate(arrays["places"], arrays["faces"], float(arrays["max_cost"]))
    np.savez(made, label=label, uv=uv)


if __name__ == "__main__":
    _main(*sys.argv[1:])
