"""omagen jobs: what was generated on this data folder, by whichever program."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omagen.commands.exits import DONE, FAILED, tell
from omagen.commands.options import add_action_options, add_data_option, add_json_option
from omagen.commands.text import local_time, write_json, write_table
from omagen.protocol import ErrorCode, Job, JobState, OmagenError

if TYPE_CHECKING:
    from omagen.jobs.store import Store

_EXAMPLES = """examples:
  omagen jobs
  omagen jobs show 3f84
  omagen jobs export 3f84 -o chair.glb
  omagen jobs delete 3f84 95a4

A job's id may be shortened as long as it is the only one that begins so.
"""
_MOST = 1_000_000
"""More jobs than any data folder holds."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "jobs",
        help="list, show, export and delete earlier jobs",
        description="Look after the jobs of a data folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=_list, limit=20)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    listing = actions.add_parser("list", help="list the newest jobs (the default)")
    listing.add_argument("--limit", type=int, default=20, help="how many (default: %(default)s)")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", help="everything about one job")
    show.add_argument("id")
    show.set_defaults(run=_show)
    export = actions.add_parser("export", help="copy a job's result to a file")
    export.add_argument("id")
    export.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="where to; - is standard output"
    )
    export.set_defaults(run=_export)
    delete = actions.add_parser("delete", help="forget jobs and remove their results")
    delete.add_argument("ids", nargs="+", metavar="id")
    delete.set_defaults(run=_delete)
    add_action_options(actions)


def _list(args: argparse.Namespace) -> int:
    jobs = _open(args).jobs(args.limit)
    if args.json:
        write_json({"jobs": [job.to_json() for job in jobs]})
    elif jobs:
        write_table([_row(job) for job in jobs])
    else:
        sys.stdout.write(f"No jobs in {args.data}.\n")
    return DONE


def _show(args: argparse.Namespace) -> int:
    from omagen.jobs.result import result_folder

    job = _find(_open(args), args.id)
    if args.json:
        write_json(job.to_json())
        return DONE
    rows = [
        ("job", job.id),
        ("state", job.state.value),
        ("created", local_time(job.created)),
        ("engine", job.request.engine),
        ("seed", str(job.request.seed)),
        *((name, str(value)) for name, value in job.request.parameters.items()),
        *(("warning", text) for text in job.warnings),
        *((name, _shown(value)) for name, value in (job.result or {}).get("report", {}).items()),
        *((f"seconds, {name}", str(value)) for name, value in (job.result or {}).get("seconds", {}).items()),
    ]
    if job.error:
        rows += [("error", job.error.message), ("what to do", job.error.remedy)]
    if job.files:
        rows += [("folder", str(result_folder(args.data, job.id))), ("files", ", ".join(job.files))]
    write_table(rows)
    return DONE


def _export(args: argparse.Namespace) -> int:
    from omagen.commands.outputs import copy_result

    job = _find(_open(args), args.id)
    if job.state is not JobState.SUCCEEDED:
        raise OmagenError(ErrorCode.INPUT, f"The job {job.id} has no result: it is {job.state.value}.")
    copy_result(args.data, job, args.output)
    return DONE


def _delete(args: argparse.Namespace) -> int:
    store = _open(args)
    status = DONE
    for id in args.ids:
        try:
            store.delete(_find(store, id).id)
        except OmagenError as error:
            tell(error, id)
            status = FAILED
    return status


def _open(args: argparse.Namespace) -> Store:
    from omagen.jobs.store import Store

    return Store(args.data)


def _find(store: Store, start: str) -> Job:
    found = [job for job in store.jobs(_MOST) if start and job.id.startswith(start)]
    if len(found) != 1:
        problem = f"{len(found)} jobs begin with {start!r}" if found else f"There is no job {start!r}"
        raise OmagenError(ErrorCode.INPUT, f"{problem}.", "`omagen jobs` lists them.")
    return found[0]


def _row(job: Job) -> tuple[str, str, str, str, str]:
    what = job.error.message if job.error else str((job.result or {}).get("name", job.request.name))
    return job.id, local_time(job.created), job.request.engine, job.state.value, what


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " x ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
