"""Correcting a cut-out by painting: erase what does not belong to the object, restore what does."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import EnumProperty

from .. import editors

BRUSH: Final = "Omagen Cut-out"
ERASER_ASSET: Final = "brushes/essentials_brushes-mesh_texture.blend/Brush/Erase Hard"


class OMAGEN_OT_paint_cutout(bpy.types.Operator):
    """Correct the cut-out by painting on it in an image editor"""

    bl_idname = "omagen.paint_cutout"
    bl_label = "Correct by Painting"
    bl_options = {"REGISTER"}

    stroke: EnumProperty(
        name="Stroke",
        items=[
            ("ERASE", "Erase", "Paint away what does not belong to the object"),
            ("RESTORE", "Restore", "Paint back what belongs to the object"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene.omagen.mask is None:
            cls.poll_message_set("Cut the picture out first")
            return False
        return True

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return properties.bl_rna.properties["stroke"].enum_items[properties.stroke].description

    def execute(self, context: bpy.types.Context) -> set[str]:
        if bpy.app.background:
            self.report({"ERROR"}, "Painting needs Blender's window.")
            return {"CANCELLED"}
        area = editors.shown(context, "IMAGE_EDITOR") or self._open_editor(context)
        space = area.spaces.active
        space.image = context.scene.omagen.mask
        space.ui_mode = "PAINT"
        window = next(w for w in context.window_manager.windows if area in list(w.screen.areas))
        region = next(r for r in area.regions if r.type == "WINDOW")
        with context.temp_override(window=window, area=area, region=region):
            if context.area.spaces.active.image and not self._painting_already(area):
                bpy.ops.image.view_all(fit_view=True)
            brush = _activate_brush(context)
        if brush is None:
            self.report({"WARNING"}, "No brush could be activated: choose an eraser in the image editor.")
            return {"FINISHED"}
        brush.blend = "ERASE_ALPHA" if self.stroke == "ERASE" else "ADD_ALPHA"
        editors.show_sidebar(area, "Omagen")
        return {"FINISHED"}

    @staticmethod
    def _open_editor(context: bpy.types.Context) -> bpy.types.Area:
        view = context.area if context.area and context.area.type == "VIEW_3D" else editors.shown(context, "VIEW_3D")
        return editors.split(context, view, "IMAGE_EDITOR") if view else editors.open_window(context, "IMAGE_EDITOR")

    @staticmethod
    def _painting_already(area: bpy.types.Area) -> bool:
        return area == bpy.context.area and bpy.context.region is not None and bpy.context.region.type == "UI"


def _activate_brush(context: bpy.types.Context) -> bpy.types.Brush | None:
    """A brush for image painting: Blender's own eraser where brushes are assets (4.3 and later), else one of ours."""
    paint = context.tool_settings.image_paint
    if hasattr(bpy.types, "BRUSH_OT_asset_activate"):
        bpy.ops.brush.asset_activate(asset_library_type="ESSENTIALS", relative_asset_identifier=ERASER_ASSET)
        return paint.brush
    brush = bpy.data.brushes.get(BRUSH) or bpy.data.brushes.new(BRUSH, mode="TEXTURE_PAINT")
    paint.brush = brush
    return brush


CLASSES = (OMAGEN_OT_paint_cutout,)
