"""Native libraries that can be neither interrupted nor limited in time: a process can be ended, and may crash."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

LOOK_S: Final = 0.1
"""How often the process is looked at, and the user may cancel"""


def run_alone(
    script: str, given: Mapping[str, Any], deadline: float, look: Callable[[], None]
) -> dict[str, np.ndarray] | None:
    """What the Python file `script` makes of the arrays `given`; it gets two .npz files, to read and to write.

    None when it is not done by `deadline` (of `time.monotonic`) or ends badly. `look` is called all the time and may
    raise, which ends the process. The file runs by itself: importing the package would take as long as small work does.
    """
    with tempfile.TemporaryDirectory(prefix="omagen-") as folder:
        source, made = Path(folder) / "given.npz", Path(folder) / "made.npz"
        np.savez(source, **given)
        command = [sys.executable, "-P", script, str(source), str(made)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    return None
                look()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_S)
        finally:
            process.kill()
            process.wait()
        if process.returncode or not made.exists():
            return None
        with np.load(made) as arrays:
            return dict(arrays)
