"""Cutting and flattening a mesh without UVs: our atlas against xatlas, same mesh, same run, processor time.

Targets: on an organic mesh of 100k triangles at most 0.5 times as long as xatlas, at an anisotropy of at most 1.10 and
no more charts; on marching-cubes meshes at most 0.1 times as long as xatlas, at most 500 charts; never an overlap.
xatlas needs minutes for the latter: where it reaches the limit, that is what ours is compared with.

    python benchmarks/unwrap.py [MESH ...] [--resolution 1024] [--limit-s 82]
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "assets" / "meshes"
MESHES = ("koala_vertex_colors_no_uv_100k.glb", "noise_mc_219k", "koala_mc_880k.glb")


@dataclass(frozen=True)
class Row:
    name: str
    triangles: int
    ours_s: float
    ours_charts: int
    ours_anisotropy: float
    ours_overlaps: int
    peer_s: float | None
    peer_charts: int
    peer_anisotropy: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="*", default=MESHES)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--limit-s", type=float, default=82, help="longest wait for xatlas")
    options = parser.parse_args()
    write = sys.stdout.write
    write("| mesh | triangles | ours, CPU s | charts | anisotropy | overlaps | xatlas, CPU s | charts | anisotropy ")
    write("| ratio |\n" + "| --- " * 10 + "|\n")
    missed = False
    for name in options.meshes:
        row = measured(name, options.resolution, options.limit_s)
        peer = f"over {options.limit_s:.0f}" if row.peer_s is None else f"{row.peer_s:.1f}"
        ratio = row.ours_s / (row.peer_s or options.limit_s)
        write(f"| {row.name} | {row.triangles:,} | {row.ours_s:.1f} | {row.ours_charts} | {row.ours_anisotropy:.3f} ")
        write(f"| {row.ours_overlaps} | {peer} | {row.peer_charts} | {row.peer_anisotropy:.3f} | {ratio:.2f} |\n")
        sys.stdout.flush()
        is_noisy = "mc" in name
        missed |= ratio > (0.1 if is_noisy else 0.5) or row.ours_overlaps > 0
        missed |= row.ours_charts > (500 if is_noisy else row.peer_charts or 500) or row.ours_anisotropy > 1.10
    if missed:
        sys.exit("a target was missed")


def measured(name: str, resolution: int, limit_s: float) -> Row:
    from omagen.omage.atlas import make_atlas
    from omagen.omage.charts.charting import charting
    from omagen.omage.charts.topology import opposite_half_edges
    from omagen.omage.charts.validity import judge

    mesh = load(name)
    make_atlas(sphere(40), resolution, "unwrap")  # compiles
    make_atlas(sphere(80), resolution, "unwrap")
    begin = processor_s()
    atlas = make_atlas(mesh, resolution, "unwrap", budget_s=600)
    ours = processor_s() - begin
    found = charting(opposite_half_edges(atlas.faces), atlas.chart, atlas.uv)
    overlaps = int((~judge(found.uv, found.inner, found.chart, found.charts).good).sum())
    peer_s, charts, ratio = peer(mesh.vertices, mesh.faces, limit_s)
    return Row(name, len(mesh.faces), ours, atlas.charts, atlas.report["anisotropy"], overlaps, peer_s, charts, ratio)


def processor_s() -> float:
    """Of this process and those that it has started and waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def load(name: str):
    """The mesh of a file, or the noisy one of 219k triangles, made here."""
    from omagen.io.meshes import read_mesh

    if name == "noise_mc_219k":
        return noisy_surface(224)
    return read_mesh(SHARED / name if (SHARED / name).exists() else Path(name))[0]


def noisy_surface(cells: int):
    """A marching-cubes mesh of a bumpy, folded body on a grid of `cells`: the staircases that a generator emits."""
    from omagen.shapes import Mesh
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, cells, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = np.sqrt(x**2 + (0.8 * y) ** 2 + z**2) - 0.6 + 0.08 * np.sin(9 * x) * np.sin(8 * y) * np.sin(7 * z)
    field += np.random.default_rng(0).normal(0, 0.1 / cells, field.shape).astype(np.float32)
    field += 0.01 * np.sin(60 * x) * np.sin(60 * y) * np.sin(60 * z)
    vertices, faces, _, _ = marching_cubes(field, 0.0)
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


def sphere(rows: int):
    from omagen.shapes import Mesh

    around, across = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False), np.linspace(0.05, 3.09, rows))
    points = np.stack([np.cos(around) * np.sin(across), np.cos(across), np.sin(around) * np.sin(across)], -1)
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(2 * rows), indexing="ij")
    corner = [((i + a) * 2 * rows + (j + b) % (2 * rows)).ravel() for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))]
    faces = np.concatenate([np.stack([corner[k] for k in t], 1) for t in ((0, 1, 2), (0, 2, 3))])
    return Mesh(points.reshape(-1, 3).astype(np.float32), faces.astype(np.int32))


def peer(vertices: np.ndarray, faces: np.ndarray, limit_s: float) -> tuple[float | None, int, float]:
    """Processor seconds of xatlas with its own settings, its charts and anisotropy. None when it took too long."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=run_peer, args=(vertices, faces, limit_s, send))
    process.start()
    send.close()
    result = (None, 0, float("nan"))
    if receive.poll(10 * limit_s):
        try:
            result = receive.recv()
        except EOFError:
            result = (None, 0, float("nan"))  # ended by its limit
    process.kill()
    process.join()
    return result


def run_peer(
    vertices: np.ndarray, faces: np.ndarray, limit_s: float, send: multiprocessing.connection.Connection
) -> None:
    import xatlas
    from omagen.omage.charts.stretch import anisotropy, double_areas

    begin = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(begin + limit_s) + 1, int(begin + limit_s) + 1))
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces.astype(np.uint32))
    pack = xatlas.PackOptions()
    pack.resolution = 1024
    atlas.generate(xatlas.ChartOptions(), pack)
    seconds = time.process_time() - begin
    _, indices, uv = atlas[0]
    corners = vertices[faces].astype(np.float64)
    ratio = anisotropy(corners, (uv * [atlas.width, atlas.height])[indices].astype(np.float64))
    is_real = np.isfinite(ratio)
    send.send((seconds, atlas.chart_count, float(np.average(ratio[is_real], weights=double_areas(corners)[is_real]))))


if __name__ == "__main__":
    main()
