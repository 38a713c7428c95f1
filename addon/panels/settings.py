"""The parts of the panel in which a request is put together; drawn in the 3D view and in the image editor alike."""

from __future__ import annotations

from collections.abc import Collection

import bpy

from ...backend.omagen.protocol import EngineInfo, InputSpec, Parameter
from .. import cutouts, parameters
from ..properties import OmagenSettings
from . import thumbnails, wrapped_text

PREVIEW_SCALE = 7.0


def draw_picture(layout: bpy.types.UILayout, context: bpy.types.Context, settings: OmagenSettings) -> None:
    """Which picture, what it looks like, and its cut-out."""
    layout.row(align=True).prop(settings, "source", expand=True)
    if settings.source == "IMAGE":
        layout.template_ID(settings, "image", open="image.open")
    elif settings.source == "FILE":
        layout.prop(settings, "filepath", text="", placeholder="Choose a picture")
    elif (image := cutouts.picture_image(settings, context)) is not None:
        layout.label(text=image.name, icon="TEXTURE", translate=False)
    else:
        layout.label(text="No texture on the active object", icon="INFO")
    icon = _picture_icon(context, settings)
    if not icon:
        return
    layout.template_icon(icon_value=icon, scale=PREVIEW_SCALE)
    draw_cutout(layout, settings)


def draw_cutout(layout: bpy.types.UILayout, settings: OmagenSettings) -> None:
    layout.operator("omagen.cutout", text="Cut Out Again" if settings.mask else "Cut Out", icon="IMAGE_ALPHA")
    if settings.mask:
        draw_strokes(layout)
    if not settings.mask:
        split(layout).prop(settings, "mask")
        return
    row = split(layout).row(align=True, heading="Mask")
    row.prop(settings, "use_mask", text="")
    choice = row.row(align=True)
    choice.active = settings.use_mask
    choice.prop(settings, "mask", text="")


def draw_strokes(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.operator("omagen.paint_cutout", text="Erase", icon="REMOVE").stroke = "ERASE"
    row.operator("omagen.paint_cutout", text="Restore", icon="ADD").stroke = "RESTORE"


def draw_engine(
    layout: bpy.types.UILayout, context: bpy.types.Context, settings: OmagenSettings, engine: EngineInfo
) -> None:
    """Which engine, and its settings as it describes them: the few always visible, the rest under its own headings."""
    row = layout.row(align=True)
    row.prop(settings, "engine", text="")
    row.operator("omagen.reset_parameters", text="", icon="LOOP_BACK")
    if engine.problem:
        wrapped_text.draw(layout.box(), context, engine.problem, icon="ERROR", alert=True)
    group = parameters.group(settings, engine)
    column = split(layout)
    draw_inputs(column, group, engine)
    _draw_always_visible(column, group, engine)
    if engine.uses_seed:
        draw_seed(column, settings)
    _draw_headings(layout, group, engine)


def draw_parameters(
    layout: bpy.types.UILayout, settings: OmagenSettings, engine: EngineInfo, hidden: Collection[str] = ()
) -> None:
    """The settings of an engine that has a panel of its own, but those whose ids are `hidden`."""
    group = parameters.group(settings, engine)
    _draw_always_visible(split(layout), group, engine, hidden)
    _draw_headings(layout, group, engine)


def draw_seed(layout: bpy.types.UILayout, settings: OmagenSettings) -> None:
    row = layout.row(align=True)
    row.prop(settings, "seed")
    row.operator("omagen.random_seed", text="", icon="FILE_REFRESH")


def draw_inputs(layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, engine: EngineInfo) -> None:
    """What an engine takes besides the picture or the selected object, but for what belongs under a heading."""
    _draw_inputs(layout, group, [spec for spec in parameters.own_inputs(engine) if not spec.group])


def draw_result(layout: bpy.types.UILayout, settings: OmagenSettings) -> None:
    """How the result enters the scene."""
    column = split(layout)
    column.prop(settings, "size")
    column.prop(settings, "mark_asset")


def needs_picture(engine: EngineInfo | None) -> bool:
    return engine is None or any(spec.id == parameters.PICTURE for spec in engine.inputs)


def split(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column with titles on the left and controls on the right."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def _draw_always_visible(
    layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, engine: EngineInfo, hidden: Collection[str] = ()
) -> None:
    _draw_parameters(layout, group, [p for p in engine.parameters if not p.group and p.id not in hidden])


def _draw_headings(layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, engine: EngineInfo) -> None:
    inputs = parameters.own_inputs(engine)
    for heading in dict.fromkeys(one.group for one in (*engine.parameters, *inputs) if one.group):
        header, body = layout.panel(f"OMAGEN_{engine.id}_{heading}", default_closed=True)
        header.label(text=heading)
        if body:
            column = split(body)
            _draw_inputs(column, group, [spec for spec in inputs if spec.group == heading])
            _draw_parameters(column, group, [p for p in engine.parameters if p.group == heading])


def _draw_inputs(layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, shown: list[InputSpec]) -> None:
    for spec in shown:
        if spec.is_shown:
            layout.prop(group, parameters.input_attribute(spec.id))


def _draw_parameters(layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, shown: list[Parameter]) -> None:
    for parameter in shown:
        ranged = parameter.minimum is not None and parameter.maximum is not None
        layout.prop(group, parameters.attribute(parameter.id), slider=ranged and parameter.kind == "float")


def _picture_icon(context: bpy.types.Context, settings: OmagenSettings) -> int:
    """The cut-out where there is one, else the picture."""
    if settings.use_mask and settings.mask:
        return thumbnails.of_image(settings.mask)
    if settings.source == "FILE":
        return thumbnails.of_file(bpy.path.abspath(settings.filepath)) if settings.filepath else 0
    image = cutouts.picture_image(settings, context)
    return thumbnails.of_image(image) if image else 0
