"""Where results go: names for the output files, and results copied there whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from omagen.jobs.result import result_folder
from omagen.protocol import EngineInfo, ErrorCode, Job, OmagenError

_RESULTS: Final = {"mesh": "object.glb", "picture": "picture.png", "omage": "object.omage", "report": "result.json"}
"""The result folder's file by what an engine produces."""


def plan_outputs(files: Sequence[str], infos: Sequence[EngineInfo], output: str) -> list[Path]:
    """One path per input file. Raises `OmagenError` (input) for an output that cannot be meant."""
    suffixes = [Path(_RESULTS[info.produces]).suffix for info in infos]
    target = Path(output).expanduser()
    into_folder = len(files) > 1 or not output or target.is_dir() or output.endswith(("/", os.sep))
    if not into_folder:
        outputs = [target if target.suffix else target.with_suffix(suffixes[0])]
    elif target.exists() and not target.is_dir():
        raise OmagenError(ErrorCode.INPUT, f"{output} is a file.", "Several results need a folder.")
    else:
        outputs = list(_names(files, suffixes, target))
    for path, suffix in zip(outputs, suffixes, strict=True):
        if path.suffix.lower() != suffix:
            raise OmagenError(ErrorCode.INPUT, f"The result cannot be a {path.suffix} file.", f"Name it *{suffix}.")
    sources = {Path(file).resolve() for file in files}
    for path in outputs:
        if path.resolve() in sources:
            raise OmagenError(ErrorCode.INPUT, f"{path} is an input too.", "Choose another output with -o.")
    return outputs


def _names(files: Sequence[str], suffixes: Sequence[str], folder: Path) -> Iterable[Path]:
    """The inputs' names with the outputs' suffixes, no two alike and none an input."""
    taken = {Path(file).resolve() for file in files}
    for file, suffix in zip(files, suffixes, strict=True):
        stem = Path(file).stem or "result"
        path, number = folder / f"{stem}{suffix}", 1
        while path.resolve() in taken:
            number += 1
            path = folder / f"{stem}-{number}{suffix}"
        taken.add(path.resolve())
        yield path


def copy_result(data: Path, job: Job, output: Path) -> None:
    """Copy what a finished job has produced; `-` is standard output. An existing file is replaced."""
    found = [name for name in _RESULTS.values() if name in job.files]
    if not found:
        raise OmagenError(ErrorCode.INPUT, f"The files of job {job.id} are gone.", "Generate it again.")
    source = result_folder(data, job.id) / found[0]
    if str(output) == "-":
        with source.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        return
    part = output.with_name(f".{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, part)
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"{output} cannot be written: {error.strerror or error}.",
            f"The result is kept: omagen jobs export {job.id} -o FILE.",
        ) from error
