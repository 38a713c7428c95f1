"""omagen cutout: only remove the background."""

from __future__ import annotations

import argparse

from omagen.commands.generate import add_work_options

_EXAMPLES = """examples:
  omagen cutout photo.jpg -o cut.png
  omagen cutout *.jpg -o cut-outs/

`omagen models` lists weights that make the edges better.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "cutout",
        help="remove the background of pictures",
        description="Remove the background of each picture and write a PNG with opacity.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_work_options(parser)
    parser.set_defaults(engine="cutout")
