"""What becomes of finished, refined and textured meshes: on the object itself or on a copy, as one undo step."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import bpy

from ..backend.omagen.protocol import Job
from . import delivery, omages
from .client.api import Client
from .delivery import OBJECT_FILE, PROVENANCE, push_undo
from .scene import keep, vertex_groups
from .scene.glb import ObjectArrays, read_object
from .scene.materials import MaterialWriter
from .scene.replace_mesh import DECODED, exchange_mesh
from .scene.write_mesh import fill
from .scene.write_object import write_object
from .task import Delivery, Made, Task

HEIGHTS_FILE: Final = "displacement.png"
LEVEL_FILE: Final = re.compile(r"object_lod(\d+)\.glb")
VIEWED: Final = "omagen_object"
"""Custom property by which images of an object's normals find it"""
QUALITY: Final = "omagen_quality"
"""Custom property of an object: its quality report as JSON, from when it was last looked at."""


@dataclass(frozen=True)
class Worked:
    """What a result is about."""

    title: str
    object: int = 0
    """Session UID; 0: none any more"""
    replace: bool = False
    sent_vertices: int = 0
    """How many the object's own mesh had; 0: something else was sent, e.g. with modifiers"""
    modifiers_applied: bool = False
    warnings: tuple[str, ...] = ()
    """What could not be taken along"""


@dataclass(frozen=True)
class _Result:
    arrays: ObjectArrays
    levels: tuple[ObjectArrays, ...]
    """Coarser ones, the finest first"""
    heights: bytes
    """A picture; empty without displacement"""


def result_delivery(worked: Worked, then: Callable[[bpy.types.Object], Task | None] | None = None) -> Delivery:
    """The result on its object or a copy; `then` starts what follows, e.g. drawing the new normals."""

    def fetch(client: Client, job: Job) -> _Result:
        found = sorted((int(m[1]), name) for name in job.files if (m := LEVEL_FILE.fullmatch(name)))
        levels = tuple(read_object(client.download(job.id, name)) for _, name in found)
        heights = client.download(job.id, HEIGHTS_FILE) if HEIGHTS_FILE in job.files else b""
        return _Result(read_object(client.download(job.id, OBJECT_FILE)), levels, heights)

    def apply(job: Job, result: _Result) -> Made:
        warnings = (*worked.warnings, *delivery.import_warnings(result.arrays))
        original = omages.find_object(worked.object)
        if original is None:
            obj = _write_new(result.arrays, worked.title)
            if worked.object:
                warnings += ("The object is gone; the result is a new one.",)
        else:
            obj = original if worked.replace else _copy(original)
            try:
                warnings += _put_on(obj, result, job, worked)
            except BaseException:
                if obj != original:
                    _remove(obj)
                raise
            if obj != original:
                _show_instead(obj, original)
        obj[PROVENANCE] = json.dumps(delivery.provenance(job, warnings), ensure_ascii=False)
        obj[QUALITY] = json.dumps((job.result or {}).get("report") or {})
        made = _write_levels(obj, result.levels) if result.levels else obj.name
        push_undo(f"Omagen: {obj.name}")
        return Made(made, warnings, then(obj) if then else None)

    return Delivery(fetch, apply)


def quality_delivery(title: str, uid: int) -> Delivery:
    """The report on a mesh, kept on its object."""

    def fetch(client: Client, job: Job) -> dict[str, Any]:
        return dict((job.result or {}).get("report") or {})

    def apply(job: Job, report: dict[str, Any]) -> Made:
        obj = omages.find_object(uid)
        if obj is not None:
            obj[QUALITY] = json.dumps(report)
            push_undo(f"Inspect {title}")
        return Made(obj.name if obj else title)

    return Delivery(fetch, apply)


def stored_quality(obj: bpy.types.Object | None) -> dict[str, Any]:
    text = obj.get(QUALITY) if obj is not None else None
    try:
        report = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _put_on(obj: bpy.types.Object, result: _Result, job: Job, worked: Worked) -> tuple[str, ...]:
    """Lay the result over the mesh where its topology and UVs are still the user's, else exchange the mesh."""
    report = (job.result or {}).get("report") or {}
    kept = report.get("kept") or {}
    with _object_mode(obj):
        if not (worked.sent_vertices and kept.get("topology") and kept.get("uv")):
            return _exchange(obj, result.arrays, worked)
        keep.require_same_vertices(obj.data, result.arrays, worked.sent_vertices)
        if not kept.get("positions"):
            keep.move_vertices(obj.data, result.arrays)
        heights = None
        if result.heights:
            facts = report.get("refinement") or {}
            heights = keep.Heights(result.heights, float(facts.get("displacement_scale_m", 0.0)))
        if heights or not kept.get("materials"):
            keep.retexture(obj, result.arrays.materials, kept.get("maps") or (), heights)
        return ()


