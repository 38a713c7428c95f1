"""The panels "Mesh": finish, refine and texture the selected objects, and see how good their meshes are."""

from __future__ import annotations

import bpy

from ...backend.omagen.protocol import EngineInfo
from .. import mesh_delivery, omage_work, omages, parameters, runtime, view_work
from . import progress, quality, settings, wrapped_text
from .sidebar import CATEGORY, is_ready

ICONS = {"finish": "MOD_REMESH", "refine": "SCULPTMODE_HLT", "texture": "TEXTURE"}


class OMAGEN_PT_mesh(bpy.types.Panel):
    bl_label = "Mesh"
    bl_idname = "OMAGEN_PT_mesh"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if not is_ready(layout, context):
            return
        now = runtime.current()
        engine = parameters.chosen_mesh_engine(context.scene.omagen)
        if engine is None:
            layout.label(text="Waiting for the backend", icon="SORTTIME")
            return
        objects = omage_work.chosen_objects(context)
        layout.row(align=True).prop(context.scene.omagen, "mesh_engine", expand=True)
        draw_work(layout, context, engine, objects)
        layout.separator()
        draw_quality(layout, context)
        progress.draw(layout, context, [task for task in now.tasks if task.engine in parameters.mesh_engines()])


def draw_work(
    layout: bpy.types.UILayout, context: bpy.types.Context, engine: EngineInfo, objects: list[bpy.types.Object]
) -> None:
    """An engine's inputs and settings, what it may change, where the result goes, and the button."""
    chosen = context.scene.omagen
    wrapped_text.draw(layout, context, engine.description)
    if engine.problem:
        wrapped_text.draw(layout.box(), context, engine.problem, icon="ERROR", alert=True)
    settings.draw_inputs(settings.split(layout), parameters.group(chosen, engine), engine)
    settings.draw_parameters(layout, chosen, engine)
    column = settings.split(layout)
    if engine.uses_seed:
        settings.draw_seed(column, chosen)
    if any(obj.modifiers for obj in objects):
        column.prop(chosen.mesh, "apply_modifiers")
    if engine.uses_region:
        region = column.row()
        region.active = not chosen.mesh.apply_modifiers
        region.prop(chosen.mesh, "region")
    column.prop(chosen.mesh, "target")
    row = layout.row()
    row.scale_y = 1.5
    row.enabled = bool(objects) and not engine.problem
    words = engine.title if len(objects) < 2 else f"{engine.title}: {len(objects)} Objects"
    row.operator("omagen.mesh_work", text=words, icon=ICONS.get(engine.id, "MESH_DATA")).engine = engine.id
    if not objects:
        layout.label(text="Select an object to work on", icon="INFO")
    if engine.id == view_work.REFINE:
        layout.operator("omagen.view_normals", icon="BRUSH_DATA")
    if omages.can_restore(context.view_layer.objects.active):
        layout.operator("omagen.omage_restore", icon="LOOP_BACK")


def draw_quality(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    header, body = layout.panel("OMAGEN_mesh_quality", default_closed=False)
    header.label(text="Quality")
    if not body:
        return
    report = mesh_delivery.stored_quality(context.view_layer.objects.active)
    column = body.column(align=True)
    for title, value, is_bad in quality.mesh_lines(report):
        row = column.split(factor=0.55)
        row.alert = is_bad
        row.label(text=title)
        row.label(text=value, translate=False)
    body.operator("omagen.mesh_quality", icon="VIEWZOOM")


class OMAGEN_PT_view_image(bpy.types.Panel):
    """In the image editor: apply what was painted on a view's normals."""

    bl_label = "Normals of a View"
    bl_idname = "OMAGEN_PT_view_image"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return view_work.is_view(context.space_data.image)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.label(text=view_work.title_of(context.space_data.image), icon="MESH_DATA", translate=False)
        chosen = context.scene.omagen
        engine = runtime.current().engines.get(view_work.REFINE)
        if engine is not None and parameters.is_shown(engine):
            column = settings.split(layout)
            column.prop(parameters.group(chosen, engine), parameters.attribute("strength"))
            column.prop(chosen.mesh, "region")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("omagen.view_apply", icon="SCULPTMODE_HLT")
        of_meshes = parameters.mesh_engines()
        progress.draw(layout, context, [task for task in runtime.current().tasks if task.engine in of_meshes])


CLASSES = (OMAGEN_PT_mesh, OMAGEN_PT_view_image)
