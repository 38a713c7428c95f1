"""What becomes of encoded and decoded omages: images, or a mesh, in the scene; each as one undo step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import bpy
from mathutils import Matrix

from ..backend.omagen.omage_layout import Header
from ..backend.omagen.protocol import ErrorCode, Job, OmagenError
from . import delivery, editors, omages
from .client.api import Client
from .delivery import OBJECT_FILE, PROVENANCE, push_undo
from .scene import patches, vertex_groups, write_patches
from .scene.glb import ObjectArrays, read_object
from .scene.omage_files import read_files
from .scene.replace_mesh import DECODED, is_replaceable, replace_mesh
from .scene.write_object import write_object
from .task import Delivery, Made, Task

OMAGE_FILE: Final = "object.omage"
WHOLE, GROUPS, FACE_SETS, OBJECTS = "whole", "groups", "face_sets", "objects"
"""The values of the decoder's parameter `parts`"""
MOST_PATCHES: Final = 500
"""More groups or objects than this are of no use to anybody, and Blender grows slow with them."""


@dataclass(frozen=True)
class Encoded:
    """What an omage was made of. Objects are known by their session UIDs."""

    title: str
    matrix: Matrix
    objects: tuple[int, ...] = ()
    modifiers_applied: bool = False
    warnings: tuple[str, ...] = ()
    """What could not be taken along"""


@dataclass(frozen=True)
class Decoding:
    """Where a decoded mesh goes. Objects and images are known by their session UIDs; 0: none."""

    title: str
    matrix: Matrix
    geometry: int = 0
    replaced: int = 0
    """The object whose mesh is replaced; 0: a new object"""
    parts: str = WHOLE
    """What becomes of the charts, as the engine's parameter says it"""
    patch_image: bool = False
    resolution: int = 0
    """At which the omage is decoded; 0: its own"""
    omage: tuple[Header, Mapping[str, bytes]] | None = None
    """Of an omage from disk that has no images yet, what they will be made of"""


@dataclass(frozen=True)
class _Decoded:
    arrays: ObjectArrays
    parts: tuple[ObjectArrays, ...]
    patch_picture: bytes
    omage: tuple[Header, Mapping[str, bytes]] | None
    """What images are to be made of"""


def omage_delivery(encoded: Encoded, then: Callable[[bpy.types.Image], Task] | None = None) -> Delivery:
    """The images of an omage; `then` starts what follows, e.g. its decoding."""

    def fetch(client: Client, job: Job) -> tuple[Header, dict[str, bytes]]:
        return read_files(client.download(job.id, OMAGE_FILE))

    def apply(job: Job, result: tuple[Header, dict[str, bytes]]) -> Made:
        header, files = result
        provenance = delivery.provenance(job, encoded.warnings)
        geometry = omages.write(header, files, encoded.title, encoded.matrix, provenance)
        for obj in filter(None, map(omages.find_object, encoded.objects)):
            obj.omage.geometry = geometry
            obj.omage.modifiers_applied = encoded.modifiers_applied
        show(geometry)
        push_undo(f"Encode {encoded.title}")
        return Made(geometry.name, encoded.warnings, then(geometry) if then else None)

    return Delivery(fetch, apply)


def mesh_delivery(decoding: Decoding) -> Delivery:
    """The mesh of an omage, in an object."""

    def fetch(client: Client, job: Job) -> _Decoded:
        arrays = read_object(client.download(job.id, OBJECT_FILE))
        omage = decoding.omage
        if not decoding.geometry and OMAGE_FILE in job.files:  # the backend had to convert it
            omage = read_files(client.download(job.id, OMAGE_FILE))
        parts: tuple[ObjectArrays, ...] = ()
        if decoding.parts == OBJECTS:
            _require_few(arrays)
            parts = tuple(patches.split(arrays))
        elif decoding.parts == GROUPS:
            _require_few(arrays)
        wanted = decoding.patch_image and arrays.patches is not None and arrays.uv is not None
        picture = patches.picture(arrays, decoding.resolution) if wanted else b""
        return _Decoded(arrays, parts, picture, omage)

    def apply(job: Job, decoded: _Decoded) -> Made:
        geometry = omages.find_image(decoding.geometry)
        if geometry is None and decoded.omage is not None:
            header, files = decoded.omage
            geometry = omages.write(header, files, decoding.title, decoding.matrix, delivery.provenance(job))
            show(geometry)
        warnings = delivery.import_warnings(decoded.arrays)
        if decoded.parts:
            made = _write_parts(job, decoded.parts, decoding, geometry)
        else:
            made, more = _write_whole(job, decoded.arrays, decoding, geometry)
            warnings += more
        if decoded.patch_picture and geometry is not None:
            omages.write_patches(geometry, decoded.patch_picture)
        push_undo(f"Decode {made}")
        return Made(made, warnings)

    return Delivery(fetch, apply)


