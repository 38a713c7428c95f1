"""The command `omagen`: one file per command in `commands/`, each importing only what it needs when it runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from omagen import __version__, commands
from omagen.commands.exits import CANCELLED, FAILED, USAGE, tell
from omagen.protocol import ErrorCode, OmagenError, default_data_folder

_EXAMPLES = """examples:
  omagen generate photo.jpg -o photo.glb
      a photograph becomes a closed, UV-mapped, textured object
  omagen generate *.png -o objects/ --seed 3 --set relief=0.5
      many at once; the settings of an engine are listed by `omagen engines inflate`
  omagen cutout photo.jpg -o cut.png
      only remove the background
  omagen encode chair.glb -o chair
      a mesh as pictures that can be edited; `omagen decode chair -o chair.glb` is the way back
  omagen models download isnet-general-use
      weights for better cut-outs, fetched once
  omagen doctor
      what is installed, what works, what went wrong

exit status:
  0 done   1 a job failed   2 wrong usage or input   3 a server is already running   130 cancelled
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors go to standard error as what happened and what to do."""
    logging.getLogger().addHandler(logging.NullHandler())  # warnings and tracebacks are for log files
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old Windows console shows a question mark rather than failing
    args = _parser().parse_args(arguments)
    try:
        status = args.run(args)
        sys.stdout.flush()  # here, where a reader that has gone can still be noticed
        return status
    except KeyboardInterrupt:
        sys.stderr.write("\nCancelled.\n")
        return CANCELLED
    except BrokenPipeError:
        # Whoever read the output has had enough; the interpreter's last flush must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OmagenError as error:
        tell(error)
        return CANCELLED if error.code is ErrorCode.CANCELLED else USAGE
    except Exception as error:
        tell(_unforeseen(error, getattr(args, "data", default_data_folder())))
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="omagen",
        description="Turns pictures, words and meshes into UV-mapped PBR objects, on this computer.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"omagen {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands.load():
        command.add_parser(subparsers)
    return parser


def _unforeseen(error: Exception, data: Path) -> OmagenError:
    """What to say of a mistake of ours; the traceback goes to a file instead of the terminal."""
    details = "".join(traceback.format_exception(error))
    log = data / "cli.log"
    try:
        data.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(details)
    except OSError:
        return OmagenError(ErrorCode.ENVIRONMENT, f"Something unexpected went wrong:\n{details}", "Please report it.")
    message = f"Something unexpected went wrong ({type(error).__name__}: {error})."
    return OmagenError(ErrorCode.ENVIRONMENT, message, f"Please report it with the end of {log}.")
