"""omagen refine: the shape of a mesh follows normals."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from omagen.protocol import SEED_LIMIT, ErrorCode, OmagenError

_EXAMPLES = """examples:
  omagen refine wall.glb -o carved.glb --vertices 200000
      the mesh's own normal map becomes shape; faces are split where the map is finer than they are
  omagen refine wall.glb --normals bricks.png -o carved.glb --strength 0.5
      another map on the same UVs, half as strong; --space object for maps in the frame of the mesh
  omagen refine low.glb --detail scan.glb -o better.glb
      low.glb takes on the shape of a finer mesh in the same place
  omagen refine statue.glb --views views/ -o better.glb --keep-larger 0.05
      pictures of normals with their cameras in views/views.json; only detail is taken from them
  omagen refine statue.glb --diffusion "cracked stone" --vertices 500000 -o better.glb
      Stable Diffusion draws the detail (omagen models download stable-diffusion-1.5 controlnet-tile-sd1.5); unverified
  omagen refine wall.glb --maps -o wall-mapped.glb
      the geometry stays: a normal map in the file and wall-mapped.displacement.png beside it

views.json is a list of objects with "picture" (a path beside it; red to the right, green up, blue towards the viewer,
transparent where nothing is), "kind" ("perspective" or "orthographic"), "size" (vertical field of view in radians, or
height in metres), "aspect" (width / height), "world_from_camera" (16 numbers, row by row; +Y up, the camera looks along
its -Z) and, where wanted, "space": "world" and "weight". The vertex attribute _REGION
(0 to 1) says where the mesh changes.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    from omagen.commands.converting import add_conversion_options

    parser = subparsers.add_parser(
        "refine",
        help="turn the detail of normals into shape",
        description="Move a mesh's vertices (GLB, glTF, OBJ, PLY, STL) so that its surface has the normals of a source;"
        " without any, those of its own normal map.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", help="a mesh file")
    parser.add_argument("-o", "--output", required=True, metavar="PATH", help="*.glb")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--normals", metavar="PICTURE", help="a normal map on the mesh's UVs")
    source.add_argument("--detail", metavar="MESH", help="a finer mesh in the same place")
    source.add_argument("--omage", metavar="OMAGE", help="an omage in the same place, with normals")
    source.add_argument("--views", metavar="FOLDER", help="pictures of normals with a views.json")
    source.add_argument(
        "--diffusion", nargs="?", const="", metavar="WORDS", help="detail that an image model draws, unverified"
    )
    parser.add_argument("--reference", metavar="PICTURE", help="what the object looks like, for --diffusion")
    parser.add_argument("--seed", type=_count(0, SEED_LIMIT - 1), default=0, metavar="N", help="for --diffusion (0)")
    parser.add_argument("--space", choices=("tangent", "object"), default="tangent", help="of the normal map")
    parser.add_argument("--strength", type=_within(0, 2), default=1.0, metavar="S", help="0 to 2 (1)")
    parser.add_argument(
        "--vertices", type=_count(0, 1_000_000), default=0, metavar="N", help="subdivide up to so many, where it helps"
    )
    parser.add_argument(
        "--keep-larger", type=_within(0, 0.5), default=0.0, metavar="SHARE",
        help="of the mesh's size: larger shapes stay as they are (0: none do)",
    )  # fmt: skip
    parser.add_argument("--iterations", type=_count(1, 10), default=2, metavar="N", help="rounds of turning faces (2)")
    parser.add_argument("--falloff", type=_count(0, 50), default=3, metavar="RINGS", help="of a region's border (3)")
    parser.add_argument("--remesh", action="store_true", help="make the triangles anew; UVs are lost")
    parser.add_argument("--maps", action="store_true", help="deliver maps instead of moved vertices")
    parser.add_argument("--texture", type=_count(64, 8192), default=2048, metavar="PIXELS", help="of the maps (2048)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    add_conversion_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.conversions import Conversion
    from omagen.commands.converting import Converter
    from omagen.commands.refine_work import refine_file

    os.environ["OMAGEN_DATA"] = str(args.data)  # where the worker looks for weights
    output = Path(args.output).expanduser()
    if output.suffix.lower() != ".glb":
        raise OmagenError(ErrorCode.INPUT, f"The result cannot be {output.name}.", "Name it *.glb.")
    names = (
        "normals", "detail", "omage", "views", "space", "strength", "vertices", "keep_larger", "iterations", "falloff",
        "remesh", "maps", "texture", "device", "diffusion", "reference", "seed",
    )  # fmt: skip
    settings = {name: getattr(args, name) for name in names}
    conversions = [Conversion(Path(args.mesh).expanduser(), output)]
    return Converter(args, refine_file, settings, None, _sentence).run(conversions)


def _sentence(output: Path, result: dict[str, Any]) -> str:
    facts = result["report"]["refinement"]
    return f"{output}: {facts['moved_vertices']:,} vertices moved, {result['seconds']:.1f} s"


def _within(low: float, high: float):
    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {low:g} to {high:g}")
        return value

    return number


def _count(low: int, high: int):
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low:,} to {high:,}")
        return value

    return number
