"""Finishing, stage by stage beside the library that one would otherwise use, and every shared mesh as a whole.

    python benchmarks/finish.py [--only decimate|unwrap|clean|whole …] [--meshes GLB …] [--json]

decimate: against Blender's Decimate modifier (limit: 1.1 times its error at the same count) and fast-simplification
with its defaults. Error is the mean distance of the surfaces both ways, as a share of the diagonal. unwrap: 50,000
faces of a mesh against xatlas with its defaults, by processor time, charts and stretch. clean: against trimesh's
processing with its repairs (winding, normals, holes), by what is left wrong. whole: default settings; limits: 60 s for
each, as processor time on two cores, and watertight where the input was. Status 1: over a limit. Compiled kernels are
warm.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
ASSETS = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared")) / "assets" / "meshes"
STAGES = ("decimate", "unwrap", "clean", "whole")
DECIMATED = (("koala_vertex_colors_no_uv_100k.glb", 20_000), ("koala_mc_880k.glb", 100_000))
CLEANED = ("nonmanifold_fins.glb", "degenerate_tiny_far.glb", "bike_many_components.glb")
TIMES_BLENDERS_ERROR, LIMIT_S = 1.1, 60.0

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=STAGES, default=STAGES)
    parser.add_argument("--meshes", nargs="*", type=Path, help="for `whole` (default: all shared ones)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--blender", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.blender:
        return blender_decimate(*options.blender)
    rows: list[Row] = []
    for stage in options.only:
        found = {"decimate": decimate, "unwrap": unwrap, "clean": clean, "whole": lambda: whole(options.meshes)}[
            stage
        ]()
        rows += found
        if not options.json:
            sys.stdout.write(f"\n{stage}\n\n{table(found)}")
            sys.stdout.flush()
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    missed = [row for row in rows if row.get("missed")]
    sys.stderr.write("".join(f"missed: {row['mesh']}: {row['missed']}\n" for row in missed))
    return bool(missed)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and its processor seconds, those of processes that it started included."""
    begin = processor_s()
    return work(), processor_s() - begin


def processor_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def read(name: str | Path) -> Any:
    from omagen.io.meshes import read_mesh

    return read_mesh(ASSETS / name)[0]


def welded(name: str) -> Any:
    """Places and faces only, without faces that name a vertex twice."""
    from omagen.geometry.cleaning import drop_unused_vertices, join_places, keep_faces
    from omagen.shapes import Mesh

    mesh = join_places(read(name))
    a, b, c = mesh.faces.T
    return drop_unused_vertices(keep_faces(Mesh(mesh.vertices, mesh.faces), (a != b) & (b != c) & (c != a)))


def decimate() -> list[Row]:
    import fast_simplification
    from omagen.geometry.decimation import decimate as ours
    from omagen.shapes import Mesh

    ours(welded("nonmanifold_fins.glb"), 100)  # kernels
    rows = []
    for name, target in DECIMATED:
        mesh = welded(name)
        made, seconds = timed(lambda mesh=mesh, target=target: ours(mesh, target).mesh)
        rows.append(decimated(name, "ours", mesh, made, seconds))
        (points, faces), seconds = timed(
            lambda mesh=mesh, target=target: fast_simplification.simplify(
                mesh.vertices, mesh.faces, target_count=target
            )
        )
        rows.append(decimated(name, "fast-simplification", mesh, Mesh(points, faces.astype(np.int32)), seconds))
        if Path(MODULE_PYTHON).exists():
            peer, seconds = by_blender(mesh, target)
            rows.append(decimated(name, "Blender Decimate", mesh, peer, seconds))
            ratio = rows[-3]["error"] / rows[-1]["error"]
            rows[-3]["of Blender's error"] = round(ratio, 3)
            if ratio > TIMES_BLENDERS_ERROR:
                rows[-3]["missed"] = f"{ratio:.2f} times Blender's error"
    return rows


def decimated(name: str, what: str, before: Any, after: Any, seconds: float) -> Row:
    from omagen.geometry.distance import surface_distance
    from omagen.geometry.topology import borders

    found, edges = surface_distance(before, after), borders(after.faces)
    return {
        "mesh": name, "by": what, "cpu_s": round(seconds, 2), "faces": len(after.faces),
        "error": float(f"{found['chamfer']:.3g}"), "largest": float(f"{found['max']:.3g}"),
        "open": len(edges.open_edges), "non_manifold": len(edges.non_manifold_edges),
    }  # fmt: skip


def by_blender(mesh: Any, target: int) -> tuple[Any, float]:
    from omagen.shapes import Mesh

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npz", Path(folder) / "made.npz"
        np.savez(given, vertices=mesh.vertices, faces=mesh.faces)
        command = [MODULE_PYTHON, __file__, "--blender", str(given), str(made), str(target)]
        subprocess.run(
            command, check=False, stdout=subprocess.DEVNULL, env={**os.environ, "BLENDER_USER_RESOURCES": folder}
        )
        with np.load(made) as found:
            return Mesh(found["vertices"], found["faces"]), float(found["seconds"])


