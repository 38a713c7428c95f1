"""Cut out: let the backend find the object in the picture before any time is spent on making it."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import cutouts, parameters, preferences, runtime, submission
from ..delivery import cutout_delivery
from ..scene.read_image import Sendable, picture_file
from ..submission import Submission
from ..task import Task
from .task_operator import TaskOperator, require_engines

ENGINE = "cutout"
KEEP_BACKGROUND = "keep_background"
"""The engine's parameter without which there would be nothing to paint back."""


class OMAGEN_OT_cutout(TaskOperator, bpy.types.Operator):
    """Find the object in the picture and make its background transparent, to be checked and corrected by painting"""

    bl_idname = "omagen.cutout"
    bl_label = "Cut Out"
    bl_options = {"REGISTER"}

    image: StringProperty(
        name="Image",
        description="Picture file to cut out. Empty: the picture chosen in the panel",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def start(self, context: bpy.types.Context) -> Task:
        settings = context.scene.omagen
        picture: Sendable
        if self.image:
            picture = picture_file(self.image)
            key, title = f"file:{picture}", picture.stem
        else:
            cutouts.adopt_editor_image(context)
            picture = submission.panel_picture(context)
            key, title = cutouts.picture_key(settings, context), cutouts.picture_title(settings, context)
        now = runtime.current()
        if bpy.app.background:
            require_engines()
        engine = now.engines.get(ENGINE)
        chosen = parameters.values(settings, engine) if engine else {}
        if KEEP_BACKGROUND in chosen:
            chosen[KEEP_BACKGROUND] = True
        sent = Submission(
            ENGINE,
            title,
            files={parameters.PICTURE: picture},
            parameters=chosen,
            device=preferences.preferences(context).device,
        )
        return now.submit(f"Cut-out of {title}", sent.send, cutout_delivery(key, title))


CLASSES = (OMAGEN_OT_cutout,)