def _exchange(obj: bpy.types.Object, arrays: ObjectArrays, worked: Worked) -> tuple[str, ...]:
    made: list[bpy.types.ID] = []
    warnings = []
    try:
        writer = MaterialWriter(made, has_colors=arrays.colors is not None)
        own = exchange_mesh(obj, arrays, [writer.write(surface) for surface in arrays.materials])
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    source = own or obj.omage.original
    if own is not None and own.shape_keys:
        warnings.append("Shape keys stay with the original mesh: the result has other vertices.")
    if worked.modifiers_applied:
        shown = [m for m in obj.modifiers if m.show_viewport or m.show_render]
        if shown:
            omages.turn_off(obj, shown)
            warnings.append("The modifiers are part of the result now, and were turned off.")
    elif source is not None:
        vertex_groups.carry_over(source, obj)
    if own is not None and worked.replace:
        obj.omage.original = own
    elif own is not None and not own.users:  # of the copy; the object that was copied still has the mesh
        bpy.data.meshes.remove(own)
    return tuple(warnings)


@contextmanager
def _object_mode(obj: bpy.types.Object) -> Iterator[None]:
    """Leave a mode that holds the mesh in its own copy, and come back to it."""
    mode = obj.mode
    if mode not in {"EDIT", "SCULPT"}:
        yield
        return
    with bpy.context.temp_override(object=obj, active_object=obj):
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        with bpy.context.temp_override(object=obj, active_object=obj):
            bpy.ops.object.mode_set(mode=mode)


def _copy(original: bpy.types.Object) -> bpy.types.Object:
    """A copy beside it, with modifiers, groups and constraints, and a mesh of its own where it is a mesh."""
    if original.type != "MESH":
        obj = bpy.data.objects.new(original.name, bpy.data.meshes.new(original.name))
        obj.matrix_world = original.matrix_world
    else:
        if original.mode == "EDIT":
            original.update_from_editmode()
        obj = original.copy()
        obj.data = original.data.copy()
    obj.omage.geometry = None
    obj.pop(VIEWED, None)
    for collection in original.users_collection or (bpy.context.scene.collection,):
        collection.objects.link(obj)
    return obj


def _remove(obj: bpy.types.Object) -> None:
    mesh = obj.data
    bpy.data.objects.remove(obj)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)


def _show_instead(obj: bpy.types.Object, original: bpy.types.Object) -> None:
    """Hide the original; the result takes its place in the selection, if the user is not in the middle of something."""
    layer = bpy.context.view_layer
    if bpy.context.mode == "OBJECT" and original.name in layer.objects:
        for other in tuple(layer.objects.selected):
            other.select_set(False)
        obj.select_set(True)
        layer.objects.active = obj
    original.hide_render = True
    if original.name in layer.objects and original.mode == "OBJECT":
        original.hide_set(True)


def _write_new(arrays: ObjectArrays, name: str) -> bpy.types.Object:
    obj = write_object(bpy.context, arrays, name)
    obj.data[DECODED] = True
    return obj


def _write_levels(obj: bpy.types.Object, levels: tuple[ObjectArrays, ...]) -> str:
    """Objects for all levels of detail in a collection of their own, the coarser ones hidden; the collection's name."""
    made: list[bpy.types.ID] = []
    try:
        collection = bpy.data.collections.new(f"{obj.name} Levels")
        made.append(collection)
        bpy.context.scene.collection.children.link(collection)
        for number, arrays in enumerate(levels, 1):
            mesh = bpy.data.meshes.new(f"{obj.name} LOD{number}")
            made.append(mesh)
            writer = MaterialWriter(made, has_colors=arrays.colors is not None)
            for surface in arrays.materials:
                mesh.materials.append(writer.write(surface))
            fill(mesh, arrays)
            mesh[DECODED] = True
            level = bpy.data.objects.new(mesh.name, mesh)
            made.append(level)
            level.matrix_world = obj.matrix_world
            collection.objects.link(level)
            level.hide_set(True)
            level.hide_render = True
    except BaseException:
        bpy.data.batch_remove(made)
        raise
    collection.objects.link(obj)
    return collection.name
