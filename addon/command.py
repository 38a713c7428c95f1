"""`blender --command omagen ...`: the same operators for terminals and farms, without a window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy

from . import delivery, product_shot, runtime
from .omage_delivery import OMAGE_FILE
from .panels import job_list, progress
from .scene.read_mesh import has_surface

OK, FAILED, USAGE = 0, 1, 2

EXAMPLES = """examples:
  blender --command omagen generate photo.jpg --blend chair.blend --render chair.png
  blender --command omagen generate photo.jpg --glb chair.glb --seed 3 --set faces=20000
  blender --command omagen encode chair.blend -o chair.omage --set resolution=2048
  blender --command omagen decode chair.omage --blend coarse.blend --set resolution=128
  blender --command omagen engines
"""


def run(argv: list[str]) -> int:
    """What `blender --command omagen` does with its arguments; returns the exit status. Needs background mode."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except RuntimeError as error:  # how Blender passes on what an operator has reported
        sys.stderr.write(f"{str(error).removeprefix('Error: ').strip()}\n")
        return FAILED


def install(stack: ExitStack) -> None:
    stack.callback(bpy.utils.unregister_cli_command, bpy.utils.register_cli_command("omagen", run))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blender --command omagen",
        description="Make textured objects with Omagen's backend.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    generate = commands.add_parser("generate", help="make an object from a picture or a mesh file")
    generate.add_argument("input", type=Path, help="picture, or mesh file for an engine that takes meshes")
    generate.add_argument("--engine", default="", help="see 'engines' (default: the one that fits the input)")
    generate.add_argument("--mask", type=Path, help="grey picture of the same shape: white belongs to the object")
    generate.add_argument("--seed", type=int, default=1, help="another seed, another variation (default: 1)")
    generate.add_argument("--name", default="", help="name of the object (default: the file's)")
    generate.add_argument(
        "--size", type=float, default=0.0, help="longest side in metres (default: as in the preferences)"
    )
    generate.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the engine")
    generate.add_argument("--blend", type=Path, help="save the scene as this .blend file")
    generate.add_argument("--glb", type=Path, help="write the object as this glTF file, with its provenance")
    generate.add_argument("--render", type=Path, help="render the object into this PNG file")
    generate.add_argument("--resolution", type=int, default=768, help="edge of the rendered picture (default: 768)")
    generate.add_argument("--samples", type=int, default=32, help="light paths per pixel, denoised (default: 32)")
    generate.set_defaults(run=_generate)
    encode = commands.add_parser("encode", help="make one omage of the objects in a .blend file")
    encode.add_argument("input", type=Path, help="a .blend file")
    encode.add_argument("-o", "--output", type=Path, required=True, help="the .omage file to write")
    encode.add_argument("--object", action="append", default=[], metavar="NAME", help="an object (default: all)")
    encode.add_argument("--without-modifiers", action="store_true", help="encode the objects without modifiers")
    encode.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the engine")
    encode.set_defaults(run=_encode)
    decode = commands.add_parser("decode", help="make an object of an omage")
    decode.add_argument("input", type=Path, help="a .omage or .npz file, or the omage.json of a folder")
    decode.add_argument("--blend", type=Path, required=True, help="save the scene as this .blend file")
    decode.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the engine")
    decode.set_defaults(run=_decode)
    commands.add_parser("engines", help="list the engines and their settings").set_defaults(run=_engines)
    commands.add_parser("jobs", help="list the newest jobs").set_defaults(run=_jobs)
    return parser


def _generate(arguments: argparse.Namespace) -> int:
    outputs = [path for path in (arguments.blend, arguments.glb, arguments.render) if path]
    if outputs:
        bpy.ops.wm.read_homefile(use_empty=True)
    source = arguments.input.expanduser().resolve()
    mesh = arguments.engine == "mesh" or source.suffix.lower() in {".glb", ".gltf", ".obj", ".ply", ".stl"}
    with _progress_lines():
        outcome = bpy.ops.omagen.generate(
            "EXEC_DEFAULT",
            **{"mesh" if mesh else "image": str(source)},
            mask=str(arguments.mask.expanduser().resolve()) if arguments.mask else "",
            engine=arguments.engine,
            seed=arguments.seed,
            name=arguments.name,
            size=arguments.size,
            parameters=" ".join(arguments.set),
        )
    if outcome != {"FINISHED"}:
        return FAILED
    for path in outputs:
        path.expanduser().resolve().parent.mkdir(parents=True, exist_ok=True)
    _write_outputs(arguments)
    return OK


