"""Generate 3D: from the panel's settings, or from what is passed, as scripts do."""

from __future__ import annotations

import json
import random
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ...backend.omagen.protocol import SEED_LIMIT, ErrorCode, OmagenError
from .. import cutouts, parameters, preferences, runtime, submission
from ..delivery import Placement, object_delivery
from ..scene.read_image import Sendable, picture_file
from ..submission import Submission
from ..task import Task
from .task_operator import TaskOperator, require_engines


class OMAGEN_OT_generate(TaskOperator, bpy.types.Operator):
    """Make a textured object from the picture and put it at the 3D cursor"""

    bl_idname = "omagen.generate"
    bl_label = "Generate 3D"
    bl_options = {"REGISTER"}

    image: StringProperty(
        name="Image",
        description="Picture file to work from. Empty: use the panel's settings",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    mesh: StringProperty(name="Mesh", description="Mesh file to work from", subtype="FILE_PATH", options={"SKIP_SAVE"})
    mask: StringProperty(
        name="Mask",
        description="Grey picture file of the same shape as the image: white belongs to the object",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    engine: StringProperty(
        name="Engine",
        description="Engine to run. Empty: 'inflate' for an image, 'mesh' for a mesh",
        options={"SKIP_SAVE"},
    )
    seed: IntProperty(
        name="Seed",
        description="Another seed gives another variation",
        default=1,
        min=0,
        max=SEED_LIMIT - 1,
        options={"SKIP_SAVE"},
    )
    name: StringProperty(name="Name", description="Name of the object. Empty: the file's", options={"SKIP_SAVE"})
    size: FloatProperty(
        name="Size",
        description="Longest side of the object in metres. 0: the panel's size",
        min=0.0,
        options={"SKIP_SAVE"},
    )
    parameters: StringProperty(
        name="Parameters",
        description='The engine\'s settings as JSON, {"faces": 20000}, or as faces=20000 back=flat',
        options={"SKIP_SAVE"},
    )
    mark_asset: BoolProperty(
        name="Mark as Asset", description="Put the object into this file's assets", options={"SKIP_SAVE"}
    )
    device: EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=[
            ("preferences", "As in Preferences", ""),
            ("auto", "Automatic", ""),
            ("cpu", "CPU", ""),
            ("cuda", "CUDA", ""),
            ("mps", "Metal", ""),
        ],
        options={"SKIP_SAVE"},
    )

    def start(self, context: bpy.types.Context) -> Task:
        if self.image or self.mesh:
            sent = self._passed(context)
            asset = self.mark_asset
        else:
            if bpy.app.background:
                require_engines()
            cutouts.adopt_editor_image(context)
            sent = submission.from_panel(context)
            asset = self.mark_asset if self.properties.is_property_set("mark_asset") else None
        placement = Placement.at_cursor(context, self.size, asset)
        return runtime.current().submit(sent.title, sent.send, object_delivery(placement))

    def _passed(self, context: bpy.types.Context) -> Submission:
        paths = {"image": self.image, "mesh": self.mesh, "mask": self.mask}
        files: dict[str, Sendable] = {id: picture_file(path) for id, path in paths.items() if path}
        device = preferences.preferences(context).device if self.device == "preferences" else self.device
        return Submission(
            engine=self.engine or ("mesh" if self.mesh and not self.image else "inflate"),
            title=self.name or picture_file(self.image or self.mesh).stem,
            files=files,
            parameters=parse_parameters(self.parameters),
            seed=self.seed,
            device=device,
        )


def parse_parameters(text: str) -> dict[str, Any]:
    """Engine settings from a JSON object or from `name=value` words. Raises `OmagenError` (input) for anything else."""
    text = text.strip()
    if text.startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise OmagenError(ErrorCode.INPUT, f"The parameters are not readable as JSON: {error}.") from error
    found = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise OmagenError(ErrorCode.INPUT, f"The parameter {word!r} has no value.", "Write it as name=value.")
        found[name] = _plain(value)
    return found


def _plain(value: str) -> Any:
    """A word as the number or truth value that it spells, else as it is."""
    try:
        plain = json.loads(value.lower())
    except ValueError:
        return value
    return plain if isinstance(plain, bool | int | float) else value


class OMAGEN_OT_random_seed(bpy.types.Operator):
    """Choose another seed at random"""

    bl_idname = "omagen.random_seed"
    bl_label = "Random Seed"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.omagen.seed = random.randrange(10_000)
        return {"FINISHED"}


class OMAGEN_OT_reset_parameters(bpy.types.Operator):
    """Set all of the engine's settings back to their defaults"""

    bl_idname = "omagen.reset_parameters"
    bl_label = "Reset Settings"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        engine = parameters.chosen_engine(context.scene.omagen)
        if engine is None:
            return {"CANCELLED"}
        parameters.reset(context.scene.omagen, engine)
        return {"FINISHED"}


CLASSES = (OMAGEN_OT_generate, OMAGEN_OT_random_seed, OMAGEN_OT_reset_parameters)
