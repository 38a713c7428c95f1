"""The add-on's preferences, and what is still to be set before the backend can start."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..backend.omagen import protocol
from ..backend.omagen.protocol import OmagenError
from . import runtime
from .client import process
from .client.backend import Backend
from .panels import model_list, wrapped_text

PACKAGE = __name__.removesuffix(".addon.preferences")
"""The extension's top package, `bl_ext.<repository>.omagen`: Blender's key for its preferences and its user folder."""

EXTENSION_FOLDER = Path(__file__).resolve().parent.parent


def _restart(self: OmagenPreferences, context: bpy.types.Context) -> None:
    runtime.close()


def suggested_program() -> Path:
    """The Python program of the environment that `install_command` makes."""
    return Path.home() / "omagen-backend" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install_command() -> str:
    """A line for a terminal: it creates a Python environment with the backend in it."""
    windows = sys.platform == "win32"
    quote = (lambda text: f'"{text}"') if windows else shlex.quote
    python = "py -3.11" if windows else "python3.11"
    environment, program = map(str, (suggested_program().parents[1], suggested_program()))
    target = f"{EXTENSION_FOLDER}[cpu]"
    return f"{python} -m venv {quote(environment)} && {quote(program)} -m pip install {quote(target)}"


class OmagenPreferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: StringProperty(
        name="Python Environment",
        description="The Python program of the environment in which the backend is installed",
        subtype="FILE_PATH",
        update=_restart,
    )
    data: StringProperty(
        name="Data Folder",
        description="Where jobs, results and model weights are kept. Empty: the system's place for user data",
        subtype="DIR_PATH",
        update=_restart,
    )
    device: EnumProperty(
        name="Device",
        description="What engines compute on",
        items=[
            ("auto", "Automatic", "The fastest device that the backend finds"),
            ("cpu", "CPU", "The processor: works everywhere"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
            ("mps", "Metal", "An Apple graphics processor"),
        ],
        default="auto",
    )
    size: FloatProperty(
        name="Object Size",
        description="Longest side of an imported object in a new scene",
        subtype="DISTANCE",
        unit="LENGTH",
        default=1.0,
        min=0.001,
        soft_max=100.0,
    )
    auto_start: BoolProperty(
        name="Start Backend with the Panel",
        description="Start the backend as soon as Omagen's panel is shown, so that the first job need not wait for it",
        default=True,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if problem := missing_environment(context):
            self._draw_setup(context, problem.message)
        column = layout.column()
        column.prop(self, "python", placeholder=os.environ.get("OMAGEN_PYTHON") or str(suggested_program()))
        column.prop(self, "data", placeholder=str(protocol.default_data_folder()))
        layout.separator()
        column = layout.column()
        column.prop(self, "device")
        column.prop(self, "size")
        column.prop(self, "auto_start")
        layout.separator()
        model_list.draw(layout, context)

    def _draw_setup(self, context: bpy.types.Context, problem: str) -> None:
        box = self.layout.box()
        wrapped_text.draw(box, context, problem, icon="INFO")
        box.label(text="1. Run this line in a terminal; it needs Python 3.11 or newer.")
        wrapped_text.draw(box, context, install_command())
        box.operator("omagen.copy_install_command", icon="COPYDOWN")
        box.label(text="2. Choose the environment that it has made.")
        box.operator("omagen.use_environment", icon="CHECKMARK")


def preferences(context: bpy.types.Context | None = None) -> OmagenPreferences:
    return (context or bpy.context).preferences.addons[PACKAGE].preferences


def python_program(context: bpy.types.Context | None = None) -> str:
    """The backend's Python: the user's choice, else the environment variable OMAGEN_PYTHON, else an empty text."""
    chosen = preferences(context).python
    return bpy.path.abspath(chosen) if chosen else os.environ.get("OMAGEN_PYTHON", "")


def data_folder(context: bpy.types.Context | None = None) -> Path:
    chosen = preferences(context).data
    return Path(bpy.path.abspath(chosen)) if chosen else protocol.default_data_folder()


def missing_environment(context: bpy.types.Context | None = None) -> OmagenError | None:
    """What keeps the backend from being started, if anything does."""
    try:
        process.python_program(python_program(context))
    except OmagenError as error:
        return error
    return None


def install(stack: ExitStack) -> None:
    runtime.install(lambda: Backend(python_program(), data_folder()), stack)


CLASSES = (OmagenPreferences,)
