"""omagen models: the weights that make some engines better."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omagen.commands.exits import DONE, FAILED, tell
from omagen.commands.options import add_action_options, add_data_option, add_json_option
from omagen.commands.text import write_json, write_table

if TYPE_CHECKING:
    from omagen.catalog import Downloads, Model, ModelStatus

_EXAMPLES = """examples:
  omagen models
  omagen models download isnet-general-use
  omagen models delete u2net
  omagen models use stable-diffusion-1.5 ~/weights/my-sd15
      a folder of yours, laid out as the repository is, instead of a download; `delete` forgets it
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "models",
        help="list, download and delete weights",
        description="Look after the weights of a data folder. Nothing but `download` uses the network.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    actions.add_parser("list", help="list the models (the default)").set_defaults(run=_list)
    download = actions.add_parser("download", help="fetch models; goes on where an earlier fetch stopped")
    download.add_argument("ids", nargs="+", metavar="id")
    download.set_defaults(run=_download)
    delete = actions.add_parser("delete", help="remove models")
    delete.add_argument("ids", nargs="+", metavar="id")
    delete.set_defaults(run=_delete)
    use = actions.add_parser("use", help="let a folder of yours stand in for the download of a model")
    use.add_argument("id")
    use.add_argument("folder", type=Path)
    use.set_defaults(run=_use)
    add_action_options(actions)


def _list(args: argparse.Namespace) -> int:
    from omagen.catalog import Downloads

    found = Downloads(args.data).models()
    if args.json:
        write_json({"models": [status.to_json() for status in found]})
        return DONE
    rows = []
    for status in found:
        model = status.model
        size = f"{model.size / 1e6:.0f} MB"
        state = f"uses {status.folder}" if status.folder else status.state.value
        rows.append((model.id, state, size, _licence(model), model.description))
    write_table(rows)
    return DONE


def _download(args: argparse.Namespace) -> int:
    from omagen.catalog import Downloads, ModelState

    downloads = Downloads(args.data)
    status = DONE
    for id in args.ids:
        model = downloads.status(id).model
        sys.stderr.write(f"{model.title}: licence {_licence(model)}, {model.source}\n")
        downloads.start(id)
        try:
            end = _follow(downloads, id)
        except KeyboardInterrupt:
            downloads.close()
            raise
        if args.json:
            write_json(end.to_json())
        if end.error:
            tell(end.error, id)
        status = status if end.state is ModelState.INSTALLED else FAILED
    return status


def _follow(downloads: Downloads, id: str) -> ModelStatus:
    """Show a download's progress until it ends."""
    from tqdm import tqdm

    size = downloads.status(id).model.size
    with tqdm(total=size, desc=id, unit="B", unit_scale=True, disable=None) as bar:
        while True:
            status = downloads.wait(id, timeout=0.2)
            bar.update(round(status.progress * size) - bar.n)
            if status.state.value != "downloading":
                return status


def _delete(args: argparse.Namespace) -> int:
    from omagen.catalog import Downloads

    downloads = Downloads(args.data)
    for id in args.ids:
        downloads.delete(id)
    return DONE


def _use(args: argparse.Namespace) -> int:
    from omagen.catalog import Downloads

    status = Downloads(args.data).use(args.id, args.folder)
    if args.json:
        write_json(status.to_json())
    return DONE


def _licence(model: Model) -> str:
    return f"{model.licence}, {'commercial use allowed' if model.commercial else 'no commercial use'}"
