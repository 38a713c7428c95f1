"""Model weights in the preferences: what each is for, its size and licence, and its download."""

from __future__ import annotations

import bpy

from ...backend.omagen.protocol import Json
from .. import runtime
from . import wrapped_text


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    header, body = layout.panel("OMAGEN_models", default_closed=True)
    header.label(text="Models")
    if body is None:
        return
    now = runtime.peek()
    if now is None or not now.models:
        body.label(text="Start the backend to see them.", icon="INFO")
        body.operator("omagen.backend_start", icon="PLAY")
        return
    if not bpy.app.online_access:
        wrapped_text.draw(body, context, "Downloads need Blender's permission to go online.", icon="INTERNET_OFFLINE")
        if not bpy.app.online_access_override:
            body.prop(context.preferences.system, "use_online_access")
    for model in now.models:
        _draw_model(body.box(), context, model)


def _draw_model(box: bpy.types.UILayout, context: bpy.types.Context, model: Json) -> None:
    state = model.get("state", "absent")
    row = box.row()
    row.label(
        text=str(model.get("title", model["id"])),
        icon="CHECKMARK" if state == "installed" else "IMPORT",
        translate=False,
    )
    if state == "downloading":
        row.progress(text=f"{model.get('progress') or 0:.0%}", factor=float(model.get("progress") or 0), type="BAR")
    elif state == "installed":
        row.operator("omagen.model_delete", text="", icon="TRASH").model = model["id"]
    else:
        size = f"Download {(model.get('size') or 0) / 1e6:.0f} MB"
        row.operator("omagen.model_download", text=size, icon="IMPORT").model = model["id"]
    use = "commercial use allowed" if model.get("commercial") else "no commercial use"
    wrapped_text.draw(box, context, f"{model.get('description', '')}\n{model.get('licence', 'No licence')}, {use}.")
    if model.get("folder"):
        wrapped_text.draw(box, context, f"Your own folder is used: {model['folder']}", icon="FILE_FOLDER")
    if model.get("error"):
        error = model["error"]
        text = (
            " ".join(str(error.get(key, "")) for key in ("message", "remedy"))
            if isinstance(error, dict)
            else str(error)
        )
        wrapped_text.draw(box, context, text, icon="ERROR", alert=True)
