"""omagen decode: omages become meshes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from omagen.commands.options import add_reference_option, resolution
from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.commands.conversions import Conversion

_EXAMPLES = """examples:
  omagen decode chair -o chair.glb
      a folder of pictures, *.omage or *.npz becomes a mesh with UVs and materials
  omagen decode chair.omage -o chair-low.glb --resolution 128
      fewer triangles, the same pictures on them
  omagen decode generated/ -o meshes/ --jobs 4
      every omage below a folder; run it again after an interruption and it goes on where it was
"""

_REPAIRS: Final = {
    "--close-seams": "join charts whose borders nearly meet (auto: where the omage does not say what belongs together)",
    "--fill-holes": "close small holes (auto: likewise)",
    "--remove-outliers": "drop pixels far from their neighbours (auto: likewise)",
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    from omagen.commands.converting import add_conversion_options

    parser = subparsers.add_parser(
        "decode",
        help="turn omages into meshes",
        description="Decode each omage to a welded, UV-mapped mesh with materials, in a GLB file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("omages", nargs="+", metavar="OMAGE", help="*.omage, *.npz, a folder of pictures, or of omages")
    parser.add_argument(
        "-o", "--output", default="", metavar="PATH", help="*.glb, or folder (default: the current folder)"
    )
    parser.add_argument(
        "--resolution", type=resolution, default=0, metavar="R", help="of the mesh; the pictures keep theirs"
    )
    for option, effect in _REPAIRS.items():
        parser.add_argument(option, choices=("auto", "yes", "no"), default="auto", help=effect)
    add_reference_option(parser, "triangles exactly as published, with their defects")
    add_conversion_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.converting import Converter
    from omagen.commands.omage_work import decode_file

    conversions, folder = _plan(args)
    names = ("resolution", "close_seams", "fill_holes", "remove_outliers", "reference")
    settings = {name: getattr(args, name) for name in names}
    return Converter(args, decode_file, settings, folder, _sentence).run(conversions)


def _plan(args: argparse.Namespace) -> tuple[list[Conversion], Path | None]:
    """What to convert, and the folder of the results where there may be several."""
    from omagen.commands.conversions import Conversion, is_omage, plan_folder

    target = Path(args.output).expanduser()
    source = Path(args.omages[0]).expanduser()
    is_single = len(args.omages) == 1 and (is_omage(source) or not source.is_dir())
    into_folder = not args.output or args.output.endswith(("/", "\\")) or target.is_dir()
    if is_single and not into_folder:
        target = target if target.suffix else target.with_suffix(".glb")
        if target.suffix.lower() != ".glb":
            raise OmagenError(ErrorCode.INPUT, f"The result cannot be a {target.suffix} file.", "Name it *.glb.")
        return [Conversion(source, target)], None
    if target.suffix.lower() == ".glb" and not target.is_dir():
        raise OmagenError(ErrorCode.INPUT, f"{args.output} is one file.", "Several results need a folder.")
    return plan_folder(args.omages, target, ".glb", is_omage), None if is_single else target


def _sentence(output: Path, result: dict[str, Any]) -> str:
    report = result["report"]
    facts = [f"{report['triangles']:,} triangles", "watertight" if report["watertight"] else "open"]
    return f"{output}: {', '.join(facts)}, {result['seconds']:.1f} s"