def _write_outputs(arguments: argparse.Namespace) -> None:
    now = runtime.current()
    task = now.tasks[-1]
    made = bpy.data.objects[task.made]
    if arguments.glb and task.job:
        now.save_result(task.job.id, delivery.OBJECT_FILE, arguments.glb.expanduser().resolve())
        _say(f"wrote {arguments.glb}")
    if arguments.render:
        _say("rendering")
        product_shot.compose(bpy.context.scene, made)
        product_shot.render(
            bpy.context.scene, arguments.render.expanduser().resolve(), arguments.resolution, arguments.samples
        )
        _say(f"wrote {arguments.render}")
    if arguments.blend:
        bpy.ops.wm.save_as_mainfile(filepath=str(arguments.blend.expanduser().resolve()), check_existing=False)
        _say(f"wrote {arguments.blend}")


def _encode(arguments: argparse.Namespace) -> int:
    bpy.ops.wm.open_mainfile(filepath=str(arguments.input.expanduser().resolve()))
    names = set(arguments.object)
    lacking = names - set(bpy.context.view_layer.objects.keys())
    if lacking:
        sys.stderr.write(f"There is no object {', '.join(sorted(lacking))} in {arguments.input}.\n")
        return FAILED
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in names if names else obj.visible_get() and has_surface(obj))
    with _progress_lines():
        outcome = bpy.ops.omagen.omage_encode(
            "EXEC_DEFAULT",
            together="JOINED",
            apply_modifiers=not arguments.without_modifiers,
            parameters=" ".join(arguments.set),
        )
    task = runtime.current().tasks[-1]
    if outcome != {"FINISHED"} or task.job is None:
        return FAILED
    target = arguments.output.expanduser().resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    runtime.current().save_result(task.job.id, OMAGE_FILE, target)
    _say(f"wrote {arguments.output}")
    return OK


def _decode(arguments: argparse.Namespace) -> int:
    bpy.ops.wm.read_homefile(use_empty=True)
    source = str(arguments.input.expanduser().resolve())
    with _progress_lines():
        outcome = bpy.ops.omagen.omage_import("EXEC_DEFAULT", filepath=source, parameters=" ".join(arguments.set))
    if outcome != {"FINISHED"}:
        return FAILED
    target = arguments.blend.expanduser().resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(target), check_existing=False)
    _say(f"wrote {arguments.blend}")
    return OK


def _engines(arguments: argparse.Namespace) -> int:
    bpy.ops.omagen.refresh()
    for engine in runtime.current().engines.values():
        _say(f"{engine.id}: {engine.title}. {engine.description}")
        for parameter in engine.parameters:
            _say(f"    {parameter.id}={parameter.default}  {parameter.title}: {parameter.allowed}")
    return OK


def _jobs(arguments: argparse.Namespace) -> int:
    bpy.ops.omagen.refresh()
    for job in runtime.current().jobs.values():
        _say(f"{job.id}  {job.request.name or '-'}  {job_list.summary(job)}")
    return OK


@contextmanager
def _progress_lines() -> Iterator[None]:
    """Write a line whenever a task's stage changes or another tenth of it is done."""
    now = runtime.current()
    told = ""

    def tell() -> None:
        nonlocal told
        task = now.active
        if task is not None:
            mark = f"{task.stage} {int(task.fraction * 10)}"
            if mark != told:
                told = mark
                _say(progress.line(task))

    now.listeners.append(tell)
    try:
        yield
    finally:
        if tell in now.listeners:
            now.listeners.remove(tell)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
