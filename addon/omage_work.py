"""Encoding and decoding as tasks: from what is selected or painted to requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import bpy
from mathutils import Matrix

from ..backend.omagen.omage_layout import Header
from ..backend.omagen.protocol import ErrorCode, OmagenError, Value
from . import omages, parameters, preferences, runtime
from .omage_delivery import WHOLE, Decoding, Encoded, mesh_delivery, omage_delivery
from .scene import replace_mesh
from .scene.omage_files import OmageFiles
from .scene.read_image import Sendable
from .scene.read_mesh import MeshReader, has_surface
from .submission import Submission
from .task import Task

ENCODE: Final = "encode"
DECODE: Final = "decode"
ENGINES: Final = frozenset({ENCODE, DECODE})


def chosen_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """What would be encoded: the selected objects that have a surface, the active one first; or the active one."""
    active = context.view_layer.objects.active
    selected = [obj for obj in context.selected_objects if has_surface(obj)]
    if not selected and active is not None and has_surface(active):
        selected = [active]
    return sorted(selected, key=lambda obj: obj != active)


def encode(
    context: bpy.types.Context,
    objects: list[bpy.types.Object],
    joined: bool,
    apply_modifiers: bool,
    chosen: Mapping[str, Value],
) -> list[Task]:
    """One task per omage. Raises `OmagenError` (input) for objects without faces, before anything is sent."""
    if not objects:
        raise OmagenError(ErrorCode.INPUT, "No object is selected.", "Select objects that have a surface.")
    reader = MeshReader(context, apply_modifiers)
    sets = [objects] if joined else [[obj] for obj in objects]
    submissions = []
    for members in sets:
        first = members[0]
        told = len(reader.warnings)
        mesh = reader.read(first.name, members, first.matrix_world)
        owner = first.session_uid if len(members) == 1 else 0
        encoded = Encoded(
            first.name,
            first.matrix_world.copy(),
            (owner,) if owner else (),
            apply_modifiers,
            tuple(reader.warnings[told:]),
        )
        sent = _submission(context, ENCODE, first.name, {"mesh": mesh.glb}, chosen)
        submissions.append((sent, encoded, owner))
    now = runtime.current()
    return [
        now.submit(f"Encode {sent.title}", sent.send, omage_delivery(encoded), ENCODE, owner)
        for sent, encoded, owner in submissions
    ]


def decode(
    context: bpy.types.Context,
    geometry: bpy.types.Image,
    chosen: Mapping[str, Value],
    obj: bpy.types.Object | None = None,
    new_object: bool = False,
    patch_image: bool = False,
) -> Task:
    """Decode what is painted now. `obj`: the object that it is for; default: one that the omage belongs to."""
    files = omages.files_of(geometry)
    owner = obj or next(iter(omages.objects_of(geometry)), None)
    replaced = owner if owner is not None and not new_object and replace_mesh.is_replaceable(owner) else None
    if replaced is not None:
        replace_mesh.require_object_mode(replaced)
    matrix = owner.matrix_world.copy() if owner else omages.matrix_of(geometry)
    uid = replaced.session_uid if replaced else 0
    return _decode(
        context, files.packed, omages.title_of(geometry), matrix, chosen,
        geometry=geometry.session_uid, replaced=uid, patch_image=patch_image,
        full=geometry.size[0],
    )  # fmt: skip


def decode_file(context: bpy.types.Context, source: Sendable, title: str, chosen: Mapping[str, Value]) -> Task:
    """Decode an omage that the backend has to read first, at the 3D cursor; its images come with the mesh."""
    return _decode(context, source, title, at_cursor(context), chosen)


def bring_in(
    context: bpy.types.Context, header: Header, maps: Mapping[str, bytes], title: str, chosen: Mapping[str, Value]
) -> Task:
    """Decode an omage from disk into a new object at the 3D cursor; its images come with the mesh. `maps`: PNG bytes"""
    return _decode(
        context, OmageFiles(header, maps).packed, title, at_cursor(context), chosen, omage=(header, maps),
        full=header.resolution,
    )  # fmt: skip


def at_cursor(context: bpy.types.Context) -> Matrix:
    return Matrix.Translation(context.scene.cursor.location)


def settings_of(context: bpy.types.Context, engine: str, passed: Mapping[str, Any]) -> dict[str, Value]:
    """The panel's settings of an engine as far as they are known, and what was passed instead."""
    known = runtime.current().engines.get(engine)
    shown = parameters.values(context.scene.omagen, known) if known and parameters.is_shown(known) else {}
    return {**shown, **passed}


def _decode(
    context: bpy.types.Context,
    source: Sendable,
    title: str,
    matrix: Matrix,
    chosen: Mapping[str, Value],
    geometry: int = 0,
    replaced: int = 0,
    patch_image: bool = False,
    full: int = 0,
    omage: tuple[Header, Mapping[str, bytes]] | None = None,
) -> Task:
    decoding = Decoding(
        title, matrix, geometry, replaced, str(chosen.get("parts", WHOLE)), patch_image,
        int(chosen.get("resolution", 0)) or full, omage,
    )  # fmt: skip
    sent = _submission(context, DECODE, title, {"omage": source}, chosen)
    return runtime.current().submit(f"Decode {title}", sent.send, mesh_delivery(decoding), DECODE, replaced)


def _submission(
    context: bpy.types.Context, engine: str, title: str, files: Mapping[str, Sendable], chosen: Mapping[str, Value]
) -> Submission:
    device = preferences.preferences(context).device
    return Submission(engine, title, files=files, parameters=dict(chosen), device=device)
