"""The panel "Omage": encode the selection, edit its maps, decode, choose a resolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

from ...backend.omagen.protocol import EngineInfo
from .. import omage_work, omages, parameters, runtime
from ..operators.omage import shown_omage
from ..scene.omage_files import MAPS
from . import progress, quality, settings, wrapped_text
from .sidebar import CATEGORY, is_ready

RESOLUTION = "resolution"
NO_BREAK = "\N{NO-BREAK SPACE}"


class OMAGEN_PT_omage(bpy.types.Panel):
    bl_label = "Omage"
    bl_idname = "OMAGEN_PT_omage"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if not is_ready(layout, context):
            return
        now = runtime.current()
        draw_encoding(layout, context)
        layout.separator()
        geometry = shown_omage(context)
        if geometry is not None:
            draw_maps(layout, context, geometry)
        draw_decoding(layout, context, geometry)
        progress.draw(layout, context, [task for task in now.tasks if task.engine in omage_work.ENGINES])


class OMAGEN_PT_omage_image(bpy.types.Panel):
    """In the image editor: decode where the painting is done."""

    bl_label = "Omage"
    bl_idname = "OMAGEN_PT_omage_image"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return omages.omage_of(context.space_data.image) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        geometry = omages.omage_of(context.space_data.image)
        draw_maps(layout, context, geometry)
        draw_button(layout, "omagen.omage_decode", "MESH_DATA")
        progress.draw(layout, context, [t for t in runtime.current().tasks if t.engine in omage_work.ENGINES])


def draw_encoding(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    objects = omage_work.chosen_objects(context)
    chosen = context.scene.omagen.omage
    draw_engine(layout, context, omage_work.ENCODE)
    column = settings.split(layout)
    if len(objects) > 1:
        column.prop(chosen, "together")
    if any(obj.modifiers for obj in objects):
        column.prop(chosen, "apply_modifiers")
    words = "Encode as Omage" if len(objects) < 2 else f"Encode {len(objects)} Objects"
    draw_button(layout, "omagen.omage_encode", "TEXTURE", words, primary=bool(objects))
    if not objects:
        layout.label(text="Select an object to encode", icon="INFO")


def draw_maps(layout: bpy.types.UILayout, context: bpy.types.Context, geometry: bpy.types.Image) -> None:
    """The images of an omage, to be opened for painting, and how good it is."""
    layout.label(text=omages.title_of(geometry), icon="IMAGE_DATA", translate=False)
    images = omages.maps_of(geometry)
    grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
    for kind in MAPS:
        if kind.name in images:
            text = f"{kind.title} *" if images[kind.name].is_dirty else kind.title
            grid.operator("omagen.omage_show", text=text).image = images[kind.name].name
    if geometry.omage.patches is not None:
        grid.operator("omagen.omage_show", text="Patches").image = geometry.omage.patches.name
    draw_quality(layout, context, omages.report_of(geometry))


def draw_quality(layout: bpy.types.UILayout, context: bpy.types.Context, report: Mapping[str, Any]) -> None:
    """One line, or each figure with what it means."""
    figures = quality.line(report).split(quality.SEPARATOR)
    text = quality.SEPARATOR.join(figure.replace(" ", NO_BREAK) for figure in figures)
    if not text:
        return
    header, body = layout.panel("OMAGEN_omage_quality", default_closed=True)
    header.label(text="Quality")
    if not body:
        wrapped_text.draw(layout, context, text)
    else:
        column = body.column(align=True)
        for figure, value in quality.known(report):
            row = column.split(factor=0.3)
            row.label(text=figure.title)
            row.label(text=figure.say(value)[:1].upper() + figure.say(value)[1:], translate=False)
            wrapped_text.draw(column, context, figure.meaning, icon="BLANK1")


def draw_decoding(layout: bpy.types.UILayout, context: bpy.types.Context, geometry: bpy.types.Image | None) -> None:
    chosen = context.scene.omagen.omage
    obj = context.view_layer.objects.active
    if geometry is None:
        settings.split(layout).prop(chosen, "geometry")
    elif obj is not None:
        row = settings.split(layout).row(align=True)
        row.prop(context.window_manager, "omagen_resolution")
        row.operator("omagen.omage_resolution", text="", icon="REMOVE").factor = "HALF"
        row.operator("omagen.omage_resolution", text="", icon="ADD").factor = "DOUBLE"
    if geometry is not None or chosen.geometry is not None:
        draw_engine(layout, context, omage_work.DECODE)
        column = settings.split(layout)
        column.prop(chosen, "patch_image")
        if geometry is not None:
            column.prop(chosen, "target")
        draw_button(layout, "omagen.omage_decode", "MESH_DATA")
    else:
        draw_button(layout, "omagen.omage_decode", "MESH_DATA", primary=False)
        layout.label(text="Encode an object, or choose an image", icon="INFO")
    row = layout.row(align=True)
    row.operator("omagen.omage_import", text="Import", icon="IMPORT")
    row.operator("omagen.omage_export", text="Export", icon="EXPORT")
    if omages.can_restore(obj):
        layout.operator("omagen.omage_restore", icon="LOOP_BACK")


def draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context, id: str) -> None:
    """The settings of an engine as it describes them; a decoder's resolution is the object's own slider."""
    engine: EngineInfo | None = runtime.current().engines.get(id)
    if engine is None or not parameters.is_shown(engine):
        return
    hidden = {RESOLUTION} if id == omage_work.DECODE else set()
    settings.draw_parameters(layout, context.scene.omagen, engine, hidden)


def draw_button(
    layout: bpy.types.UILayout, operator: str, icon: str, text: str | None = None, primary: bool = True
) -> None:
    row = layout.row()
    row.scale_y = 1.5
    row.enabled = primary
    words = {} if text is None else {"text": text}
    row.operator(operator, icon=icon, **words)


CLASSES = (OMAGEN_PT_omage, OMAGEN_PT_omage_image)
