"""Rasterising ten float channels: our kernel against a plain copy of its buffer, and against Cycles' EMIT bakes.

The same layout, about 60 % of the picture, for all. Ten channels are four bakes (position, normal, albedo, and metal
with roughness); one is measured and counted four times. Limits: twice the copy and 25 ns a triangle, and a hundredth of
the bakes. All figures are CPU seconds, the least of several runs; our kernel and the copy use one thread.

    python benchmarks/raster.py [--blender-python PYTHON] [--no-blender]
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
COVERAGE = 0.6
CHANNELS, BAKES = 10, 4
CASES = ((23_000, 1024), (881_000, 1024), (23_000, 4096), (881_000, 4096))
"""Triangles, pixels a side"""
BAKED = CASES[:3]
"""The last would take Cycles minutes and gigabytes."""
COPIES, NANOSECONDS, BAKE_RATIO = 2.0, 25.0, 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender-python", default=MODULE_PYTHON, help="Python with the bpy module")
    parser.add_argument("--no-blender", action="store_true", help="leave out the comparison with Cycles")
    parser.add_argument("--bake", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bake:
        bake(options.bake)
    ours = [draw(triangles, side) for triangles, side in CASES]
    seconds = [0.0] * len(CASES) if options.no_blender else baked(options.blender_python)
    report(ours, seconds)


def report(ours: list[tuple[int, float, float]], seconds: list[float]) -> None:
    write = sys.stdout.write
    write("| triangles | pixels | copy, ms | ours, ms | limit, ms | four bakes, s | times as fast |\n")
    write("| --- " * 7 + "|\n")
    missed = False
    for (_, side), (triangles, copy, drawn), one in zip(CASES, ours, seconds, strict=True):
        limit = COPIES * copy + NANOSECONDS * 1e-9 * triangles
        write(f"| {triangles:,} | {side}² | {copy * 1e3:.1f} | {drawn * 1e3:.1f} | {limit * 1e3:.1f} ")
        write(f"| {one * BAKES:.2f} | {one * BAKES / drawn:.0f} |\n" if one else "| - | - |\n")
        missed |= drawn > limit or (bool(one) and one * BAKES < BAKE_RATIO * drawn)
    if missed:
        sys.exit("a limit was missed")


def layout(triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """`uv` (N, 2) in 0 to 1 and `faces` (F, 3) int32: an uneven grid over the middle of the picture."""
    side = round((triangles / 2) ** 0.5)
    step = np.linspace(-0.5, 0.5, side + 1) * COVERAGE**0.5
    grid = np.stack(np.meshgrid(step, step), -1) + 0.5
    grid += np.random.default_rng(0).uniform(-0.25, 0.25, grid.shape) * COVERAGE**0.5 / side
    number = np.arange(grid[..., 0].size, dtype=np.int32).reshape(side + 1, -1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    return grid.reshape(-1, 2), np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)


def draw(triangles: int, side: int) -> tuple[int, float, float]:
    """How many triangles there are, and the seconds of a copy and of our kernel, in turns."""
    from omagen.omage.raster import raster_planes

    points, faces = layout(triangles)
    uv = points[faces] * side
    values = np.random.default_rng(1).random((len(points), CHANNELS), np.float32)
    out, other = (np.ones((side, side, CHANNELS), np.float32) for _ in range(2))
    copy = drawn = np.inf
    for _ in range(12 if side < 2048 else 5):
        copy = min(copy, timed(lambda: np.copyto(other, out)))
        drawn = min(drawn, timed(lambda: raster_planes(uv, values, side, side, corner=faces, out=out)))
    return len(faces), copy, drawn


def timed(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def baked(python: str) -> list[float]:
    """CPU seconds of one EMIT bake of each case, 0 for those that are not baked."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (triangles, _) in enumerate(BAKED):
            points, faces = layout(triangles)
            np.savez(Path(folder) / f"{number}.npz", points=points, faces=faces)
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(Path(folder) / "profile")}
        subprocess.run([python, __file__, "--bake", folder], check=True, stdout=subprocess.DEVNULL, env=environment)
        found = json.loads((Path(folder) / "seconds.json").read_text())
    return found + [0.0] * (len(CASES) - len(found))


def bake(folder: Path) -> None:
    """In Blender: bake every layout as it is, one sample without margin, into `seconds.json`."""
    import bpy

    seconds = []
    for number, (_, side) in enumerate(BAKED):
        bpy.ops.wm.read_homefile(use_empty=True)
        scene = bpy.context.scene
        scene.render.engine = "CYCLES"
        scene.cycles.samples = 1
        scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
        scene.render.bake.margin = 0
        mesh = bpy.data.meshes.new("layout")
        with np.load(folder / f"{number}.npz") as arrays:
            points, faces = arrays["points"], arrays["faces"]
        mesh.from_pydata(np.pad(points, ((0, 0), (0, 1))).tolist(), [], faces.tolist())
        mesh.uv_layers.new().uv.foreach_set("vector", points[faces].astype(np.float32).ravel())
        image = bpy.data.images.new("target", side, side, float_buffer=True, is_data=True)
        mesh.materials.append(emitting_position(image))
        obj = bpy.data.objects.new("layout", mesh)
        scene.collection.objects.link(obj)
        bpy.context.view_layer.objects.active = obj
        obj.select_set(True)
        runs = [timed(lambda: bpy.ops.object.bake(type="EMIT")) for _ in range(2 if side < 2048 else 1)]
        pixels = np.empty(side * side * 4, np.float32)
        image.pixels.foreach_get(pixels)
        share = np.count_nonzero(pixels[::4]) / side**2
        if abs(share - COVERAGE) > 0.02:
            sys.exit(f"the bake covers {share:.2f} of the picture")
        seconds.append(min(runs))
    (folder / "seconds.json").write_text(json.dumps(seconds))
    # The bpy module may crash on its way out; everything that matters has been written.
    os._exit(0)


def emitting_position(image: object) -> object:
    """A material that emits where its surface is, with `image` as the target of bakes."""
    import bpy

    material = bpy.data.materials.new("emission")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    geometry, emission = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeEmission")
    output, target = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeTexImage")
    links.new(geometry.outputs["Position"], emission.inputs["Color"])
    links.new(emission.outputs["Emission"], output.inputs["Surface"])
    target.image = image
    nodes.active = target
    return material


if __name__ == "__main__":
    main()
