"""Engines that misbehave on request, for the tests of the worker, the server and the command line.

A process sees them when `OMAGEN_ENGINES` names them and this folder is on its `PYTHONPATH`: see `ENVIRONMENT`.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from omagen.engines.base import RunProgress
from omagen.protocol import (
    Choice,
    EngineInfo,
    ErrorCode,
    InputKind,
    InputSpec,
    OmagenError,
    Parameter,
    ParameterKind,
    Request,
)
from omagen.shapes import Material, Mesh, Picture, Texture

ENVIRONMENT = {
    "OMAGEN_ENGINES": "fake=fake_engines:FakeEngine,fake-picture=fake_engines:FakePictureEngine,"
    "unloadable=fake_engines:UnloadableEngine,broken=fake_engines:BrokenEngine,absent=no_such_module:Engine",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])),
}
"""What to add to a child process's environment so that it finds the engines of this file."""

GIL_HOLDING_STEPS_PER_SECOND = 50_000_000


class FakeEngine:
    """`behaviour` says what the run does, `seconds` for how long, `megabytes` how much it takes."""

    def describe(self) -> EngineInfo:
        behaviours = tuple(Choice(name, name.capitalize(), run.__doc__ or "") for name, run in BEHAVIOURS.items())
        return EngineInfo(
            id="fake",
            title="Fake",
            description="Does what a test asks for",
            inputs=(
                InputSpec("image", InputKind.IMAGE, "A picture", required=False),
                InputSpec("text", InputKind.TEXT, "A description", required=False),
            ),
            parameters=(
                Parameter("behaviour", ParameterKind.CHOICE, "Behaviour", "finish", choices=behaviours),
                Parameter("seconds", ParameterKind.FLOAT, "Seconds", 0.0, minimum=0.0, maximum=600.0),
                Parameter("megabytes", ParameterKind.INT, "Megabytes", 0, minimum=0, maximum=1_000_000),
                Parameter("shiny", ParameterKind.BOOL, "Shiny", False, group="Surface"),
            ),
            memory_mb=64,
        )

    def load(self, device: str) -> None:
        pass

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Mesh | Picture:
        progress("starting", 0.0)
        for path in files.values():
            path.read_bytes()
        BEHAVIOURS[str(request.parameters["behaviour"])](request, progress)
        progress("done", 1.0)
        return tetrahedron(size=1.0 + request.seed % 10)


class FakePictureEngine(FakeEngine):
    """The same, but it gives a picture."""

    def describe(self) -> EngineInfo:
        info = super().describe()
        return EngineInfo(
            "fake-picture", "Fake picture", info.description, info.inputs, info.parameters, produces="picture"
        )

    def run(self, request: Request, files: Mapping[str, Path], progress: RunProgress) -> Mesh | Picture:
        super().run(request, files, progress)
        rgba = np.zeros((8, 12, 4), np.uint8)
        rgba[2:6, 3:9] = (200, 80, request.seed % 256, 255)
        return Picture(rgba, has_alpha=True)


class UnloadableEngine(FakeEngine):
    """Describes itself well, then fails while loading."""

    def describe(self) -> EngineInfo:
        info = super().describe()
        return EngineInfo("unloadable", "Unloadable", info.description, info.inputs, info.parameters)

    def load(self, device: str) -> None:
        raise OmagenError(ErrorCode.MODEL, "The weights are damaged.", "Download them again.")


class BrokenEngine(FakeEngine):
    """Other people's code at its worst: it cannot even describe itself."""

    def describe(self) -> EngineInfo:
        raise RuntimeError("third-party code failed")


def tetrahedron(size: float) -> Mesh:
    """A closed textured object of four triangles."""
    vertices = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], np.float32) * np.float32(size / 2)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    corners = np.array([[0.05, 0.05], [0.45, 0.05], [0.25, 0.45]], np.float32)
    offsets = np.array([[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]], np.float32)
    pixels = np.full((4, 4, 3), 180, np.uint8)
    material = Material("fake", base_color_texture=Texture(pixels))
    return Mesh(vertices, faces, uv=corners[None] + offsets[:, None], materials=(material,), name="fake")


def _steps(request: Request) -> int:
    return max(1, round(float(request.parameters["seconds"]) / 0.02))


def _finish(request: Request, progress: RunProgress) -> None:
    """Ends well at once"""


def _sleep(request: Request, progress: RunProgress) -> None:
    """Works politely: reports progress, so that it can be cancelled"""
    steps = _steps(request)
    for step in range(steps):
        time.sleep(0.02)
        progress("sleeping", step / steps)


def _warn(request: Request, progress: RunProgress) -> None:
    """Warns twice and ends well"""
    progress.warn("The cut-out is approximate.")
    progress.warn("The picture is small.")


def _saturate(request: Request, progress: RunProgress) -> None:
    """Keeps every core busy; can be cancelled"""
    matrix = np.ones((700, 700), np.float32)
    end = time.monotonic() + float(request.parameters["seconds"])
    while time.monotonic() < end:
        progress("burning", 0.5)
        for _ in range(5):
            matrix = np.clip(matrix @ matrix, 0, 1)


def _stubborn(request: Request, progress: RunProgress) -> None:
    """Never asks whether it was cancelled"""
    end = time.monotonic() + float(request.parameters["seconds"])
    while time.monotonic() < end:
        pass


def _frozen(request: Request, progress: RunProgress) -> None:
    """Sits in native code that holds the interpreter's lock: no other thread of the process runs"""
    sum(itertools.repeat(0, int(float(request.parameters["seconds"]) * GIL_HOLDING_STEPS_PER_SECOND)))


def _allocate(request: Request, progress: RunProgress) -> None:
    """Takes memory and touches it"""
    blocks = []
    for taken in range(int(request.parameters["megabytes"])):
        blocks.append(b"x" * 2**20)
        progress("allocating", taken / int(request.parameters["megabytes"]))
    _sleep(request, progress)


def _out_of_memory(request: Request, progress: RunProgress) -> None:
    """Fails the way numpy does when memory ends"""
    raise MemoryError("Unable to allocate 37.3 GiB for an array")


def _chatter(request: Request, progress: RunProgress) -> None:
    """Writes to both output streams, from Python and from native code"""
    sys.stdout.write("chatter\n" * 1000)
    sys.stderr.write("chatter\n" * 1000)
    os.write(1, b"native chatter\n" * 1000)


def _raise(request: Request, progress: RunProgress) -> None:
    """Raises an error that nobody foresaw"""
    raise RuntimeError("unforeseen: secret detail")


def _refuse(request: Request, progress: RunProgress) -> None:
    """Raises an error meant for the user"""
    raise OmagenError(ErrorCode.GEOMETRY, "The object has no surface.", "Choose another picture.")


def _exit(request: Request, progress: RunProgress) -> None:
    """Takes the worker process down"""
    os._exit(3)


def _segfault(request: Request, progress: RunProgress) -> None:
    """Takes the worker process down the hard way"""
    ctypes.string_at(0)


BEHAVIOURS: dict[str, Callable[[Request, RunProgress], None]] = {
    "finish": _finish,
    "sleep": _sleep,
    "warn": _warn,
    "saturate": _saturate,
    "stubborn": _stubborn,
    "frozen": _frozen,
    "allocate": _allocate,
    "out-of-memory": _out_of_memory,
    "chatter": _chatter,
    "raise": _raise,
    "refuse": _refuse,
    "exit": _exit,
    "segfault": _segfault,
}
