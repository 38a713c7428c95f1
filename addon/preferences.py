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


def _install_command(self: OmagenPreferences) -> str:
    environment = Path.home() / "omagen-backend"
    program = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    quote = (lambda text: f'"{text}"') if sys.platform == "win32" else shlex.quote
    python = "py -3.11" if sys.platform == "win32" else "python3.11"
    target = f"{EXTENSION_FOLDER}[cpu]"
    return f"{python} -m venv {quote(str(environment))} && {quote(str(program))} -m pip install {quote(target)}"


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
    install_command: StringProperty(
        name="Install Command",
        description="Type or paste this into a terminal: it creates a Python environment with the backend in it",
        get=_install_command,
        set=lambda self, value: None,  # without it the text could not be selected
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        problem = configuration_problem(context)
        if problem:
            self._draw_setup(context, problem)
        column = layout.column()
        column.prop(self, "python", placeholder=os.environ.get("OMAGEN_PYTHON", "path/to/environment/bin/python"))
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
        box.label(text="1. Copy this line into a terminal; it needs Python 3.11 or newer:")
        row = box.row()
        row.use_property_split = False
        row.prop(self, "install_command", text="")
        wrapped_text.draw(
            box,
            context,
            "2. Choose the environment's Python program below. The command above puts it at: " + str(_suggested()),
        )


def _suggested() -> Path:
    return Path.home() / "omagen-backend" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def preferences(context: bpy.types.Context | None = None) -> OmagenPreferences:
    return (context or bpy.context).preferences.addons[PACKAGE].preferences


def python_program(context: bpy.types.Context | None = None) -> str:
    """The backend's Python: the user's choice, else the environment variable OMAGEN_PYTHON, else an empty text."""
    chosen = preferences(context).python
    return bpy.path.abspath(chosen) if chosen else os.environ.get("OMAGEN_PYTHON", "")


def data_folder(context: bpy.types.Context | None = None) -> Path:
    chosen = preferences(context).data
    return Path(bpy.path.abspath(chosen)) if chosen else protocol.default_data_folder()


def configuration_problem(context: bpy.types.Context | None = None) -> str:
    """What keeps the backend from being started, in words for the user; empty when nothing does."""
    try:
        process.python_program(python_program(context))
    except OmagenError as error:
        return str(error)
    return ""


def install(stack: ExitStack) -> None:
    runtime.install(lambda: Backend(python_program(), data_folder()), stack)


CLASSES = (OmagenPreferences,)
