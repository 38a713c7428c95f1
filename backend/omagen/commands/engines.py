"""omagen engines: what can generate here, and with which settings."""

from __future__ import annotations

import argparse
import sys
import textwrap
from itertools import groupby

from omagen.commands.exits import DONE
from omagen.commands.options import add_json_option
from omagen.commands.text import write_json, write_table
from omagen.protocol import EngineInfo, Parameter


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "engines",
        help="list the engines, or the settings of one",
        description="List the installed engines, or what one of them takes: inputs and settings with their ranges.",
        epilog="example:\n  omagen engines inflate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("engine", nargs="?", metavar="ENGINE", help="describe this one in full")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.engines import describe_engine, describe_engines

    infos = (describe_engine(args.engine),) if args.engine else describe_engines()
    if args.json:
        write_json(infos[0].to_json() if args.engine else {"engines": [info.to_json() for info in infos]})
    elif args.engine:
        _describe(infos[0])
    else:
        write_table(
            [
                (info.id, _takes(info), (info.problem and f"unusable: {info.problem}") or info.description)
                for info in infos
            ]
        )
    return DONE


def _takes(info: EngineInfo) -> str:
    inputs = " + ".join(spec.id if spec.required else f"[{spec.id}]" for spec in info.inputs)
    return f"{inputs} -> {info.produces}" if inputs else ""


def _describe(info: EngineInfo) -> None:
    write = sys.stdout.write
    write(f"{info.id}: {info.title}\n{textwrap.fill(info.description, 100)}\n")
    if info.problem:
        write(f"\nCannot run here: {info.problem}\n")
    write(f"\nGives: {info.produces} · licence {info.licence} · about {info.memory_mb} MB of memory\n\nInputs\n")
    write_table(
        [
            (f"  {spec.id}", "required" if spec.required else "optional", spec.description or spec.title)
            for spec in info.inputs
        ]
        or [("  none",)]
    )
    for group, parameters in groupby(info.parameters, lambda parameter: parameter.group):
        write(f"\nSettings{f', {group.lower()}' if group else ''} (--set NAME=VALUE)\n")
        write_table([_row(parameter) for parameter in parameters])


def _row(parameter: Parameter) -> tuple[str, str, str, str]:
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)
    return f"  {parameter.id}", f"default {default}", parameter.allowed, parameter.description or parameter.title
