"""Options that several commands have, with one wording."""

from __future__ import annotations

import argparse
from pathlib import Path

from omagen.omage_layout import MAX_RESOLUTION, MIN_RESOLUTION
from omagen.protocol import default_data_folder


def add_data_option(parser: argparse.ArgumentParser, *, of_action: bool = False) -> None:
    """`of_action`: the option may also stand after an action, where its absence must not undo what stood before."""
    parser.add_argument(
        "--data",
        type=lambda text: Path(text).expanduser().absolute(),
        default=argparse.SUPPRESS if of_action else default_data_folder(),
        metavar="FOLDER",
        help="where jobs, results and weights are kept (default: $OMAGEN_DATA, else the system's place for user data)",
    )


def add_json_option(parser: argparse.ArgumentParser, *, of_action: bool = False) -> None:
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS if of_action else False,
        help="write JSON to standard output, for programs",
    )


def add_reference_option(parser: argparse.ArgumentParser, effect: str) -> None:
    parser.add_argument("--reference", action="store_true", help=f"{effect}; for comparisons")


def add_action_options(actions: argparse._SubParsersAction) -> None:
    """Let every action take the options of its command."""
    for parser in actions.choices.values():
        add_data_option(parser, of_action=True)
        add_json_option(parser, of_action=True)


def resolution(text: str) -> int:
    """An option's value as an omage's resolution."""
    if not MIN_RESOLUTION <= (pixels := int(text)) <= MAX_RESOLUTION:
        raise argparse.ArgumentTypeError(f"{text} is no resolution: {MIN_RESOLUTION} to {MAX_RESOLUTION}")
    return pixels