def blender_decimate(given: str, made: str, target: str) -> int:
    """In the bpy module."""
    import bpy

    with np.load(given) as arrays:
        vertices, faces = arrays["vertices"], arrays["faces"]
    data = bpy.data.meshes.new("mesh")
    data.from_pydata(vertices, [], faces.tolist())
    item = bpy.data.objects.new("mesh", data)
    bpy.context.collection.objects.link(item)
    begin = time.process_time()
    item.modifiers.new("decimate", "DECIMATE").ratio = int(target) / len(faces)
    result = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    seconds = time.process_time() - begin
    result.calc_loop_triangles()
    places, corners = np.empty(3 * len(result.vertices), np.float32), np.empty(3 * len(result.loop_triangles), np.int32)
    result.vertices.foreach_get("co", places)
    result.loop_triangles.foreach_get("vertices", corners)
    np.savez(made, vertices=places.reshape(-1, 3), faces=corners.reshape(-1, 3), seconds=seconds)
    os._exit(0)  # some versions of the module crash in their own clean-up


def unwrap() -> list[Row]:
    from dataclasses import replace

    import xatlas
    from omagen.geometry.decimation import decimate as simplified
    from omagen.geometry.texture_layout import unwrap as ours
    from omagen.kernels.samples import ball

    ours(ball(132, 66), 1024, lambda stage, part: None)
    rows = []
    for name in ("koala_mc_880k.glb", "koala_vertex_colors_no_uv_100k.glb"):
        mesh = simplified(welded(name), 50_000).mesh
        made, seconds = timed(lambda mesh=mesh: ours(mesh, 2048, lambda stage, part: None))
        rows.append({"mesh": name, "by": "ours", "cpu_s": round(seconds, 2), **facts(replace(mesh, uv=made.uv))})
        (_, indices, uv), seconds = timed(lambda mesh=mesh: xatlas.parametrize(mesh.vertices, mesh.faces))
        peer = replace(mesh, uv=np.ascontiguousarray(uv[indices], np.float32))
        rows.append({"mesh": name, "by": "xatlas", "cpu_s": round(seconds, 2), **facts(peer)})
    return rows


def facts(mesh: Any) -> Row:
    from omagen.geometry.quality import quality_report

    report = quality_report(mesh)
    keys = {"uv_charts": "charts", "fill": "fill", "uv_overlap": "overlap", "stretch": "stretch"}
    return {title: report[key] for key, title in keys.items()} | {"spread": report["texel_density"]["spread"]}


def clean() -> list[Row]:
    import trimesh
    from omagen.finish.cleaning import clean as ours
    from omagen.finish.settings import FinishSettings
    from omagen.shapes import Mesh

    settings = FinishSettings()
    ours(read(CLEANED[0]), settings, lambda share: None, is_baked=True)
    rows = []
    for name in CLEANED:
        given = read(name)
        rows.append({"mesh": name, "by": "(as it is)", "cpu_s": 0.0, **wrongs(welded(name))})
        (made, _), seconds = timed(lambda given=given: ours(given, settings, lambda share: None, is_baked=True))
        rows.append({"mesh": name, "by": "ours", "cpu_s": round(seconds, 2), **wrongs(made)})
        if rows[-1]["non_manifold"]:
            rows[-1]["missed"] = "edges of three faces are left"

        def theirs(given: Any = given) -> Any:
            mesh = trimesh.Trimesh(given.vertices, given.faces, process=True, validate=True)
            trimesh.repair.fix_winding(mesh)
            trimesh.repair.fix_inversion(mesh, multibody=True)
            trimesh.repair.fill_holes(mesh)
            return mesh

        mesh, seconds = timed(theirs)
        peer = Mesh(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32))
        rows.append({"mesh": name, "by": "trimesh", "cpu_s": round(seconds, 2), **wrongs(peer)})
    return rows


def wrongs(mesh: Any) -> Row:
    from omagen.geometry.quality import quality_report

    report = quality_report(mesh)
    keys = {"triangles": "faces", "watertight": "watertight", "consistent_winding": "consistent", "open_edges": "open",
            "non_manifold_edges": "non_manifold", "degenerate_faces": "flat"}  # fmt: skip
    return {title: report[key] for key, title in keys.items()}


class Quiet:
    def __call__(self, stage: str, fraction: float) -> None: ...

    def warn(self, message: str) -> None: ...


def whole(meshes: Sequence[Path] | None) -> list[Row]:
    from omagen.finish.pipeline import finish_mesh
    from omagen.finish.settings import FinishSettings
    from omagen.geometry.cleaning import join_places
    from omagen.geometry.quality import quality_report
    from omagen.kernels.tasks import finish_meshes

    finish_meshes()
    rows = []
    for path in meshes or sorted(ASSETS.glob("*.glb")):
        given = read(path)
        begin = time.perf_counter()
        (made, report), seconds = timed(lambda given=given: finish_mesh(given, FinishSettings(), Quiet()))
        wall = time.perf_counter() - begin
        before, after = quality_report(join_places(given)), quality_report(made)
        row = {
            "mesh": path.name, "faces": len(given.faces), "delivered": report["simplify"]["delivered"],
            "wall_s": round(wall, 1), "cpu_s": round(seconds, 1),
            **{name: f"{stage['seconds']:.1f}" if stage["state"] == "done" else stage["state"]
               for name, stage in report.items()},
            "watertight": f"{before['watertight']} -> {after['watertight']}",
            "non_manifold": after["non_manifold_edges"], "charts": after["uv_charts"],
        }  # fmt: skip
        if seconds > LIMIT_S or (before["watertight"] and not after["watertight"]):
            row["missed"] = f"{seconds:.0f} s" if seconds > LIMIT_S else "no longer watertight"
        rows.append(row)
    return rows


def table(rows: list[Row]) -> str:
    titles = list(dict.fromkeys(title for row in rows for title in row))
    lines = [titles, ["---"] * len(titles), *([str(row.get(title, "")) for title in titles] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
