"""Downloading and removing model weights: the only thing here that needs the internet."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import runtime


class OMAGEN_OT_model_download(bpy.types.Operator):
    """Download the model's weights into the data folder"""

    bl_idname = "omagen.model_download"
    bl_label = "Download"
    bl_options = {"REGISTER", "INTERNAL"}

    model: StringProperty(name="Model", description="Id of the model", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.app.online_access:
            cls.poll_message_set("Blender is not allowed to go online: see Preferences > System > Network")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.current().download_model(self.model)
        return {"FINISHED"}


class OMAGEN_OT_model_delete(bpy.types.Operator):
    """Delete the model's weights from the data folder"""

    bl_idname = "omagen.model_delete"
    bl_label = "Delete Model"
    bl_options = {"REGISTER", "INTERNAL"}

    model: StringProperty(name="Model", description="Id of the model", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.current().delete_model(self.model)
        return {"FINISHED"}


CLASSES = (OMAGEN_OT_model_download, OMAGEN_OT_model_delete)
