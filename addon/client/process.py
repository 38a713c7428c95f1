"""Starting the backend as a child process of Blender, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from ...backend.omagen.protocol import ErrorCode, OmagenError

LOG_FILE: Final = "server.log"
ALREADY_RUNNING: Final = 3
"""Exit status of `omagen serve` when another server owns the data folder."""
PROBE_TIMEOUT_S: Final = 20.0
EXTENSION: Final = Path(__file__).resolve().parents[2]


def start_server(python: str, data: Path) -> subprocess.Popen[Any]:
    """Start `omagen serve` on `data`. What it says before it keeps its log itself goes to that log too.

    Raises `OmagenError` (environment).
    """
    program = python_program(python)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(data / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The data folder {data} cannot be written: {error.strerror or error}.",
            "Choose another data folder in the add-on's preferences.",
        ) from error
    # -I: neither the current folder nor the user's own packages may shadow what the environment holds.
    command = [
        str(program),
        "-I",
        "-X",
        "utf8",
        "-m",
        "omagen",
        "serve",
        "--data",
        str(data),
        "--parent",
        str(os.getpid()),
    ]
    try:
        with os.fdopen(log, "ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=child_environment(),
                cwd=data,
                **_detached(),
            )
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"{program} cannot be started: {error.strerror or error}.",
            "Choose the backend's Python in the add-on's preferences.",
        ) from error


def python_program(python: str) -> Path:
    """The Python that `python` names: a program, or the folder of a virtual environment.

    Raises `OmagenError` (environment) where there is none.
    """
    where = "Set it in Omagen's preferences: Python Environment."
    if not python:
        raise OmagenError(ErrorCode.ENVIRONMENT, "Omagen needs a Python environment for its backend.", where)
    path = Path(python).expanduser()
    if path.is_dir():
        path = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not path.is_file():
        raise OmagenError(ErrorCode.ENVIRONMENT, f"There is no Python at {path}.", where)
    return path.absolute()  # not resolved: a virtual environment is found through the link, not through its target


def child_environment() -> dict[str, str]:
    """This process's environment without what would lead another Python astray."""
    strays = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if not key.upper().startswith(strays)}


def explain_exit(python: str, status: int, log: str) -> OmagenError:
    """Why a server that has just been started ended with `status`; `log` is the end of its log."""
    program = python_program(python)
    problem = _missing_package(program)
    if problem:
        return OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The Python environment {program} has no working Omagen backend: {problem}",
            f'Install it there: "{program}" -m pip install "{EXTENSION}[cpu]"',
        )
    last = log.strip().rpartition("\n")[2] or "its log is empty"
    return OmagenError(
        ErrorCode.ENVIRONMENT, f"The backend ended while starting (status {status}): {last}", "See the backend's log."
    )


def _missing_package(program: Path) -> str:
    """What importing the backend's server says in that environment; empty when it works."""
    try:
        probe = subprocess.run(
            [str(program), "-I", "-c", "import omagen.cli, fastapi, uvicorn"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
            env=child_environment(), timeout=PROBE_TIMEOUT_S, **_detached(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}."
    return probe.stderr.strip().rpartition("\n")[2] if probe.returncode else ""


def _detached() -> dict[str, Any]:
    """Popen arguments that keep a terminal's Ctrl-C, and on Windows a console window, away from the child."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
