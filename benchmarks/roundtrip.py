"""Mesh -> omage -> mesh: how much is lost, beside centre sampling of the same charts at the same places.

    python benchmarks/roundtrip.py [MESH ...] [--resolutions 64 256 1024] [--json]

Without meshes: all of the shared test assets. Distances are point to surface, over the diagonal. Limits, for geometric
means over all meshes and over four typical ones: Chamfer at most 0.42 times that of centre sampling, 0.48 at 64; mean
seam gap at most 0.01 times from 256 pixels on. For each mesh: as many boundary loops and pieces as before, non-manifold
edges only where it has some, from 256 pixels on no component lost. Status 1: one was missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
CHAMFER_LIMIT, COARSE_CHAMFER_LIMIT = 0.42, 0.48
SEAM_LIMIT = 0.01
COARSE = 64
TYPICAL = frozenset({"water_bottle_pbr", "spot", "table_palette_overlapping_uv", "mountain_open_boundary"})
FLOOR = 1e-7
"""Distances below are float32's own."""
LEAST_RATIO = 1e-3
"""Flat meshes come back exactly; no single one may decide a mean."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="*", type=Path)
    parser.add_argument("--resolutions", nargs="+", type=int, default=[64, 256, 512, 1024])
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of tables")
    options = parser.parse_args()
    missed: list[str] = []
    for resolution in options.resolutions:
        rows = []
        if not options.json:
            write_head(resolution)
        for mesh in options.meshes or assets():
            row = measure(mesh, resolution)
            sys.stdout.write(json.dumps(row) + "\n" if options.json else line(row))
            sys.stdout.flush()
            rows.append(row)
        missed += summary(rows, resolution, quiet=options.json)
    for sentence in missed:
        sys.stderr.write(f"missed: {sentence}\n")
    return bool(missed)


def assets() -> list[Path]:
    from places import SHARED

    folder = SHARED / "assets" / "meshes"
    return sorted([*folder.glob("*.glb"), *folder.glob("*/*.obj")])


def measure(path: Path, resolution: int) -> dict[str, Any]:
    """Both ways of sampling, on one layout; `centre` is None where centre sampling leaves no surface."""
    from centre_sampling import centre_sampled
    from omagen.io.meshes import read_mesh
    from omagen.omage.decode import decode
    from omagen.omage.encode import encode_with_layout
    from omagen.omage.quality import roundtrip_quality, seam_midpoints
    from omagen.protocol import OmagenError

    mesh, _ = read_mesh(path)
    row: dict[str, Any] = {"mesh": path.stem, "resolution": resolution}
    try:
        begin = time.process_time()
        omage, report, layout = encode_with_layout(mesh, resolution)
        row["seconds"] = time.process_time() - begin
        seams = seam_midpoints(layout.atlas)
        ours = roundtrip_quality(mesh, omage, decode(omage)[0], seam_points=seams)
    except OmagenError as error:
        return row | {"error": str(error)}
    row |= {"report": report, "ours": ours}
    try:
        centre = centre_sampled(mesh, layout)
        plain, _ = decode(centre, close_seams=False, fill_holes=False, remove_outliers=False)
        return row | {"centre": roundtrip_quality(mesh, centre, plain, seam_points=seams)}
    except OmagenError:  # nothing of the mesh has survived that
        return row | {"centre": None}


def faults(row: dict[str, Any]) -> list[str]:
    """What must hold for each mesh by itself and does not."""
    if "error" in row:
        return [row["error"]]
    source, decoded = row["ours"]["source"], row["ours"]["decoded"]
    found = []
    if source["boundary_loops"] != decoded["boundary_loops"]:
        found.append(f"{source['boundary_loops']} boundary loops became {decoded['boundary_loops']}")
    if source["components"] != decoded["components"]:
        found.append(f"{source['components']} components became {decoded['components']}")
    if bool(source["non_manifold_edges"]) != bool(decoded["non_manifold_edges"]):
        found.append(f"{source['non_manifold_edges']} non-manifold edges became {decoded['non_manifold_edges']}")
    lost = row["ours"]["lost_components"]
    if lost and row["resolution"] > COARSE:
        found.append(f"{lost} components lost")
    return found


def write_head(resolution: int) -> None:
    columns = (
        f"at {resolution}", "charts", "occupied", "CPU s", "Chamfer centre", "ours", "ratio", "seam gap centre", "ours",
        "ratio", "area", "loops", "non-manifold", "lost: centre", "ours", "albedo dB", "normals °", "faults",
    )  # fmt: skip
    sys.stdout.write(f"\n| {' | '.join(columns)} |\n" + "| --- " * len(columns) + "|\n")


def line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"| {row['mesh']} | {row['error']} |\n"
    ours, centre = row["ours"], row["centre"]
    attributes = ours["attributes"]
    cells = (
        row["mesh"],
        f"{row['report']['charts']:,}",
        f"{ours['occupancy']:.0%}",
        f"{row['seconds']:.1f}",
        f"{centre['chamfer']:.1e}" if centre else "nothing left",
        f"{ours['chamfer']:.1e}",
        f"{ratio(row, 'chamfer'):.2f}" if centre else "",
        f"{centre['seam_gap']['mean']:.1e}" if centre else "",
        f"{ours['seam_gap']['mean']:.1e}",
        f"{ratio(row, 'seam_gap'):.4f}" if centre else "",
        f"{ours['area_ratio']:.3f}",
        f"{ours['source']['boundary_loops']} → {ours['decoded']['boundary_loops']}",
        f"{ours['source']['non_manifold_edges']} → {ours['decoded']['non_manifold_edges']}",
        str(centre["lost_components"]) if centre else "all",
        str(ours["lost_components"]),
        f"{attributes['albedo_psnr']:.1f}" if attributes["albedo_psnr"] is not None else "",
        f"{attributes['normal_angle']:.2f}",
        "; ".join(faults(row)),
    )
    return f"| {' | '.join(cells)} |\n"


def ratio(row: dict[str, Any], what: str) -> float:
    ours, centre = row["ours"][what], row["centre"][what]
    if what == "seam_gap":
        ours, centre = ours["mean"], centre["mean"]
    return max(max(ours, FLOOR) / max(centre, FLOOR), LEAST_RATIO)


def summary(rows: list[dict[str, Any]], resolution: int, *, quiet: bool) -> list[str]:
    """The limits that were missed at one resolution; writes the geometric means."""
    done = [row for row in rows if row.get("centre")]
    typical = [row for row in done if row["mesh"] in TYPICAL]
    missed = [f"{row['mesh']} at {resolution}: {fault}" for row in rows for fault in faults(row)]
    limits = {"chamfer": COARSE_CHAMFER_LIMIT if resolution <= COARSE else CHAMFER_LIMIT}
    limits["seam_gap"] = math.inf if resolution <= COARSE else SEAM_LIMIT
    for what, limit in limits.items():
        for group, members in (("all", done), ("typical", typical)):
            logs = [math.log(ratio(row, what)) for row in members if has_seams(row) or what == "chamfer"]
            if not logs:
                continue
            mean = math.exp(sum(logs) / len(logs))
            name = f"{what.replace('_', ' ')} at {resolution}, {group} meshes"
            if not quiet:
                sys.stdout.write(f"\n{name}: {mean:.4f} times centre sampling, limit {limit:g}\n")
            if mean > limit:
                missed.append(f"{name}: {mean:.4f} times centre sampling, limit {limit:g}")
    return missed


def has_seams(row: dict[str, Any]) -> bool:
    return row["centre"]["seam_gap"]["max"] > FLOOR


if __name__ == "__main__":
    sys.exit(main())
