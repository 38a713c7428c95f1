"""The running task in Blender's status bar, seen from every workspace."""

from __future__ import annotations

from contextlib import ExitStack

import bpy

from .. import editors, runtime
from ..runtime import Runtime
from . import progress


def _draw(self: bpy.types.Header, context: bpy.types.Context) -> None:
    now = runtime.peek()
    task = now.active if now else None
    if task is None:
        return
    row = self.layout.row(align=True)
    row.label(text=f"Omagen: {task.title}", translate=False)
    bar = row.row(align=True)
    bar.ui_units_x = 13
    bar.progress(text=progress.line(task), factor=task.fraction, type="BAR")
    row.operator("omagen.cancel", text="", icon="CANCEL")


def _redraw() -> None:
    editors.redraw()
    # Status bars belong to no screen and cannot be tagged, but they listen for the view layer's name.
    bpy.msgbus.publish_rna(key=(bpy.types.ViewLayer, "name"))


def _watch(now: Runtime) -> None:
    now.listeners.append(_redraw)


def install(stack: ExitStack) -> None:
    bpy.types.STATUSBAR_HT_header.append(_draw)
    stack.callback(bpy.types.STATUSBAR_HT_header.remove, _draw)
    if not bpy.app.background:
        runtime.on_open(_watch, stack)
