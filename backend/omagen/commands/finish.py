"""omagen finish: meshes become clean, light, UV-mapped and textured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.commands.conversions import Conversion

_EXAMPLES = """examples:
  omagen finish scan.ply -o scan.glb
      repaired, at most 50,000 faces, UVs, colour and normal textures
  omagen finish scan.glb -o prop.glb --faces 5000 --texture 1024 --lods 4
      for a game: prop.glb, prop_lod1.glb, prop_lod2.glb, prop_lod3.glb, each with half the faces
  omagen finish statue.glb -o quads.glb --quads --faces 8000
      four-sided faces of even size
  omagen finish chair.glb -o chair2.glb --unwrap keep --materials keep
      checks and reports only: faces, UVs and materials stay exactly as they are
  omagen finish scans/ -o finished/ --jobs 2
      every mesh below a folder; run it again after an interruption and it goes on where it was

What could not be done as asked is said, never hidden. `omagen inspect` reports on a mesh.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    from omagen.commands.converting import add_conversion_options
    from omagen.finish.settings import MAPS, FinishSettings

    default = FinishSettings()
    parser = subparsers.add_parser(
        "finish",
        help="make meshes clean, light, UV-mapped and textured",
        description="Clean, simplify, unwrap and texture each mesh (GLB, glTF, OBJ, PLY, STL).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("meshes", nargs="+", metavar="MESH", help="a mesh file, or a folder of them")
    parser.add_argument(
        "-o", "--output", default="", metavar="PATH",
        help="for one mesh: *.glb; for several the folder of the results (default: the current folder)",
    )  # fmt: skip
    parser.add_argument(
        "--faces", type=int, default=default.faces, metavar="N", help=f"most faces; 0: all ({default.faces})"
    )
    parser.add_argument("--quads", action="store_true", help="a new surface of four-sided faces")
    parser.add_argument(
        "--unwrap", choices=("auto", "keep", "unwrap"), default="auto", help="keep UVs, or make new ones"
    )
    parser.add_argument(
        "--materials", choices=("bake", "keep"), default="bake", help="bake one material, or leave them as they are"
    )
    parser.add_argument(
        "--texture", type=int, default=default.texture, metavar="PIXELS", help=f"a side ({default.texture})"
    )
    parser.add_argument(
        "--maps", metavar="MAP,…", help=f"which textures: {', '.join(MAPS)} (default: what the mesh needs)"
    )
    parser.add_argument(
        "--lods", type=int, default=1, metavar="N", help="levels of detail, each with half the faces (1)"
    )
    parser.add_argument("--no-clean", dest="clean", action="store_false", help="repair nothing")
    parser.add_argument(
        "--smallest-part", type=float, default=default.smallest_part, metavar="SHARE",
        help=f"of the whole's size, below which loose parts are dropped ({default.smallest_part})",
    )  # fmt: skip
    parser.add_argument(
        "--largest-hole", type=float, default=default.largest_hole, metavar="SHARE",
        help=f"of the whole's size, up to which borders are closed ({default.largest_hole})",
    )  # fmt: skip
    add_conversion_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.converting import Converter
    from omagen.commands.finish_work import finish_file
    from omagen.finish.settings import FinishSettings

    fields = ("faces", "unwrap", "materials", "texture", "lods", "clean", "smallest_part", "largest_hole")
    maps = None if args.maps is None else frozenset(filter(None, args.maps.split(",")))
    settings = FinishSettings(
        **{name: getattr(args, name) for name in fields}, remesh="quads" if args.quads else "none", maps=maps
    ).checked()
    conversions, folder = _plan(args)
    return Converter(args, finish_file, settings.to_json(), folder, _sentence).run(conversions)


def _plan(args: argparse.Namespace) -> tuple[list[Conversion], Path | None]:
    """What to convert, and the folder of the results where there may be several."""
    from omagen.commands.conversions import Conversion, is_mesh, plan_folder

    target, source = Path(args.output).expanduser(), Path(args.meshes[0]).expanduser()
    is_one = len(args.meshes) == 1 and not source.is_dir()
    if args.output and is_one and not target.is_dir():
        if target.suffix.lower() != ".glb":
            raise OmagenError(ErrorCode.INPUT, f"The result cannot be {target.name}.", "Name it *.glb.")
        return [Conversion(source, target)], None
    if target.suffix.lower() == ".glb":
        raise OmagenError(ErrorCode.INPUT, f"{args.output} is one file.", "Several results need a folder.")
    return plan_folder(args.meshes, target, ".glb", is_mesh), None if is_one else target


def _sentence(output: Path, result: dict[str, Any]) -> str:
    report = result["report"]
    stages = report["finish"]
    facts = [f"{report['triangles'] - report['quads']:,} faces"]
    if stages["simplify"].get("before", 0) > report["triangles"]:
        facts[0] += f" of {stages['simplify']['before']:,}"
    facts.append("watertight" if report["watertight"] else f"{report['open_edges']:,} open edges")
    if report["uv_charts"]:
        facts.append(f"{report['uv_charts']:,} charts")
    if stages["bake"]["state"] == "done":
        facts.append(f"textures of {stages['bake']['delivered']:,} pixels")
    if len(report.get("level_triangles", ())) > 1:
        facts.append(f"{len(report['level_triangles'])} levels")
    return f"{output}: {', '.join(facts)}, {result['seconds']:.1f} s"
