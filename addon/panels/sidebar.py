"""The tab "Omagen" in the 3D view's sidebar."""

from __future__ import annotations

import bpy

from ...backend.omagen.protocol import OmagenError
from .. import delivery, omage_work, parameters, preferences, runtime
from ..client.backend import BackendState
from . import progress, settings, wrapped_text

CATEGORY = "Omagen"
STATES = {
    BackendState.NOT_CONFIGURED: ("Not set up", "ERROR"),
    BackendState.STOPPED: ("Stopped", "RADIOBUT_OFF"),
    BackendState.STARTING: ("Starting", "SORTTIME"),
    BackendState.RUNNING: ("Running", "RADIOBUT_ON"),
    BackendState.FAILED: ("Failed", "ERROR"),
}


def ensure_backend(context: bpy.types.Context) -> None:
    """Start the backend once, when a panel is first drawn, if the user lets us."""
    if runtime.peek() is None and preferences.preferences(context).auto_start:
        now = runtime.current()
        if not preferences.missing_environment(context):
            now.refresh()


def draw_generate(layout: bpy.types.UILayout, context: bpy.types.Context, warnings: bool = True) -> None:
    """The one primary button, and what came of pressing it."""
    now = runtime.peek()
    row = layout.row()
    row.scale_y = 1.5
    row.operator("omagen.generate", icon="MESH_MONKEY")
    if now is not None:
        elsewhere = omage_work.ENGINES | parameters.mesh_engines()
        progress.draw(layout, context, [task for task in now.tasks if task.engine not in elsewhere], warnings)


def is_ready(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """Whether there is a backend to work with; starts it, or draws what to do where there is none."""
    ensure_backend(context)
    problem = preferences.missing_environment(context)
    if problem and runtime.current().backend.state is not BackendState.RUNNING:
        draw_setup(layout, context, problem)
        return False
    return True


def draw_setup(layout: bpy.types.UILayout, context: bpy.types.Context, problem: OmagenError) -> None:
    box = layout.box()
    wrapped_text.draw(box, context, str(problem), icon="INFO")
    box.operator("omagen.preferences", icon="PREFERENCES")


class OMAGEN_PT_generate(bpy.types.Panel):
    bl_label = "Generate"
    bl_idname = "OMAGEN_PT_generate"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if not is_ready(layout, context):
            return
        now = runtime.current()
        chosen = context.scene.omagen
        engine = parameters.chosen_engine(chosen)
        if settings.needs_picture(engine):
            settings.draw_picture(layout, context, chosen)
            layout.separator()
        if engine is not None:
            settings.draw_engine(layout, context, chosen, engine)
        settings.draw_result(layout, chosen)
        layout.separator()
        draw_generate(layout, context)
        if now.error is not None:
            progress.draw_error(layout, context, now.error)


class OMAGEN_PT_object(bpy.types.Panel):
    bl_label = "Active Object"
    bl_idname = "OMAGEN_PT_object"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return delivery.stored_request(context.object) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        made = delivery.stored_provenance(context.object) or {}
        request = made["request"]
        engine = str(request.get("engine", ""))
        varies = runtime.current().uses_seed(engine)
        made_with = f"{engine}, seed {request.get('seed')}" if varies else engine
        layout.label(text=f"Made with {made_with}", icon="OUTLINER_OB_MESH", translate=False)
        for text in delivery.summary(made):
            wrapped_text.draw(layout, context, text)
        row = layout.row(align=True)
        again = row.operator("omagen.job_rerun", icon="FILE_REFRESH")
        again.from_object = True
        if varies:
            vary = row.operator("omagen.job_rerun", text="Vary", icon="MOD_ARRAY")
            vary.from_object = vary.vary = True


class OMAGEN_PT_backend(bpy.types.Panel):
    bl_label = "Backend"
    bl_idname = "OMAGEN_PT_backend"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        now = runtime.current()
        title, icon = STATES[now.backend.state]
        running = now.backend.state is BackendState.RUNNING
        layout.label(text=title, icon=icon)
        for device in now.health.get("devices", ()) if running else ():
            memory = f", {device['memory_mb'] / 1024:.0f} GB" if device.get("memory_mb") else ""
            layout.label(text=f"{device.get('title', device.get('id', ''))}{memory}", icon="MEMORY", translate=False)
        if now.backend.error is not None and not running:
            progress.draw_error(layout, context, now.backend.error)
        row = layout.row(align=True)
        if running:
            row.operator("omagen.backend_stop", icon="CANCEL")
        else:
            row.operator("omagen.backend_start", icon="PLAY")
        row.operator("omagen.backend_log", icon="TEXT")
        row.operator("omagen.refresh", text="", icon="FILE_REFRESH")
        row.operator("omagen.preferences", text="", icon="PREFERENCES")


CLASSES = (OMAGEN_PT_generate, OMAGEN_PT_object, OMAGEN_PT_backend)
