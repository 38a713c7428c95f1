"""Correcting a cut-out by painting: erase what does not belong to the object, restore what does."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import EnumProperty

from .. import editors, timers

BRUSH: Final = "Omagen Cut-out"
TOOL: Final = "builtin.brush"
CATEGORY: Final = "Omagen"


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
        area = editors.image_editor(context)
        if editors.paint_on(area, context.scene.omagen.mask):
            editors.show_sidebar(area, CATEGORY)
        key, blend = area.as_pointer(), "ERASE_ALPHA" if self.stroke == "ERASE" else "ADD_ALPHA"
        timers.retry(lambda: _take_brush(key, blend))
        return {"FINISHED"}


def _take_brush(key: int, blend: str) -> bool:
    """Paint with a brush of our own in the editor at address `key`, so that none of the user's is changed.

    From 4.3 on brushes are assets, to be activated once Blender has listed the file's assets, and a new editor first
    takes its tool's own brush. So this is called until the brush is found to have stayed: then it returns True.
    """
    area = editors.at(key)
    if area is None:
        return True
    paint = bpy.context.scene.tool_settings.image_paint
    brush = bpy.data.brushes.get(BRUSH) or _new_brush()
    brush.blend = blend
    if not bpy.types.Paint.bl_rna.properties["brush"].is_readonly:
        paint.brush = brush
    if paint.brush == brush:
        return True
    brush.asset_mark()
    with editors.inside(area):
        bpy.ops.wm.tool_set_by_id(name=TOOL)
        bpy.ops.brush.asset_activate(asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{BRUSH}")
    return False


def _new_brush() -> bpy.types.Brush:
    brush = bpy.data.brushes.new(BRUSH, mode="TEXTURE_PAINT")
    brush.curve_preset = "SMOOTHER"
    brush.strength = 1.0
    brush.use_pressure_strength = False
    return brush


CLASSES = (OMAGEN_OT_paint_cutout,)
