"""omagen encode: meshes become omages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from omagen.commands.options import add_reference_option, resolution
from omagen.omage_layout import FILES, HEADER_FILE, SUFFIX
from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.commands.conversions import Conversion

_FORMATS: Final = {"omage": SUFFIX, "npz": ".npz", "folder": ""}
_EXAMPLES = """examples:
  omagen encode chair.glb -o chair
      a folder of pictures that can be opened and edited: geometry.png, normal.png, albedo.png …
  omagen encode chair.glb -o chair.omage --resolution 512
      the same in one file; chair.npz is the published array layout
  omagen encode scans/ -o omages/ --jobs 4
      every mesh below a folder; run it again after an interruption and it goes on where it was
  omagen encode chair.glb -o chair --uv unwrap --measure
      new UVs even where the mesh has good ones; says how much the round trip changes the object

The pictures can be edited with any program; `omagen decode` turns them into a mesh again.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    from omagen.commands.converting import add_conversion_options

    parser = subparsers.add_parser(
        "encode",
        help="turn meshes into omages: objects as pictures",
        description="Encode each mesh (GLB, glTF, OBJ, PLY, STL) with its materials as an omage.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("meshes", nargs="+", metavar="MESH", help="a mesh file, or a folder of them")
    parser.add_argument(
        "-o",
        "--output",
        default="",
        metavar="PATH",
        help="for one mesh: *.omage, *.npz, or else a folder of pictures; for several the folder of the results "
        "(default: *.omage in the current folder)",
    )
    parser.add_argument("--resolution", type=resolution, default=1024, metavar="R", help="pixels a side (1024)")
    parser.add_argument(
        "--uv",
        choices=("auto", "keep", "unwrap"),
        default="auto",
        help="auto uses the mesh's UVs where they serve, keep insists on them, unwrap ignores them",
    )
    parser.add_argument("--format", choices=tuple(_FORMATS), help="of the results in a folder (default: omage)")
    parser.add_argument("--measure", action="store_true", help="decode again and report every difference")
    add_reference_option(parser, "use the published encoder's sampling rule, with its losses at the charts' borders")
    add_conversion_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.converting import Converter
    from omagen.commands.omage_work import encode_file

    if args.reference and args.uv == "unwrap":
        raise OmagenError(ErrorCode.INPUT, "The published encoder cannot unwrap.", "Leave out --uv or --reference.")
    conversions, folder = _plan(args)
    settings = {name: getattr(args, name) for name in ("resolution", "uv", "reference", "measure")}
    return Converter(args, encode_file, settings, folder, _sentence).run(conversions)


def _plan(args: argparse.Namespace) -> tuple[list[Conversion], Path | None]:
    """What to convert, and the folder of the results where there may be several."""
    from omagen.commands.conversions import Conversion, is_mesh, plan_folder

    target = Path(args.output).expanduser()
    source = Path(args.meshes[0]).expanduser()
    if args.output and len(args.meshes) == 1 and not source.is_dir():
        if target.suffix.lower() not in (SUFFIX, ".npz"):
            _check_folder(target)
        return [Conversion(source, target)], None
    if target.suffix.lower() in (SUFFIX, ".npz"):
        raise OmagenError(ErrorCode.INPUT, f"{args.output} is one file.", "Several results need a folder.")
    conversions = plan_folder(args.meshes, target, _FORMATS[args.format or "omage"], is_mesh)
    return conversions, target if len(args.meshes) > 1 or source.is_dir() else None


def _check_folder(folder: Path) -> None:
    """Refuse to mix pictures into a folder that is something else."""
    from omagen.commands.conversions import MESH_SUFFIXES

    if folder.is_file():
        raise OmagenError(ErrorCode.INPUT, f"{folder} is a file.", f"Name a folder, *{SUFFIX} or *.npz.")
    if folder.suffix.lower() in MESH_SUFFIXES:
        raise OmagenError(
            ErrorCode.INPUT, f"The result cannot be a {folder.suffix} file.", f"Name a folder, *{SUFFIX} or *.npz."
        )
    if folder.is_dir() and not (folder / HEADER_FILE).exists() and any((folder / name).exists() for name in FILES):
        raise OmagenError(
            ErrorCode.INPUT, f"{folder} holds pictures that are not Omagen's.", "Choose another folder with -o."
        )


def _sentence(output: Path, result: dict[str, Any]) -> str:
    report = result["report"]
    facts = [f"{report['resolution']} x {report['resolution']}", f"{report['occupancy']:.0%} occupied"]
    if "charts" in report:
        facts.append(f"{report['charts']:,} charts")
    if report.get("lost_components"):
        facts.append(f"{report['lost_components']:,} of {report['components']:,} components lost")
    if measured := result.get("measured"):
        facts.append(f"Chamfer {measured['chamfer']:.1e} of the size")
    return f"{output}: {', '.join(facts)}, {result['seconds']:.1f} s"
