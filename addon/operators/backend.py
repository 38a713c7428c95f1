"""Starting and stopping the backend, and reading its log."""

from __future__ import annotations

import bpy

from ...backend.omagen.protocol import OmagenError
from .. import editors, preferences, runtime
from .task_operator import answered, require_backend

LOG_NAME = "Omagen Log"
LOG_LINES = 2000
SHOWN_LINES = 30
"""About as many as fit into a window, so that the end of the log is what is seen."""


class OMAGEN_OT_backend_start(bpy.types.Operator):
    """Start the backend, or find the one that already runs"""

    bl_idname = "omagen.backend_start"
    bl_label = "Start"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = runtime.current()
        try:
            require_backend(context)
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        now.error = None
        now.refresh()
        return answered(self, lambda: not now.busy)


class OMAGEN_OT_backend_stop(bpy.types.Operator):
    """Stop the backend. A job that is running is interrupted and can be run again"""

    bl_idname = "omagen.backend_stop"
    bl_label = "Stop"
    bl_options = {"REGISTER"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        now = runtime.current()
        working = now.active is not None or now.health.get("worker") == "busy"
        return context.window_manager.invoke_confirm(self, event) if working else self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = runtime.current()
        now.stop_backend()
        return answered(self, lambda: not now.busy)


class OMAGEN_OT_backend_log(bpy.types.Operator):
    """Show the end of the backend's log in a text editor"""

    bl_idname = "omagen.backend_log"
    bl_label = "Log"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        text = bpy.data.texts.get(LOG_NAME) or bpy.data.texts.new(LOG_NAME)
        text.from_string(runtime.current().backend.log_tail(LOG_LINES) or "The backend has not written a log yet.")
        text.cursor_set(len(text.lines) - 1)
        if not bpy.app.background:
            area = editors.shown(context, "TEXT_EDITOR")
            if area is None:
                area = editors.open_window(context, "TEXT_EDITOR")
                area.spaces.active.show_syntax_highlight = False  # of Python, which a log is not
            area.spaces.active.text = text
            area.spaces.active.top = max(0, len(text.lines) - SHOWN_LINES)
        return {"FINISHED"}


class OMAGEN_OT_preferences(bpy.types.Operator):
    """Open Omagen's preferences"""

    bl_idname = "omagen.preferences"
    bl_label = "Open Preferences"
    bl_options = {"REGISTER", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return bpy.ops.preferences.addon_show(module=preferences.PACKAGE)


CLASSES = (OMAGEN_OT_backend_start, OMAGEN_OT_backend_stop, OMAGEN_OT_backend_log, OMAGEN_OT_preferences)
