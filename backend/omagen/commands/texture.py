"""omagen texture: pictures onto meshes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from omagen.protocol import ErrorCode, OmagenError

SIDES: Final = ("front", "right", "back", "left", "top", "bottom")
_EXAMPLES = """examples:
  omagen texture robot.glb --front robot.png -o textured.glb
      one picture, fitted to the mesh's outline from the front; the back continues its colours
  omagen texture robot.glb --front a.png --back b.png --left c.png -o textured.glb --uv keep
      several; UVs, faces and all maps but the base colour stay exactly as they are
  omagen texture statue.glb --cameras cameras.json -o textured.glb
      photographs with known cameras: a list of objects with "picture" (a path), "kind" ("perspective" or
      "orthographic"), "size" (vertical field of view in radians, or height in metres), "aspect" (width / height) and
      "world_from_camera" (16 numbers, row by row; +Y up, the camera looks along its -Z)

The front of a mesh is +Z, as in glTF. Pictures without opacity are cut out, except those with cameras.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    from omagen.commands.converting import add_conversion_options

    parser = subparsers.add_parser(
        "texture",
        help="project pictures onto a mesh",
        description="Give a mesh (GLB, glTF, OBJ, PLY, STL) the colours of pictures of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", help="a mesh file")
    parser.add_argument("-o", "--output", required=True, metavar="PATH", help="*.glb")
    for side in SIDES:
        parser.add_argument(f"--{side}", metavar="PICTURE", help=f"the object seen from the {side}")
    parser.add_argument("--cameras", metavar="FILE", help="JSON: more pictures, with their cameras")
    parser.add_argument("--texture", type=int, default=2048, metavar="PIXELS", help="a side (2048)")
    parser.add_argument(
        "--unseen",
        choices=("fill", "mirror", "keep"),
        default="fill",
        help="over what no picture shows: continue the colours, mirror the pictures, or keep the mesh's colours",
    )
    parser.add_argument("--uv", choices=("auto", "keep", "unwrap"), default="auto", help="keep UVs, or make new ones")
    parser.add_argument(
        "--sharpness", type=float, default=4.0, metavar="N", help="of the blending between pictures (4)"
    )
    add_conversion_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.conversions import Conversion
    from omagen.commands.converting import Converter
    from omagen.commands.texture_work import texture_file

    output = Path(args.output).expanduser()
    if output.suffix.lower() != ".glb":
        raise OmagenError(ErrorCode.INPUT, f"The result cannot be {output.name}.", "Name it *.glb.")
    pictures = {side: getattr(args, side) for side in SIDES if getattr(args, side)}
    if not pictures and not args.cameras:
        raise OmagenError(ErrorCode.INPUT, "There is no picture.", "Name one with --front, or several with --cameras.")
    if not 0 <= args.sharpness <= 32:
        raise OmagenError(ErrorCode.INPUT, f"The sharpness cannot be {args.sharpness:g}.", "Choose 0 to 32.")
    names = ("texture", "unseen", "uv", "sharpness", "cameras")
    settings = {name: getattr(args, name) for name in names} | {"pictures": pictures}
    return Converter(args, texture_file, settings, None, _sentence).run(
        [Conversion(Path(args.mesh).expanduser(), output)]
    )


def _sentence(output: Path, result: dict[str, Any]) -> str:
    report = result["report"]["texturing"]
    return f"{output}: the pictures show {report['seen']:.0%} of the surface, {result['seconds']:.1f} s"
