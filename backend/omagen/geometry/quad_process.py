"""Instant field-aligned meshes (Jakob et al. 2015) in a process of its own, which can be ended and may crash."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

LOOK_S: Final = 0.1
SUBDIVISION: Final = 4
"""Faces that the library makes of each that it was asked for, by its last step"""


def run_quads(
    vertices: np.ndarray, faces: np.ndarray, wanted: int, deadline: float, look: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray] | None:
    """About `wanted` quads: vertices (V, 3) float32 and faces (Q, 4) int32; None where it is not done by `deadline` (of
    `time.monotonic`) or ends badly. `look` is called all the time and may raise, which ends the process."""
    with tempfile.TemporaryDirectory(prefix="omagen-") as folder:
        given, made = Path(folder) / "mesh.npz", Path(folder) / "quads.npz"
        np.savez(given, vertices=vertices, faces=faces, wanted=max(wanted // SUBDIVISION, 4))
        command = [sys.executable, "-P", __file__, str(given), str(made)]
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
            return arrays["vertices"], arrays["faces"]


def _main(given: str, made: str) -> None:
    import pynanoinstantmeshes

    with np.load(given) as arrays:
        vertices = np.ascontiguousarray(arrays["vertices"], np.float32)
        faces = np.ascontiguousarray(arrays["faces"], np.uint32)
        wanted = int(arrays["wanted"])
    vertices, faces = pynanoinstantmeshes.remesh(vertices, faces, wanted, face_count=wanted, deterministic=True)
    np.savez(made, vertices=np.asarray(vertices, np.float32), faces=np.asarray(faces, np.int32))


if __name__ == "__main__":
    _main(*sys.argv[1:])
