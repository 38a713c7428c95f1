"""Encode as omage, decode, and what goes with them."""

from __future__ import annotations

import json

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .. import delivery, editors, level_of_detail, omage_work, omages
from ..scene.replace_mesh import require_object_mode
from ..task import Task
from .generate import parse_parameters
from .task_operator import TaskOperator, require_engines

PARAMETERS = {
    "name": "Parameters",
    "description": "The engine's settings as JSON or as name=value words; the rest is as in the panel",
    "options": {"SKIP_SAVE"},
}


class OMAGEN_OT_omage_encode(TaskOperator, bpy.types.Operator):
    """Turn the selected objects into pictures of their shape and colours, to be edited and decoded again"""

    bl_idname = "omagen.omage_encode"
    bl_label = "Encode as Omage"
    bl_options = {"REGISTER"}

    parameters: StringProperty(**PARAMETERS)
    together: EnumProperty(
        name="Objects",
        items=[
            ("PANEL", "As in the Panel", ""),
            ("EACH", "One Omage Each", "Every object becomes an omage of its own"),
            ("JOINED", "One Omage", "All objects become one omage"),
        ],
        options={"SKIP_SAVE"},
    )
    apply_modifiers: BoolProperty(
        name="Apply Modifiers", description="Encode the objects as their modifiers make them", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not omage_work.chosen_objects(context):
            cls.poll_message_set("Select an object that has a surface")
            return False
        return True

    def start_all(self, context: bpy.types.Context) -> list[Task]:
        if bpy.app.background:
            require_engines()
        settings = context.scene.omagen.omage
        given = self.properties.is_property_set("apply_modifiers")
        return omage_work.encode(
            context,
            omage_work.chosen_objects(context),
            joined=(settings.together if self.together == "PANEL" else self.together) == "JOINED",
            apply_modifiers=self.apply_modifiers if given else settings.apply_modifiers,
            chosen=omage_work.settings_of(context, omage_work.ENCODE, parse_parameters(self.parameters)),
        )


class OMAGEN_OT_omage_decode(TaskOperator, bpy.types.Operator):
    """Make a mesh of the omage as it is painted now, unsaved strokes included"""

    bl_idname = "omagen.omage_decode"
    bl_label = "Decode"
    bl_options = {"REGISTER"}

    omage: StringProperty(
        name="Omage",
        description="Name of one of the omage's images. Empty: the omage of the image editor or the active object",
        options={"SKIP_SAVE"},
    )
    parameters: StringProperty(**PARAMETERS)
    target: EnumProperty(
        name="Result",
        items=[
            ("PANEL", "As in the Panel", ""),
            ("REPLACE", "Replace Mesh", "The object that the omage belongs to gets the mesh"),
            ("NEW", "New Object", "The mesh becomes an object beside it"),
        ],
        options={"SKIP_SAVE"},
    )
    patch_image: BoolProperty(name="Patch Image", description="Also draw an image of the charts", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.data.images:
            cls.poll_message_set("There is no omage yet: encode an object first")
            return False
        return True

    def start(self, context: bpy.types.Context) -> Task:
        if bpy.app.background:
            require_engines()
        settings = context.scene.omagen.omage
        geometry = self._geometry(context)
        obj = context.view_layer.objects.active
        if obj is not None and obj.omage.geometry != geometry:
            obj = None
        chosen = omage_work.settings_of(context, omage_work.DECODE, parse_parameters(self.parameters))
        if "resolution" not in parse_parameters(self.parameters):
            chosen["resolution"] = level_of_detail.decoded_resolution(obj)
        target = settings.target if self.target == "PANEL" else self.target
        given = self.properties.is_property_set("patch_image")
        image = self.patch_image if given else settings.patch_image
        return omage_work.decode(context, geometry, chosen, obj, new_object=target == "NEW", patch_image=image)

    def _geometry(self, context: bpy.types.Context) -> bpy.types.Image:
        image = bpy.data.images.get(self.omage) if self.omage else None
        if self.omage and image is None:
            raise OmagenError(ErrorCode.INPUT, f"There is no image {self.omage!r}.", "Choose another.")
        geometry = omages.omage_of(image) if image else shown_omage(context)
        if geometry is None:
            geometry = image or context.scene.omagen.omage.geometry
            if geometry is None:
                raise OmagenError(ErrorCode.INPUT, "No omage is chosen.", "Encode an object, or choose an image.")
            omages.adopt(geometry)
        return geometry


class OMAGEN_OT_omage_resolution(TaskOperator, bpy.types.Operator):
    """Decode the active object's omage at another resolution; the omage itself stays as it is"""

    bl_idname = "omagen.omage_resolution"
    bl_label = "Change Resolution"
    bl_options = {"REGISTER"}

    resolution: IntProperty(name="Resolution", description="Pixels a side", min=0, max=4096, options={"SKIP_SAVE"})
    factor: EnumProperty(
        name="Factor",
        items=[("NONE", "", ""), ("HALF", "Half", "Half the resolution"), ("DOUBLE", "Double", "Twice the resolution")],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        words = {"HALF": "Go down to the next power of two", "DOUBLE": "Go up to the next power of two"}
        return words.get(properties.factor, cls.__doc__ or "")

    def start(self, context: bpy.types.Context) -> Task:
        obj = context.view_layer.objects.active
        if obj is None or obj.omage.geometry is None:
            raise OmagenError(ErrorCode.INPUT, "The active object has no omage.", "Encode it first.")
        if bpy.app.background:
            require_engines()
        resolution = self.resolution
        if self.factor != "NONE":
            resolution = level_of_detail.neighbour(level_of_detail.wanted(obj), up=self.factor == "DOUBLE")
        return level_of_detail.decode_at(context, obj, resolution)


class OMAGEN_OT_omage_show(bpy.types.Operator):
    """Show this map in an image editor, where it can be painted on"""

    bl_idname = "omagen.omage_show"
    bl_label = "Edit Map"
    bl_options = {"REGISTER", "INTERNAL"}

    image: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        image = bpy.data.images.get(self.image)
        if image is None or bpy.app.background:
            return {"CANCELLED"}
        editors.paint_on(editors.image_editor(context), image)
        return {"FINISHED"}


class OMAGEN_OT_omage_restore(bpy.types.Operator):
    """Give the object back the mesh that it had before a result replaced it. Its omage stays"""

    bl_idname = "omagen.omage_restore"
    bl_label = "Restore Original Mesh"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.view_layer.objects.active
        return omages.can_restore(obj)

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.view_layer.objects.active
        try:
            require_object_mode(obj)
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        obj.data = obj.omage.original
        obj.omage.resolution = 0
        for name, in_view, in_render in json.loads(obj.omage.modifiers_off or "[]"):
            if name in obj.modifiers:
                obj.modifiers[name].show_viewport, obj.modifiers[name].show_render = in_view, in_render
        obj.omage.modifiers_off = ""
        delivery.push_undo(f"Restore {obj.name}")
        return {"FINISHED"}


def shown_omage(context: bpy.types.Context) -> bpy.types.Image | None:
    """The omage that the user means: of the image editor's image when called from there, else of the active object."""
    space = context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        return omages.omage_of(space.image)
    obj = context.view_layer.objects.active
    return obj.omage.geometry if obj is not None else None


CLASSES = (
    OMAGEN_OT_omage_encode,
    OMAGEN_OT_omage_decode,
    OMAGEN_OT_omage_resolution,
    OMAGEN_OT_omage_show,
    OMAGEN_OT_omage_restore,
)
