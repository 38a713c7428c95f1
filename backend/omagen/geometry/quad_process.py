"""Instant field-aligned meshes (Jakob et al. 2015) in a process of its own, which can be ended and may crash."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import numpy as np

SUBDIVISION: Final = 4
"""Faces that the library makes of each that it was asked for, by its last step"""


def run_quads(
    vertices: np.ndarray, faces: np.ndarray, wanted: int, deadline: float, look: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray] | None:
    """About `wanted` quads: vertices (V, 3) float32 and faces (Q, 4) int32; None where it is not done by `deadline` (of
    `time.monotonic`) or ends badly. `look` is called all the time and may raise, which ends the process."""
    from omagen.native_process import run_alone

    given = {"vertices": vertices, "faces": faces, "wanted": max(wanted // SUBDIVISION, 4)}
    made = run_alone(__file__, given, deadline, look)
    return None if made is None else (made["vertices"], made["faces"])


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
