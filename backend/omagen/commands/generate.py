"""omagen generate and omagen cutout: files in, files out, through the same jobs and workers as the add-on's."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from omagen.commands.exits import DONE, FAILED, USAGE, tell
from omagen.commands.options import add_data_option, add_json_option
from omagen.protocol import SEED_LIMIT, EngineInfo, ErrorCode, InputSpec, OmagenError, Parameter, ParameterKind, Value

if TYPE_CHECKING:
    from omagen.commands.batch import Item

MESH_SUFFIXES: Final = frozenset({".glb", ".gltf", ".obj", ".ply", ".stl"})
_WORDS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip
_EXAMPLES = """examples:
  omagen generate photo.jpg -o photo.glb
      a picture becomes an object; the object is cut out of it first
  omagen generate photo.jpg --mask mask.png -o photo.glb
      where the mask is white, there is the object
  omagen generate chair.png lamp.png -o objects/ --set faces=50000 --set back=flat
      several at once; `omagen engines inflate` lists the settings
  omagen generate scan.obj -o scan.glb
      a mesh file is checked and cleaned
  omagen generate photo.jpg -o photo.glb --json
      for programs: one JSON object a line on standard output, one line for each file

The same file, settings and seed give the same object. `omagen jobs` lists what was made.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "generate",
        help="turn pictures (or meshes) into objects",
        description="Turn each file into a UV-mapped PBR object in a GLB file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--engine", default="", help="what generates (default: inflate for pictures, mesh for mesh files)"
    )
    add_work_options(parser)


def add_work_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that runs an engine."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a picture, or what else the engine takes")
    parser.add_argument(
        "-o", "--output", default="", metavar="PATH", help="file to write, or folder (default: the current folder)"
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="grey picture: white is the object")
    parser.add_argument("--seed", type=int, default=0, help=f"0 to {SEED_LIMIT - 1} (default: %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings", help="a setting of the engine"
    )
    parser.add_argument("--name", default="", help="what the object is called (default: the file's name)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0 … (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    add_data_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.commands.batch import Batch
    from omagen.commands.outputs import plan_outputs

    infos = [_engine_for(args.engine, file) for file in args.files]
    if args.mask and len(args.files) > 1:
        raise OmagenError(ErrorCode.INPUT, "A mask belongs to one picture.", "Generate the pictures one by one.")
    outputs = plan_outputs(args.files, infos, args.output)
    items = [_item(args, info, file, output) for info, file, output in zip(infos, args.files, outputs, strict=True)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end cancels as Ctrl-C does
    with Batch(args.data, args.device, quiet=args.quiet, json=args.json) as batch:
        log_to(args.data / "cli.log")
        outcomes = [batch.run(item) for item in items]
    failed = [outcome for outcome in outcomes if outcome.error]
    if len(items) > 1 and failed:
        sys.stderr.write(f"{len(failed)} of {len(items)} files failed:\n")
    for outcome in failed:
        assert outcome.error
        tell(outcome.error, outcome.item.source if len(items) > 1 else "")
    if failed and not any(outcome.job for outcome in outcomes):
        return USAGE
    return FAILED if failed else DONE


def _engine_for(engine: str, file: str) -> EngineInfo:
    from omagen.engines import describe_engine

    info = describe_engine(engine or ("mesh" if Path(file).suffix.lower() in MESH_SUFFIXES else "inflate"))
    if info.problem:
        raise OmagenError(ErrorCode.ENVIRONMENT, f"The engine {info.id} cannot run here.", info.problem)
    return info


def _item(args: argparse.Namespace, info: EngineInfo, file: str, output: Path) -> Item:
    from omagen.commands.batch import Item

    main = _main_input(info)
    inputs = {main.id: file}
    if args.mask:
        if not any(spec.id == "mask" for spec in info.inputs):
            raise OmagenError(ErrorCode.INPUT, f"The engine {info.id} takes no mask.")
        inputs["mask"] = str(args.mask)
    name = args.name or (Path(file).stem if main.kind.is_file else "")
    return Item(info, file, inputs, _parameters(info, args.settings), args.seed, name, output)


def _main_input(info: EngineInfo) -> InputSpec:
    """What the files on the command line are: the first file that the engine needs, else the first thing it takes."""
    files = [spec for spec in info.inputs if spec.kind.is_file]
    needed = [spec for spec in files if spec.required]
    choice = (needed or files or list(info.inputs))[:1]
    if not choice:
        raise OmagenError(ErrorCode.INPUT, f"The engine {info.id} takes no input.")
    return choice[0]


def _parameters(info: EngineInfo, settings: list[str]) -> dict[str, Value]:
    found = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise OmagenError(ErrorCode.INPUT, f"{setting!r} is not a setting.", "Write --set NAME=VALUE.")
        parameter = info.parameter(name.strip())
        found[parameter.id] = parameter.check(_value(parameter, text.strip()))
    return found


def _value(parameter: Parameter, text: str) -> Value:
    """`text` as the parameter's type, or as it is, so that the check of the parameter refuses it in its own words."""
    try:
        if parameter.kind is ParameterKind.BOOL:
            return _WORDS.get(text.lower(), text)
        if parameter.kind is ParameterKind.INT:
            return int(text)
        if parameter.kind is ParameterKind.FLOAT:
            return float(text)
    except ValueError:
        return text
    return text


def log_to(path: Path) -> None:
    """Write what is logged to the file `path`, which is made when something is."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler]
    )
