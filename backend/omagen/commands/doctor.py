"""omagen doctor: one page about this installation."""

from __future__ import annotations

import argparse
import sys

from omagen.commands.exits import DONE, FAILED
from omagen.commands.options import add_data_option, add_json_option
from omagen.commands.text import write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="examine this installation",
        description="Say what is installed, what works and what went wrong. Nothing private is in it: it can be "
        "pasted into a report. Ends with status 1 if there is a problem.",
    )
    add_data_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.doctor import examine

    findings = examine(args.data)
    if args.json:
        write_json(findings.to_json())
    else:
        for title, lines in findings.sections.items():
            sys.stdout.write(f"{title}\n" + "".join(f"  {line}\n" for line in lines))
        for problem in findings.problems:
            sys.stdout.write(f"problem: {problem}\n")
        if not findings.problems:
            sys.stdout.write("No problems found.\n")
    return FAILED if findings.problems else DONE
