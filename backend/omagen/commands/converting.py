"""Runs the conversions of `omagen encode` and `omagen decode`: in parallel, resumable, cancelled by Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omagen.commands.conversions import Conversion, Record, check_outputs, discard_parts
from omagen.commands.exits import DONE, FAILED, USAGE, tell
from omagen.commands.generate import log_to
from omagen.commands.options import add_data_option, add_json_option
from omagen.commands.prepare import ensure_prepared
from omagen.commands.progress import ProgressLine
from omagen.commands.text import write_json
from omagen.commands.workers import Ended, Work, work_through
from omagen.protocol import OmagenError

MEMORY_PER_PROCESS: Final = 2 * 2**30
"""Bytes: what a process may need; so many run by default that this is free."""


@dataclass(frozen=True)
class Order:
    """One conversion, as a worker gets it."""

    source: Path
    output: Path
    settings: Mapping[str, Any]


def add_conversion_options(parser: argparse.ArgumentParser) -> None:
    """The options of both commands."""
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="files at a time (default: as cores and memory allow)"
    )
    parser.add_argument("--again", action="store_true", help="convert also what is in the output folder already")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    add_data_option(parser)
    add_json_option(parser)


class Converter:
    """Turns sources into outputs by `work`, which gets an `Order` and returns what to report about it.

    A report has the source's digest as `source`; `sentence` puts an output and its report into words. Results in
    `folder` that are current already are left as they are; None: all are made.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        work: Work,
        settings: Mapping[str, Any],
        folder: Path | None,
        sentence: Callable[[Path, dict[str, Any]], str],
    ) -> None:
        self._args, self._work, self._settings, self._sentence = args, work, settings, sentence
        self._record = Record(folder) if folder else None
        self._failed: list[tuple[Conversion, OmagenError]] = []
        self._done = 0

    def run(self, conversions: Sequence[Conversion]) -> int:
        """Convert all and say what came of it; returns the exit status."""
        check_outputs(conversions)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end cancels as Ctrl-C does
        log_to(self._args.data / "cli.log")
        waiting = [item for item in conversions if not self._skip(item)]
        if waiting:
            ensure_prepared(silent=self._args.quiet)
        title = waiting[0].source.name if len(waiting) == 1 else "Converting"
        with ProgressLine(title, silent=self._args.quiet) as line:
            try:
                self._work_through(waiting, line)
            finally:
                discard_parts(item.output for item in waiting)
        return self._finish(len(conversions))

    def _skip(self, item: Conversion) -> bool:
        """Whether `item` need not be done; says so."""
        try:
            if self._record is None or self._args.again or not self._record.is_current(item, self._settings):
                return False
        except OmagenError:
            return False  # unreadable: converting it will say why
        self._done += 1
        if self._args.json:
            write_json({"input": str(item.source), "output": str(item.output), "state": "skipped"})
        elif not self._args.quiet:
            sys.stdout.write(f"{item.output}: is there already\n")
        return True

    def _work_through(self, items: Sequence[Conversion], line: ProgressLine) -> None:
        warnings: dict[int, list[str]] = {}

        def listen(index: int, kind: str, content: Any) -> None:
            if kind == "warning":
                warnings.setdefault(index, []).append(content)
                line.warn(content, items[index].source.name)
            elif len(items) == 1:
                line.progress(*content)

        orders = [Order(item.source, item.output, self._settings) for item in items]
        for count, ended in enumerate(work_through(self._work, orders, self._processes(len(items)), listen), 1):
            self._take(items[ended.index], ended, warnings.get(ended.index, []))
            if len(items) > 1:
                line.progress(f"{count} of {len(items)} files", count / len(items))

    def _take(self, item: Conversion, ended: Ended, warnings: list[str]) -> None:
        if ended.error:
            self._failed.append((item, ended.error))
        else:
            self._done += 1
            if self._record:
                self._record.add(item, self._settings, ended.result["source"])
        if self._args.json:
            write_json(
                {
                    "input": str(item.source),
                    "output": None if ended.error else str(item.output),
                    "state": "failed" if ended.error else "succeeded",
                    "warnings": warnings,
                    "error": ended.error.to_json() if ended.error else None,
                    "result": ended.result,
                }
            )
        elif ended.error is None and not self._args.quiet:
            sys.stdout.write(self._sentence(item.output, ended.result) + "\n")
        sys.stdout.flush()

    def _finish(self, total: int) -> int:
        if total > 1 and self._failed:
            sys.stderr.write(f"{len(self._failed)} of {total} files failed:\n")
        for item, error in self._failed:
            tell(error, str(item.source) if total > 1 else "")
        if self._failed and not self._done and not any(item.source.exists() for item, _ in self._failed):
            return USAGE
        return FAILED if self._failed else DONE

    def _processes(self, files: int) -> int:
        import psutil

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        memory = int(psutil.virtual_memory().available // MEMORY_PER_PROCESS)
        return min(self._args.jobs or max(1, min(cores, memory)), files)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of files: 1 or more")
    return number
