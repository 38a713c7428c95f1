"""The tab "Omagen" in the image editor's sidebar: its image is the picture; a cut-out is corrected here."""

from __future__ import annotations

import bpy

from .. import cutouts, omages, parameters, view_work
from . import settings
from .sidebar import CATEGORY, draw_generate, is_ready


class OMAGEN_PT_image(bpy.types.Panel):
    bl_label = "Generate"
    bl_idname = "OMAGEN_PT_image"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        image = context.space_data.image
        return omages.omage_of(image) is None and not view_work.is_view(image)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if not is_ready(layout, context):
            return
        image = context.space_data.image
        if image is None:
            layout.label(text="Open a picture to start", icon="INFO")
            return
        chosen = context.scene.omagen
        engine = parameters.chosen_engine(chosen)
        if image == chosen.mask:
            settings.draw_strokes(layout)
        elif not cutouts.is_cutout(image):
            layout.operator("omagen.cutout", icon="IMAGE_ALPHA")
        if engine is not None and settings.needs_picture(engine):
            layout.prop(chosen, "engine", text="")
            draw_generate(layout, context, warnings=False)


CLASSES = (OMAGEN_PT_image,)
