"""Finish, refine, texture and inspect the selected objects; refine them by painting on their normals."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .. import mesh_work, omage_work, parameters, runtime, view_work
from ..scene import region, view_camera
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


class OMAGEN_OT_view_normals(TaskOperator, bpy.types.Operator):
    """Draw the active object's normals, as this view shows them, into an image to paint on"""

    bl_idname = "omagen.view_normals"
    bl_label = "Paint Normals of This View"
    bl_options = {"REGISTER"}

    height: IntProperty(name="Height", description="Of the image, in pixels", default=1024, min=64, max=4096)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.view_layer.objects.active
        if obj is None or obj.type != "MESH":
            cls.poll_message_set("Select a mesh object")
            return False
        return True

    def start(self, context: bpy.types.Context) -> Task:
        obj = context.view_layer.objects.active
        space = context.space_data
        region = space.region_3d if space is not None and space.type == "VIEW_3D" else None
        return view_work.draw(context, obj, view_camera.of_view(context, region, obj), self.height)


class OMAGEN_OT_view_apply(TaskOperator, bpy.types.Operator):
    """Let the mesh follow what was painted on its normals, there and nowhere else"""

    bl_idname = "omagen.view_apply"
    bl_label = "Apply Painted Normals"
    bl_options = {"REGISTER"}

    image: StringProperty(
        name="Image", description="Name of the painted image. Empty: the image editor's", options={"SKIP_SAVE"}
    )
    parameters: StringProperty(
        name="Parameters", description="Settings of Refine as name=value words", options={"SKIP_SAVE"}
    )
    target: EnumProperty(
        name="Result",
        items=[
            ("REPLACE", "Replace", "The object itself changes"),
            ("NEW", "New Object", "A copy of the object changes; the object itself is kept and hidden"),
        ],
        options={"SKIP_SAVE"},
    )

    def start(self, context: bpy.types.Context) -> Task:
        if bpy.app.background:
            require_engines()
        space = context.space_data
        shown = space.image if space is not None and space.type == "IMAGE_EDITOR" else None
        image = bpy.data.images.get(self.image) if self.image else shown
        if image is None or not view_work.is_view(image):
            raise OmagenError(ErrorCode.INPUT, "The image shows no normals of a view.", "Draw some first.")
        chosen = omage_work.settings_of(context, view_work.REFINE, parse_parameters(self.parameters))
        return view_work.apply(context, image, self.target, context.scene.omagen.mesh.region, chosen)


def _has_selection(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if not omage_work.chosen_objects(context):
        cls.poll_message_set("Select an object that has a surface")
        return False
    return True


CLASSES = (OMAGEN_OT_mesh_work, OMAGEN_OT_mesh_quality, OMAGEN_OT_view_normals, OMAGEN_OT_view_apply)
