"""omagen prepare: compile the kernels now rather than when they are needed first."""

from __future__ import annotations

import argparse
import sys
import time

from omagen.commands.exits import DONE
from omagen.commands.options import add_json_option
from omagen.commands.progress import ProgressLine
from omagen.commands.text import write_json
from omagen.protocol import OmagenError


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "prepare",
        help="compile the kernels, once, so that the first encoding is quick",
        description="Compile everything that encoding and decoding need for this processor, on all cores: a minute, "
        "once for each version. Without it the first command that needs it does so. Can be interrupted; the next run "
        "goes on.",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.kernels.folder import cache_folder
    from omagen.kernels.preparation import prepare

    begin = time.monotonic()
    with ProgressLine("Preparing", silent=args.quiet) as line:
        compiled = prepare(line.progress)
    seconds = time.monotonic() - begin
    if args.json:
        write_json({"compiled": compiled, "seconds": round(seconds, 3), "folder": str(cache_folder())})
    elif compiled and not args.quiet:
        sys.stdout.write(f"{compiled} kernels compiled, {seconds:.0f} s\n")
    return DONE


def ensure_prepared(*, silent: bool) -> None:
    """Compile what is missing before a command's own work, with a line that says so. It is no reason to fail."""
    from omagen.kernels.stamp import is_prepared

    if is_prepared():
        return
    import logging

    from omagen.kernels.preparation import prepare
    from omagen.kernels.waiting import STAGE

    with ProgressLine(STAGE, silent=silent) as line:
        try:
            prepare(line.progress)
        except OmagenError:
            logging.getLogger(__name__).warning("the kernels could not be prepared", exc_info=True)
