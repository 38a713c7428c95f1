"""omagen serve: the API for the add-on and for other programs."""

from __future__ import annotations

import argparse

from omagen.commands.exits import ALREADY_RUNNING, DONE, tell
from omagen.commands.options import add_data_option

_EXAMPLES = """examples:
  omagen serve
      a server for this computer; the add-on starts its own, so this is for other programs
  omagen serve --host 0.0.0.0 --port 7777 --token "$(openssl rand -hex 16)"
      a server for other computers of a network that you trust: traffic is not encrypted

The address and the token are written to server.json in the data folder, readable by its owner only.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve the API on this computer",
        description="Serve the API. One server works on one data folder; a second one ends with status 3.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--token", default="", help="what clients must present (default: a random one)")
    parser.add_argument(
        "--parent",
        type=int,
        action="append",
        default=[],
        metavar="PID",
        help="end when this process ends; may be given several times",
    )
    add_data_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from omagen.server.instance import AlreadyRunning
    from omagen.server.process import Options, serve

    try:
        serve(Options(args.data, args.host, args.port, args.token, tuple(args.parent)))
    except AlreadyRunning as error:
        tell(error)
        return ALREADY_RUNNING
    return DONE


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to 65535")
    return port
