"""How long a result takes from its file into the scene: our arrays against Blender's own glTF importer, same files.

The two take turns, and both results are checked by Blender and compared corner by corner. Limit: at 1 M triangles ours
is at least 4 times as fast. `reading` happens outside Blender's main thread; the importer holds it all the time.

    python benchmarks/import_objects.py [--blender-python PYTHON ...] [--triangles 10000 100000 1000000]
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportIndexIssue=false, reportArgumentType=false

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
LEAST_SPEEDUP, AT_TRIANGLES = 4.0, 1_000_000
REPEATS = 3
TEXTURE_SIZE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender-python", nargs="+", default=[MODULE_PYTHON], help="Pythons with the bpy module")
    parser.add_argument("--triangles", nargs="+", type=int, default=[10_000, 100_000, AT_TRIANGLES])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.triangles:
            write_result(count, Path(folder) / f"{count}.glb")
        for python in options.blender_python:
            command = [python, __file__, "--measure", folder]
            environment = {**os.environ, "BLENDER_USER_RESOURCES": str(Path(folder) / "profile")}
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            rows += json.loads((Path(folder) / "rows.json").read_text())
    report(rows)


def report(rows: list[dict[str, Any]]) -> None:
    write = sys.stdout.write
    write("| Blender | triangles | reading, s | main thread, s | in all, s | glTF importer, s | times as fast |\n")
    write("| --- " * 7 + "|\n")
    missed = False
    for row in rows:
        total = row["read"] + row["write"]
        missed |= row["triangles"] >= 0.99 * AT_TRIANGLES and row["speedup"] < LEAST_SPEEDUP
        write(f"| {row['blender']} | {row['triangles']:,} | {row['read']:.3f} | {row['write']:.3f} | {total:.3f} ")
        write(f"| {row['gltf']:.3f} | {row['speedup']:.1f} |\n")
    if missed:
        sys.exit("the limit was missed")


def write_result(triangles: int, path: Path) -> None:
    """A torus with smooth normals, a UV seam each way, and a base colour texture: what a result file looks like."""
    from omagen.io.glb_writer import write_glb
    from omagen.shapes import Material, Mesh, Texture

    side = round((triangles / 2) ** 0.5)
    i, j = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    around, across = 2 * np.pi * i / side, 2 * np.pi * j / side
    outward = np.stack([np.cos(around) * np.cos(across), np.sin(across), np.sin(around) * np.cos(across)], -1)
    center = np.stack([np.cos(around), np.zeros_like(around), np.sin(around)], -1)
    quads = [((i + a) % side) * side + (j + b) % side for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))]
    quad_uv = [np.stack([(i + a) / side, (j + b) / side], -1) for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))]
    faces = np.concatenate([np.stack([quads[k] for k in t], -1).reshape(-1, 3) for t in ((0, 1, 2), (0, 2, 3))])
    uv = np.concatenate([np.stack([quad_uv[k] for k in t], -2).reshape(-1, 3, 2) for t in ((0, 1, 2), (0, 2, 3))])
    normals = outward.reshape(-1, 3).astype(np.float32)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (TEXTURE_SIZE // 8, TEXTURE_SIZE // 8, 3), np.uint8)
    pixels = coarse.repeat(8, axis=0).repeat(8, axis=1)
    mesh = Mesh(
        (center + 0.4 * outward).reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        uv.astype(np.float32),
        normals[faces],
        materials=(Material("torus", roughness=0.5, base_color_texture=Texture(pixels)),),
    )
    write_glb(mesh, path, {"engine": "benchmark"})


def measure(folder: Path) -> None:
    """In Blender: both ways for every file, into `rows.json`."""
    import bpy

    spec = importlib.util.spec_from_file_location(
        "omagen_extension", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["omagen_extension"] = module
    spec.loader.exec_module(module)
    from omagen_extension.addon.scene.glb import read_object
    from omagen_extension.addon.scene.write_object import write_object

    rows = []
    for path in sorted(folder.glob("*.glb"), key=lambda path: int(path.stem)):
        runs = []
        for _ in range(1 + REPEATS):
            read, arrays = timed(lambda path=path: read_object(path.read_bytes()))
            write, obj = timed(lambda arrays=arrays: write_object(bpy.context, arrays, "ours"))
            ours = content(obj)
            gltf, _ = timed(lambda path=path: bpy.ops.import_scene.gltf(filepath=str(path)))
            require_equal(ours, content(bpy.context.object))
            runs.append((read, write, gltf, gltf / (read + write)))
        medians = zip(*runs[1:], strict=True)  # the first run warms up
        names = ("read", "write", "gltf", "speedup")
        row = dict(zip(names, map(statistics.median, medians), strict=True))
        rows.append({"blender": bpy.app.version_string, "triangles": arrays.triangles, **row})
    (folder / "rows.json").write_text(json.dumps(rows))
    # The bpy module may crash on its way out; everything that matters has been written.
    os._exit(0)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that `work` took in an empty scene, and what it made."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


def content(obj: Any) -> dict[str, np.ndarray]:
    """What an importer made, by corner: vertices may be shared in one and split in the other."""
    mesh = obj.data
    if mesh.validate():
        sys.exit(f"{mesh.name} is not valid")

    def values(collection: Any, attribute: str, width: int, dtype: Any = np.float32) -> np.ndarray:
        array = np.empty(len(collection) * width, dtype)
        collection.foreach_get(attribute, array)
        return array.reshape(-1, width)

    corners = values(mesh.loops, "vertex_index", 1, np.int32)[:, 0]
    nodes = obj.active_material.node_tree.nodes
    image = next(node.image for node in nodes if node.type == "TEX_IMAGE")
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    return {
        "position": values(mesh.vertices, "co", 3)[corners],
        "uv": values(mesh.uv_layers.active.uv, "vector", 2),
        "normal": values(mesh.corner_normals, "vector", 3),
        "pixels": np.array(image.pixels[:], np.float32),
        "roughness": np.array([shader.inputs["Roughness"].default_value]),
        "metallic": np.array([shader.inputs["Metallic"].default_value]),
        "base color is textured": np.array([shader.inputs["Base Color"].is_linked]),
    }


def require_equal(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Equal to float32's rounding; normals to half a degree, within which `write_object` may take Blender's own."""
    for key, array in ours.items():
        tolerance = 1e-2 if key == "normal" else 1e-6
        if array.shape != theirs[key].shape or not np.allclose(array, theirs[key], atol=tolerance, rtol=0):
            sys.exit(f"the two importers disagree about: {key}")


if __name__ == "__main__":
    main()