def show(image: bpy.types.Image) -> None:
    """Bring an image up in the image editor, if one is open."""
    if not bpy.app.background and (area := editors.shown(bpy.context, "IMAGE_EDITOR")):
        area.spaces.active.image = image


def _require_few(arrays: ObjectArrays) -> None:
    if arrays.patches is None:
        raise OmagenError(ErrorCode.INPUT, "The decoded mesh has no patches.", "Choose None under Parts.")
    count = int(arrays.patches.max()) + 1
    if count > MOST_PATCHES:
        raise OmagenError(
            ErrorCode.INPUT,
            f"The omage has {count:,} patches; {MOST_PATCHES} is the most for groups or objects.",
            "Choose face sets, which take any number.",
        )


def _write_whole(
    job: Job, arrays: ObjectArrays, decoding: Decoding, geometry: bpy.types.Image | None
) -> tuple[str, tuple[str, ...]]:
    obj = omages.find_object(decoding.replaced) if decoding.replaced else None
    warnings: tuple[str, ...] = ()
    if obj is not None and geometry is not None and is_replaceable(obj):
        warnings = _replace(obj, arrays, geometry)
    else:
        obj = _write_new(arrays, decoding, geometry)
    obj[PROVENANCE] = json.dumps(delivery.provenance(job, warnings), ensure_ascii=False)
    obj.omage.resolution = decoding.resolution
    obj.omage.full_resolution = geometry.size[0] if geometry is not None else 0
    if arrays.patches is not None and decoding.parts == FACE_SETS:
        write_patches.write_face_sets(obj.data, arrays.patches)
    if arrays.patches is not None and decoding.parts == GROUPS:
        write_patches.write_vertex_groups(obj, arrays)
    elif decoding.replaced:
        write_patches.clear_vertex_groups(obj)
    return obj.name, warnings


def _replace(obj: bpy.types.Object, arrays: ObjectArrays, geometry: bpy.types.Image) -> tuple[str, ...]:
    own = replace_mesh(obj, arrays, omages.material_of(geometry))
    warnings = []
    if own is not None:
        obj.omage.original = own
        if own.shape_keys:
            warnings.append("Shape keys stay with the original mesh.")
    if obj.omage.original is not None and not obj.omage.modifiers_applied:
        vertex_groups.carry_over(obj.omage.original, obj)
    shown = [m for m in obj.modifiers if obj.omage.modifiers_applied and (m.show_viewport or m.show_render)]
    if shown:
        omages.turn_off(obj, shown)
        warnings.append("The modifiers are part of the decoded mesh now, and were turned off.")
    return tuple(warnings)


def _write_new(arrays: ObjectArrays, decoding: Decoding, geometry: bpy.types.Image | None) -> bpy.types.Object:
    worn = arrays if geometry is None else replace(arrays, materials=())
    obj = write_object(bpy.context, worn, decoding.title, location=(0.0, 0.0, 0.0))
    obj.matrix_world = decoding.matrix
    obj.data[DECODED] = True
    if geometry is not None:
        obj.data.materials.append(omages.material_of(geometry))
        obj.omage.geometry = geometry
    return obj


def _write_parts(
    job: Job, parts: tuple[ObjectArrays, ...], decoding: Decoding, geometry: bpy.types.Image | None
) -> str:
    """Objects for all patches in a collection of their own; returns the collection's name."""
    collection = bpy.data.collections.new(f"{decoding.title} Patches")
    bpy.context.scene.collection.children.link(collection)
    provenance = json.dumps(delivery.provenance(job), ensure_ascii=False)
    for number, part in enumerate(parts, 1):
        obj = _write_new(part, replace(decoding, title=f"{decoding.title} {number:03d}"), geometry)
        for other in obj.users_collection:
            other.objects.unlink(obj)
        collection.objects.link(obj)
        obj[PROVENANCE] = provenance
        obj.omage.geometry = None  # decoding the whole omage into a piece of it would be a surprise
    return collection.name
