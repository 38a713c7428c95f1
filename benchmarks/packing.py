"""Packing of charts against xatlas, at the same resolution and gutter: how much of the picture they fill, and CPU time.

xatlas cuts the meshes into charts and packs them again at the largest scale at which its picture is at most R pixels
high and wide, found by bisection, without its margin for bilinear filtering. Its padding surrounds every chart, so half
the gutter is enough: at padding 1 its charts are 2 pixels apart, as ours at gutter 2. At the scales that the two reach,
the charts are drawn by one rule and their pixels counted. Limit: ours fill at least 1.10 times as much up to R = 512.

    python benchmarks/packing.py [MESH ...] [--resolution 64 256 512 1024] [--gutter 2]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import xatlas

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from omagen.io.meshes import read_mesh  # noqa: E402
from omagen.omage.packing import ChartMasks, TooManyCharts, pack  # noqa: E402
from places import SHARED  # noqa: E402

MESHES = (
    "spot_obj/spot.obj",
    "water_bottle_pbr.glb",
    "table_palette_overlapping_uv.glb",
    "mountain_open_boundary.glb",
)
LEAST_RATIO, LIMIT_UP_TO = 1.10, 512
SUBPIXEL_BITS = 8


class Charts:
    """The charts of a mesh: `uv` (F, 3, 2) in units of length, each chart where xatlas put it; `chart` (F,) int32."""

    def __init__(self, path: Path) -> None:
        mesh, _ = read_mesh(path)
        vertices, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
        atlas = xatlas.Atlas()
        atlas.add_mesh(vertices, index.reshape(-1)[mesh.faces].astype(np.uint32))
        atlas.generate()
        _, self.faces, uv = atlas.get_mesh(0)[:3]
        self.vertices = (uv * [atlas.width, atlas.height] / atlas.texels_per_unit).astype(np.float32)
        self.uv = self.vertices[self.faces].astype(np.float64)
        self.chart = connected(self.faces, len(self.vertices))
        self.count = int(self.chart.max()) + 1
        self.by_chart = np.split(
            np.argsort(self.chart, kind="stable"), np.cumsum(np.bincount(self.chart, minlength=self.count))[:-1]
        )
        sides = self.uv[:, 1:] - self.uv[:, :1]
        self.area = float(np.abs(np.linalg.det(sides)).sum() / 2)

    def masks_at(self, scale: float) -> ChartMasks:
        """Every pixel that a triangle touches."""
        bitmaps = []
        for faces in self.by_chart:
            points = self.uv[faces] * scale
            points -= points.min((0, 1))
            width, height = np.floor(points.max((0, 1))).astype(int) + 1
            bitmap = np.zeros((height, width), np.uint8)
            for triangle in np.round((points - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32):
                cv2.fillConvexPoly(bitmap, triangle, (1,), shift=SUBPIXEL_BITS)
            bitmaps.append(bitmap)
        height, width = np.array([bitmap.shape for bitmap in bitmaps], np.int32).T.copy()
        start = np.cumsum([0, *(bitmap.size for bitmap in bitmaps)]).astype(np.int64)
        return ChartMasks(np.concatenate([bitmap.reshape(-1) for bitmap in bitmaps]), start, height, width)

    def fill(self, scale: float, resolution: int) -> float:
        return float(np.count_nonzero(self.masks_at(scale).bits)) / resolution**2


def connected(faces: np.ndarray, vertices: int) -> np.ndarray:
    """(F,) int32: the connected component of each face."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, :2], faces[:, 1:]]).astype(np.int64)
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(vertices, vertices))
    label = connected_components(graph, directed=False)[1][faces[:, 0]]
    return np.unique(label, return_inverse=True)[1].astype(np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="*", type=Path)
    parser.add_argument("--resolution", nargs="+", type=int, default=[64, 256, 512, 1024])
    parser.add_argument("--gutter", type=int, default=2)
    options = parser.parse_args()
    meshes = options.meshes or [SHARED / "assets" / "meshes" / name for name in MESHES]
    write = sys.stdout.write
    write("| mesh | charts | R | fill, xatlas | fill, ours | times | CPU s, xatlas | CPU s, ours | scales drawn |\n")
    write("| --- " * 9 + "|\n")
    missed = False
    for path in meshes:
        charts = Charts(path)
        pack(charts.masks_at, 64, 0, 64 / charts.area**0.5, effort=0.01)  # compiles
        for resolution in options.resolution:
            theirs, their_seconds = xatlas_fill(charts, resolution, options.gutter)
            ours, our_seconds, drawn = our_fill(charts, resolution, options.gutter)
            ratio = f"{ours / theirs:.2f}" if theirs else "-"
            missed |= resolution <= LIMIT_UP_TO and ours < LEAST_RATIO * theirs
            write(f"| {path.stem} | {charts.count} | {resolution} | {theirs or '-':.3} | {ours or '-':.3} | {ratio} ")
            write(f"| {their_seconds:.2f} | {our_seconds:.2f} | {drawn} |\n")
            sys.stdout.flush()
    if missed:
        sys.exit("the limit was missed")


def our_fill(charts: Charts, resolution: int, gutter: int) -> tuple[float, float, int]:
    """Fill (0 where the charts do not fit), CPU seconds without drawing, and the number of scales drawn."""
    masks_at, drawing = timed(charts.masks_at)
    begin = time.process_time()
    try:
        scale = pack(masks_at, resolution, gutter, 0.8 * resolution / charts.area**0.5).scale
    except TooManyCharts:
        scale = 0.0
    seconds = time.process_time() - begin - sum(drawing)
    return charts.fill(scale, resolution) if scale else 0.0, seconds, len(drawing)


def xatlas_fill(charts: Charts, resolution: int, gutter: int) -> tuple[float, float]:
    """Fill (0 where no packing was found) and CPU seconds of a bisection to 0.3 %."""
    scale, low, high = 0.8 * resolution / charts.area**0.5, 0.0, np.inf
    begin = time.process_time()
    for _ in range(16):
        if xatlas_fits(charts, scale, resolution, gutter):
            low = scale
        else:
            high = scale
        if high <= 1.003 * low:
            break
        scale = low * 1.1 if high == np.inf else (low * high) ** 0.5 if low else high / 1.2
    seconds = time.process_time() - begin
    return charts.fill(low, resolution) if low else 0.0, seconds


def xatlas_fits(charts: Charts, scale: float, resolution: int, gutter: int) -> bool:
    atlas, options = xatlas.Atlas(), xatlas.PackOptions()
    options.padding, options.texels_per_unit, options.bilinear = -(-gutter // 2), scale, False
    atlas.add_uv_mesh(charts.vertices, charts.faces)
    atlas.generate(pack_options=options)
    return atlas.atlas_count == 1 and max(atlas.width, atlas.height) <= resolution


def timed(draw: Callable[[float], ChartMasks]) -> tuple[Callable[[float], ChartMasks], list[float]]:
    """`draw`, and the CPU seconds of each call."""
    seconds: list[float] = []

    def draw_timed(scale: float) -> ChartMasks:
        begin = time.process_time()
        masks = draw(scale)
        seconds.append(time.process_time() - begin)
        return masks

    return draw_timed, seconds


if __name__ == "__main__":
    main()
