"""Dropping a picture into the 3D view."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import StringProperty

from .. import editors, runtime

CATEGORY: Final = "Omagen"
PICTURES: Final = ".png;.jpg;.jpeg;.webp;.bmp;.tif;.tiff;.tga"


class OMAGEN_OT_drop(bpy.types.Operator):
    """Make a textured object from the dropped picture"""

    bl_idname = "omagen.drop"
    bl_label = "Generate 3D with Omagen"
    bl_options = {"REGISTER", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        settings = context.scene.omagen
        settings.source = "FILE"
        settings.filepath = self.filepath
        editors.show_sidebar(context.area, CATEGORY)
        # With engines known, the panel's settings count; a backend that is yet to start runs the default engine.
        known = bool(runtime.current().engines)
        return bpy.ops.omagen.generate("INVOKE_DEFAULT", **({} if known else {"image": self.filepath}))

    def execute(self, context: bpy.types.Context) -> set[str]:
        return bpy.ops.omagen.generate("EXEC_DEFAULT", image=self.filepath)


class OMAGEN_FH_picture(bpy.types.FileHandler):
    bl_idname = "OMAGEN_FH_picture"
    bl_label = "Generate 3D with Omagen"
    bl_import_operator = OMAGEN_OT_drop.bl_idname
    bl_file_extensions = PICTURES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (OMAGEN_OT_drop, OMAGEN_FH_picture)
