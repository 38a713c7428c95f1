"""Setting up the backend's environment: the two steps that the preferences ask for."""

from __future__ import annotations

import bpy

from .. import preferences


class OMAGEN_OT_copy_install_command(bpy.types.Operator):
    """Copy the line to the clipboard, to be pasted into a terminal"""

    bl_idname = "omagen.copy_install_command"
    bl_label = "Copy the Line"
    bl_options = {"REGISTER", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = preferences.install_command()
        self.report({"INFO"}, "Copied: paste it into a terminal.")
        return {"FINISHED"}


class OMAGEN_OT_use_environment(bpy.types.Operator):
    """Run the backend in the environment that the line above has made"""

    bl_idname = "omagen.use_environment"
    bl_label = "Use This Environment"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not preferences.suggested_program().is_file():
            cls.poll_message_set("There is none yet: run the line in a terminal first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        preferences.preferences(context).python = str(preferences.suggested_program())
        return {"FINISHED"}


CLASSES = (OMAGEN_OT_copy_install_command, OMAGEN_OT_use_environment)
