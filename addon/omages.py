"""Omages in the .blend: images that belong together, and the objects that were encoded into or decoded from them.

The geometry image stands for the whole omage: it holds the header and points to the other maps. Everything lives in
properties of images and objects, so it survives saving, copying, appending and undo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatVectorProperty, IntProperty, PointerProperty, StringProperty
from mathutils import Matrix

from ..backend.omagen.omage_layout import MAX_RESOLUTION, MIN_RESOLUTION, Header
from ..backend.omagen.protocol import ErrorCode, OmagenError
from .scene import map_names, omage_images, omage_material
from .scene.omage_files import GEOMETRY, MAPS, OTHERS, MapKind, OmageFiles
from .scene.read_image import read_pixels


class OmageMaps(bpy.types.PropertyGroup):
    """`Image.omage` of a geometry image; without meaning on any other image."""

    header: StringProperty(options={"HIDDEN"})
    """`omage_layout.Header` as JSON; empty on images that are not an omage's geometry"""
    provenance: StringProperty(options={"HIDDEN"})
    matrix: FloatVectorProperty(size=16, subtype="MATRIX", options={"HIDDEN"})
    """Where the omage's own frame is in the world, for an omage that no object has"""
    normal: PointerProperty(type=bpy.types.Image)
    albedo: PointerProperty(type=bpy.types.Image)
    metalness: PointerProperty(type=bpy.types.Image)
    roughness: PointerProperty(type=bpy.types.Image)
    emission: PointerProperty(type=bpy.types.Image)
    patches: PointerProperty(type=bpy.types.Image)
    """A picture of the charts, drawn by decoding"""
    material: PointerProperty(type=bpy.types.Material)
    """What decoded objects wear: made by the first decoding, the user's own from then on"""


class OmageObject(bpy.types.PropertyGroup):
    """`Object.omage`."""

    geometry: PointerProperty(
        name="Omage", description="The geometry image of this object's omage", type=bpy.types.Image
    )
    resolution: IntProperty(options={"HIDDEN"})
    """What the object was last decoded at; 0 before"""
    full_resolution: IntProperty(options={"HIDDEN"})
    """What the omage itself had then: an object that was decoded in full follows an omage that is scaled"""
    original: PointerProperty(type=bpy.types.Mesh)
    """The mesh before the first decoding replaced it"""
    modifiers_applied: BoolProperty(options={"HIDDEN"})
    """Whether the omage shows the object as its modifiers made it"""
    modifiers_off: StringProperty(options={"HIDDEN"})
    """Modifiers that decoding turned off, as JSON: name, and whether each was shown in views and in renders"""


def is_geometry(image: bpy.types.Image | None) -> bool:
    return image is not None and bool(image.omage.header)


def omage_of(image: bpy.types.Image | None) -> bpy.types.Image | None:
    """The geometry image of the omage that an image is a map of; None for other images."""
    if image is None or is_geometry(image):
        return image
    return next((one for one in bpy.data.images if is_geometry(one) and image in maps_of(one).values()), None)


def maps_of(geometry: bpy.types.Image) -> dict[str, bpy.types.Image]:
    """The images of an omage by the names of its maps; those that were deleted are missing."""
    others = {kind.name: getattr(geometry.omage, kind.name) for kind in OTHERS}
    return {GEOMETRY.name: geometry} | {name: image for name, image in others.items() if image is not None}


def objects_of(geometry: bpy.types.Image) -> list[bpy.types.Object]:
    return [obj for obj in bpy.data.objects if obj.omage.geometry == geometry]


def title_of(geometry: bpy.types.Image) -> str:
    """What an omage is called: its object's name, else what it was called when it was made."""
    objects = objects_of(geometry)
    return objects[0].name if objects else header_name(geometry)


def header_name(geometry: bpy.types.Image) -> str:
    try:
        return header_of(geometry).name
    except OmagenError:  # damaged; decoding says so
        return geometry.name


def header_of(geometry: bpy.types.Image) -> Header:
    """Raises `OmagenError` (input) where the image's data was damaged."""
    return Header.decoded(geometry.omage.header.encode())


def report_of(geometry: bpy.types.Image) -> dict[str, Any]:
    """What encoding said of the omage's quality."""
    try:
        return dict(json.loads(geometry.omage.provenance)["report"])
    except (ValueError, TypeError, KeyError):
        return {}


def write(
    header: Header, files: Mapping[str, bytes], name: str, matrix: Matrix, provenance: Mapping[str, Any]
) -> bpy.types.Image:
    """Make the images of an omage; all or, where that fails, none. `files`: PNG bytes by file name."""
    made: dict[str, bpy.types.Image] = {}
    try:
        for kind in MAPS:
            if kind.file in files:
                made[kind.name] = omage_images.write_image(kind, files[kind.file], name)
    except BaseException:
        bpy.data.batch_remove(list(made.values()))
        raise
    geometry = made.pop(GEOMETRY.name)
    geometry.use_fake_user = True  # an omage without an object is saved all the same
    link(geometry, made, header)
    geometry.omage.provenance = json.dumps(dict(provenance), ensure_ascii=False)
    geometry.omage.matrix = _flat(matrix)
    return geometry


