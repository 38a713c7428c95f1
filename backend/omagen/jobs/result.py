"""The result folder: where it is, and how it is written so that it is whole or absent (DESIGN: `results/<job id>`)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from omagen.protocol import ErrorCode, OmagenError

RESULT_FILE = "result.json"
REQUEST_FILE = "request.json"


def result_folder(data: Path, job_id: str) -> Path:
    """The folder of a finished job's files. Raises `OmagenError` (input) for an id that is not a plain name."""
    if not job_id.isalnum():
        raise OmagenError(ErrorCode.INPUT, f"There is no job {job_id[:64]!r}.")
    return data / "results" / job_id


def part_folder(data: Path, job_id: str) -> Path:
    """Where a running job writes; renamed to `result_folder` when the job has succeeded."""
    folder = result_folder(data, job_id)
    return folder.with_name(f".{folder.name}.part")


def publish(data: Path, job_id: str) -> None:
    """Make a finished part folder the job's result, in one step."""
    part_folder(data, job_id).rename(result_folder(data, job_id))


def discard(data: Path, job_id: str) -> None:
    """Remove whatever a job has written, finished or not."""
    for folder in (part_folder(data, job_id), result_folder(data, job_id)):
        shutil.rmtree(folder, ignore_errors=True)


def files(data: Path, job_id: str) -> tuple[str, ...]:
    """Names of the files in a job's result folder, sorted; empty where there is none."""
    try:
        with os.scandir(result_folder(data, job_id)) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False)))
    except OSError:
        return ()


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file, or None where the file is missing or not one."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False), "utf-8")
