"""What becomes of a finished job: an object in the scene or an image, as one undo step."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..backend.omagen.protocol import Job
from . import assets, cutouts
from .client.api import Client
from .scene.glb import ObjectArrays, read_object
from .scene.write_object import write_object
from .task import Delivery, Made

OBJECT_FILE, PICTURE_FILE, PREVIEW_FILE = "object.glb", "picture.png", "preview.png"
PROVENANCE = "omagen"
"""Custom property of an imported object: how it was made, as JSON."""


@dataclass(frozen=True)
class Placement:
    """Where and how an object enters the scene. Scenes are held by name: undo invalidates references."""

    scene: str
    location: tuple[float, float, float]
    size: float
    mark_asset: bool = False

    @classmethod
    def at_cursor(cls, context: bpy.types.Context, size: float = 0.0, mark_asset: bool | None = None) -> Placement:
        settings = context.scene.omagen
        asset = settings.mark_asset if mark_asset is None else mark_asset
        return cls(context.scene.name, tuple(context.scene.cursor.location), size or settings.size, asset)


def object_delivery(placement: Placement) -> Delivery:
    def fetch(client: Client, job: Job) -> tuple[ObjectArrays, bytes]:
        arrays = read_object(client.download(job.id, OBJECT_FILE))
        return arrays, client.download(job.id, PREVIEW_FILE) if PREVIEW_FILE in job.files else b""

    def apply(job: Job, result: tuple[ObjectArrays, bytes]) -> Made:
        arrays, preview = result
        return _write_object(job, arrays, preview, placement)

    return Delivery(fetch, apply)


def cutout_delivery(key: str, title: str) -> Delivery:
    def fetch(client: Client, job: Job) -> bytes:
        return client.download(job.id, PICTURE_FILE)

    def apply(job: Job, png: bytes) -> Made:
        image = cutouts.write(key, title, png)
        for scene in bpy.data.scenes:
            if cutouts.picture_key(scene.omagen, bpy.context) == key:
                scene.omagen.mask = image
                scene.omagen.use_mask = True
        push_undo(f"Cut out {title}")
        return Made(image.name)

    return Delivery(fetch, apply)


def provenance(job: Job, import_warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """How a result was made: small, free of secrets and paths."""
    result = job.result or {}
    kept = ("engine", "version", "seed", "device", "licence", "weights", "report", "warnings")
    made = {"job": job.id, "request": job.request.to_json(), **{key: result[key] for key in kept if key in result}}
    return made | {"warnings": [*made.get("warnings", ()), *import_warnings]}


def _write_object(job: Job, arrays: ObjectArrays, preview: bytes, placement: Placement) -> Made:
    context = bpy.context
    scene = bpy.data.scenes.get(placement.scene) or context.scene
    warnings = import_warnings(arrays)
    name = str((job.result or {}).get("name") or job.request.name or job.request.engine)
    with context.temp_override(scene=scene, view_layer=_view_layer(context, scene)):
        made = write_object(
            bpy.context,
            arrays,
            name,
            size=placement.size,
            location=placement.location,
            provenance=provenance(job, warnings),
        )
    if placement.mark_asset:
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / PREVIEW_FILE
            picture.write_bytes(preview)
            assets.mark(made, job, licence(job.result or {}), picture if preview else None)
    push_undo(f"Omagen: {made.name}")
    return Made(made.name, warnings)


def import_warnings(arrays: ObjectArrays) -> tuple[str, ...]:
    """What the user should know of what no mesh can hold."""
    if not arrays.left_out:
        return ()
    whole = arrays.triangles + arrays.left_out
    return (f"{arrays.left_out:,} of {whole:,} triangles were left out: collapsed, or repeated at the same place.",)


def _view_layer(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    return context.view_layer if context.scene == scene else scene.view_layers[0]


def push_undo(message: str) -> None:
    """End an undo step: what timers apply belongs to none by itself."""
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)


def stored_provenance(obj: bpy.types.Object | None) -> dict[str, Any] | None:
    """How an imported object was made; None for any other object."""
    text = obj.get(PROVENANCE) if obj else None
    try:
        made = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return made if isinstance(made, dict) and isinstance(made.get("request"), dict) else None


def stored_request(obj: bpy.types.Object | None) -> dict[str, Any] | None:
    """The request that an imported object remembers, as JSON; None for any other object."""
    made = stored_provenance(obj)
    return made["request"] if made else None


def licence(made: Mapping[str, Any]) -> str:
    """The licence that binds a result: that of the model weights. Without any it is its maker's own: an empty text."""
    return str(made.get("licence", "")) if made.get("weights") else ""


def summary(made: dict[str, Any]) -> list[str]:
    """What an artist wants to know of an object's making: what its use is bound to, and its quality report."""
    report = made.get("report") or {}
    lines = [f"Licence: {terms}"] if (terms := licence(made)) else []
    if "triangles" in report:
        lines.append(f"{report['triangles']:,} triangles")
    if "watertight" in report:
        lines.append("Watertight" if report["watertight"] else f"{report.get('open_edges', 'Some')} open edges")
    return lines + [str(warning) for warning in made.get("warnings") or ()]