def link(geometry: bpy.types.Image, others: Mapping[str, bpy.types.Image], header: Header) -> None:
    """Make images one omage."""
    geometry.omage.header = header.encoded().decode()
    for name, image in others.items():
        setattr(geometry.omage, name, image)


def adopt(geometry: bpy.types.Image) -> None:
    """Make an omage of an image that the user has from elsewhere, with the maps that are named like it.

    Raises `OmagenError` (input) where it cannot be the geometry of one.
    """
    _require_square(geometry)
    others = omage_images.named_like(geometry, [image for image in bpy.data.images if image != geometry])
    try:
        header = Header(
            geometry.size[0], name=(map_names.title(map_names.without_suffix(geometry.name)) or geometry.name)[:200]
        )
        link(geometry, others, Header.decoded(header.encoded()))
    except OmagenError as error:
        raise OmagenError(error.code, f"{geometry.name!r} cannot be an omage: {error.message}", error.remedy) from error
    for kind in MAPS:
        if image := maps_of(geometry).get(kind.name):
            omage_images.prepare(kind, image)
    geometry.omage.matrix = _flat(Matrix.Identity(4))


def files_of(geometry: bpy.types.Image) -> OmageFiles:
    """Everything of an omage as it is painted now, copied; what takes time is done by the copy, off the main thread.

    Raises `OmagenError` (input) where an image has lost its pixels, or the geometry its shape.
    """
    header = header_of(geometry)
    _require_square(geometry)
    has_opacity = header.alpha_mode != "OPAQUE"
    images = maps_of(geometry)
    maps = {
        kind.file: omage_images.read_map(kind, images[kind.name], has_opacity) for kind in MAPS if kind.name in images
    }
    return OmageFiles(header, maps)


def _require_square(geometry: bpy.types.Image) -> None:
    width, height = geometry.size
    if not width * height:
        read_pixels(geometry)  # says what is missing
    if width != height or not MIN_RESOLUTION <= width <= MAX_RESOLUTION:
        raise OmagenError(
            ErrorCode.INPUT,
            f"{geometry.name!r} is {width} x {height}; a geometry image is a square of {MIN_RESOLUTION} to "
            f"{MAX_RESOLUTION} pixels.",
            "Resize it to a square, undo what resized it, or choose another image.",
        )


def write_patches(geometry: bpy.types.Image, png_file: bytes) -> None:
    """The picture of an omage's charts, in place of an older one."""
    image = geometry.omage.patches
    if image is None:
        image = geometry.omage.patches = bpy.data.images.new(f"{title_of(geometry)} Patches", 1, 1, alpha=True)
        image.source = "FILE"
    image.pack(data=png_file, data_len=len(png_file))
    image.buffers_free()


def material_of(geometry: bpy.types.Image) -> bpy.types.Material:
    """What decoded objects wear, made when first needed."""
    if geometry.omage.material is None:
        made = omage_material.write_material(title_of(geometry), header_of(geometry), maps_of(geometry))
        geometry.omage.material = made
    return geometry.omage.material


def matrix_of(geometry: bpy.types.Image) -> Matrix:
    """Where an omage belongs that no object has."""
    return Matrix(geometry.omage.matrix)


def _flat(matrix: Matrix) -> list[float]:
    """As a property takes a matrix: column by column."""
    return [value for column in matrix.col for value in column]


def can_restore(obj: bpy.types.Object | None) -> bool:
    """Whether a result has replaced an object's own mesh, which is still there."""
    return obj is not None and obj.omage.original is not None and obj.data != obj.omage.original


def turn_off(obj: bpy.types.Object, modifiers: list[bpy.types.Modifier]) -> None:
    """Hide modifiers that the object's new mesh has in it already: shown again, a mirror would mirror twice."""
    obj.omage.modifiers_off = json.dumps([(m.name, m.show_viewport, m.show_render) for m in modifiers])
    for modifier in modifiers:
        modifier.show_viewport = modifier.show_render = False


def find_image(uid: int) -> bpy.types.Image | None:
    """Images and objects are remembered by their session UIDs: undo invalidates every reference, users rename."""
    return next((image for image in bpy.data.images if image.session_uid == uid), None)


def find_object(uid: int) -> bpy.types.Object | None:
    return next((obj for obj in bpy.data.objects if obj.session_uid == uid), None)


@bpy.app.handlers.persistent
def _keep_strokes(path: str) -> None:
    """Before the file is saved: what was painted on omages is saved with it. Blender itself would leave it out."""
    for geometry in bpy.data.images:
        if is_geometry(geometry) and geometry.library is None:
            for kind, image in _painted(geometry):
                omage_images.keep_strokes(kind, image, header_of(geometry).alpha_mode != "OPAQUE")


def _painted(geometry: bpy.types.Image) -> list[tuple[MapKind, bpy.types.Image]]:
    images = maps_of(geometry)
    return [(kind, images[kind.name]) for kind in MAPS if kind.name in images and images[kind.name].is_dirty]


def install(stack: ExitStack) -> None:
    for owner, group in ((bpy.types.Image, OmageMaps), (bpy.types.Object, OmageObject)):
        owner.omage = PointerProperty(type=group)
        stack.callback(delattr, owner, "omage")
    bpy.app.handlers.save_pre.append(_keep_strokes)
    stack.callback(bpy.app.handlers.save_pre.remove, _keep_strokes)


CLASSES = (OmageMaps, OmageObject)
