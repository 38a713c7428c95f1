"""Refining by painting: a view's normals as an image, and what was painted on it back onto the mesh."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

import bpy

from ..backend.omagen.protocol import ErrorCode, Job, OmagenError, Value
from . import editors, mesh_work, omages, preferences, runtime
from .client.api import Client
from .delivery import PICTURE_FILE, push_undo
from .mesh_delivery import VIEWED
from .scene.read_mesh import MeshReader
from .submission import Submission
from .task import Delivery, Made, Task

DRAW: Final = "view_normals"
REFINE: Final = "refine"
CAMERA: Final = "omagen_camera"
"""Custom property of an image: from where it shows an object, as JSON in that object's frame"""
OBJECT: Final = VIEWED
"""Custom property of such an image and of the object: the same text. A pointer would keep deleted objects alive."""


def is_view(image: bpy.types.Image | None) -> bool:
    return image is not None and isinstance(image.get(CAMERA), str)


def object_of(image: bpy.types.Image) -> bpy.types.Object:
    """Raises `OmagenError` (input) where the object is gone."""
    shown = _objects_of(image)
    if not shown:
        raise OmagenError(
            ErrorCode.INPUT, f"The object that {image.name!r} shows is gone.", "Draw the normals of another one."
        )
    active = bpy.context.view_layer.objects.active
    return active if active in shown else shown[0]


def title_of(image: bpy.types.Image) -> str:
    """What is shown, for the panel."""
    shown = _objects_of(image)
    return shown[0].name if shown else "Its object is gone"


def _objects_of(image: bpy.types.Image) -> list[bpy.types.Object]:
    """The object that an image shows, and copies of it."""
    mark = image.get(OBJECT)
    return [obj for obj in bpy.context.scene.objects if mark and obj.get(OBJECT) == mark]


def draw(
    context: bpy.types.Context,
    obj: bpy.types.Object,
    camera: dict[str, Any],
    height: int,
    image: bpy.types.Image | None = None,
) -> Task:
    """Draw the normals of a mesh object into a new image, or into `image`."""
    if obj.type != "MESH":
        raise OmagenError(ErrorCode.INPUT, f"{obj.name!r} is no mesh.", "Convert it to a mesh, or choose another.")
    source = MeshReader(context, apply_modifiers=False).read(obj.name, [obj], obj.matrix_world)
    device = preferences.preferences(context).device
    words = {"camera": json.dumps(camera)}
    sent = Submission(DRAW, obj.name, {mesh_work.MESH: source.glb}, words, {"height": height}, device=device)
    delivery = _picture_delivery(obj, words["camera"], image)
    return runtime.current().submit(f"Normals of {obj.name}", sent.send, delivery, DRAW)


def apply(
    context: bpy.types.Context, image: bpy.types.Image, target: str, region: str, chosen: dict[str, Value]
) -> Task:
    """Refine the object that `image` shows by what was painted on it; then the image shows the new normals."""
    obj = object_of(image)
    camera = json.loads(image[CAMERA])
    height, uid = image.size[1], image.session_uid

    def redraw(made: bpy.types.Object) -> Task | None:
        shown = omages.find_image(uid)
        return draw(bpy.context, made, camera, height, shown) if shown is not None else None

    (task,) = mesh_work.start(
        context,
        mesh_work.engine_of(REFINE),
        [obj],
        target=target,
        region=region,
        apply_modifiers=False,
        chosen=chosen,
        given={"view": image.name, "camera": image[CAMERA]},
        then=redraw,
    )
    return task


def _picture_delivery(obj: bpy.types.Object, camera: str, image: bpy.types.Image | None) -> Delivery:
    uid, into, name = obj.session_uid, image.session_uid if image else 0, obj.name

    def fetch(client: Client, job: Job) -> bytes:
        return client.download(job.id, PICTURE_FILE)

    def show(job: Job, png: bytes) -> Made:
        shown = omages.find_image(into) if into else None
        if shown is None:
            shown = bpy.data.images.new(f"{name} Normals", 1, 1, alpha=True, is_data=True)
            shown.alpha_mode = "CHANNEL_PACKED"
        shown.source = "FILE"
        shown.pack(data=png, data_len=len(png))
        shown.buffers_free()
        shown[CAMERA] = camera
        target = omages.find_object(uid)
        if target is not None:
            target[OBJECT] = shown[OBJECT] = target.get(OBJECT) or uuid.uuid4().hex
        if not bpy.app.background and not into:
            editors.paint_on(editors.image_editor(bpy.context), shown)
        push_undo(f"Normals of {name}")
        return Made(shown.name)

    return Delivery(fetch, show)
