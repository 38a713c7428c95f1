"""omagen inspect: what there is to know about a mesh before using it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from omagen.commands.exits import DONE, FAILED, USAGE, tell
from omagen.commands.options import add_json_option
from omagen.commands.text import write_json, write_table
from omagen.protocol import ErrorCode, OmagenError

_EXAMPLES = """examples:
  omagen inspect chair.glb
      faces, holes, UVs, textures: what is sound and what is not
  omagen inspect models/*.glb --json
      one JSON object on a line for each
"""
_ROWS: Final = (
    ("triangles", "Triangles"),
    ("quads", "Quads among them"),
    ("vertices", "Vertices"),
    ("components", "Pieces"),
    ("watertight", "Watertight"),
    ("consistent_winding", "Faces agree on the outside"),
    ("open_edges", "Open edges"),
    ("non_manifold_edges", "Edges of three faces or more"),
    ("degenerate_faces", "Faces without area"),
    ("self_intersections", "Faces that cross, in pairs"),
    ("size_m", "Size, metres"),
    ("materials", "Materials"),
    ("texture_size", "Texture, pixels"),
    ("texture_coverage", "Surface with textures"),
    ("uv_charts", "UV charts"),
    ("fill", "UV square in use"),
    ("uv_overlap", "UVs on top of others"),
    ("stretch", "UV stretch (1 is none)"),
    ("texel_density", "Texels per metre"),
)
_SHARES: Final = frozenset({"texture_coverage", "fill", "uv_overlap"})


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="report on meshes: holes, UVs, textures",
        description="Report on each mesh (GLB, glTF, OBJ, PLY, STL). Vertices in one place count as one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("meshes", nargs="+", metavar="MESH", help="a mesh file")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    failed = [name for name in args.meshes if not _inspected(name, args)]
    if not failed:
        return DONE
    return USAGE if len(args.meshes) == 1 else FAILED


def _inspected(name: str, args: argparse.Namespace) -> bool:
    """Write the report on one mesh; where it cannot be read say so, and return False."""
    from omagen.geometry.cleaning import join_places
    from omagen.geometry.quality import quality_report
    from omagen.io.meshes import read_mesh

    path = Path(name).expanduser()
    try:
        if not path.is_file():
            raise OmagenError(ErrorCode.INPUT, f"There is no file {name}.", "Check its name.")
        mesh, warnings = read_mesh(path)
    except OmagenError as error:
        tell(error, name if len(args.meshes) > 1 else "")
        return False
    report = quality_report(join_places(mesh))
    if args.json:
        write_json({"input": name, "warnings": list(warnings), "report": report})
        return True
    if len(args.meshes) > 1:
        sys.stdout.write(f"{name}\n")
    write_table([(title, _words(key, report[key])) for key, title in _ROWS])
    sys.stdout.write("".join(f"note: {warning}\n" for warning in warnings))
    return True


def _words(key: str, value: Any) -> str:
    if value is None:
        return "not counted, too many faces" if key == "self_intersections" else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return f"{value['mean']:,.4g}, varying by a factor of {2 ** value['spread']:.2f}"
    if isinstance(value, list):
        return " x ".join(f"{side:,.4g}" for side in value)
    if key in _SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
