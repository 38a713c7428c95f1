"""Finish, refine, texture and inspect the selected objects."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .. import mesh_work, omage_work, parameters, runtime
from ..scene import region
from ..task import Task
from .generate import parse_parameters
from .task_operator import TaskOperator, require_engines

PANEL = ("PANEL", "As in the Panel", "")


class OMAGEN_OT_mesh_work(TaskOperator, bpy.types.Operator):
    """Work on the meshes of the selected objects"""

    bl_idname = "omagen.mesh_work"
    bl_label = "Work on Mesh"
    bl_options = {"REGISTER"}

    engine: StringProperty(
        name="Engine",
        description="What is done: finish, refine, texture, or another engine for meshes. Empty: as in the panel",
        options={"SKIP_SAVE"},
    )
    parameters: StringProperty(
        name="Parameters",
        description="The engine's settings as JSON or as name=value words; the rest is as in the panel",
        options={"SKIP_SAVE"},
    )
    inputs: StringProperty(
        name="Inputs",
        description="What the engine takes besides the mesh, as JSON: ids to words, names of images or paths",
        options={"SKIP_SAVE"},
    )
    target: EnumProperty(
        name="Result",
        items=[
            PANEL,
            ("NEW", "New Object", "A copy of the object gets the result; the object itself is kept and hidden"),
            ("REPLACE", "Replace", "The object itself gets the result"),
        ],
        options={"SKIP_SAVE"},
    )
    region: EnumProperty(name="Region", items=[PANEL, *region.ITEMS], options={"SKIP_SAVE"})
    apply_modifiers: BoolProperty(
        name="Apply Modifiers", description="Send the objects as their modifiers make them", options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        now = runtime.peek()
        engine = now.engines.get(properties.engine) if now else None
        return engine.description if engine else cls.__doc__ or ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_selection(cls, context)

    def start_all(self, context: bpy.types.Context) -> list[Task]:
        if bpy.app.background:
            require_engines()
        settings = context.scene.omagen
        panel = parameters.chosen_mesh_engine(settings)
        id = self.engine or (panel.id if panel else "")
        if not id:
            raise OmagenError(ErrorCode.INPUT, "No engine is known yet.", "Start the backend first.")
        engine = mesh_work.engine_of(id)
        given = self.properties.is_property_set("apply_modifiers")
        return mesh_work.start(
            context,
            engine,
            omage_work.chosen_objects(context),
            target=settings.mesh.target if self.target == "PANEL" else self.target,
            region=settings.mesh.region if self.region == "PANEL" else self.region,
            apply_modifiers=self.apply_modifiers if given else settings.mesh.apply_modifiers,
            chosen=omage_work.settings_of(context, engine.id, parse_parameters(self.parameters)),
            given=mesh_work.given_inputs(self.inputs),
        )


class OMAGEN_OT_mesh_quality(TaskOperator, bpy.types.Operator):
    """Look for what is wrong with the meshes of the selected objects: holes, bad edges, overlapping UVs and more"""

    bl_idname = "omagen.mesh_quality"
    bl_label = "Check Quality"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_selection(cls, context)

    def start_all(self, context: bpy.types.Context) -> list[Task]:
        chosen = context.scene.omagen.mesh.apply_modifiers
        return mesh_work.inspect(context, omage_work.chosen_objects(context), chosen)


def _has_selection(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if not omage_work.chosen_objects(context):
        cls.poll_message_set("Select an object that has a surface")
        return False
    return True


CLASSES = (OMAGEN_OT_mesh_work, OMAGEN_OT_mesh_quality)
