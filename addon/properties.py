"""What the panel remembers: settings in the scene, which are saved, and the job list's rows, which are not."""

from __future__ import annotations

from contextlib import ExitStack

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..backend.omagen.protocol import SEED_LIMIT
from . import cutouts, preferences, runtime
from .runtime import Runtime
from .scene import region


def _picture_changed(self: OmagenSettings, context: bpy.types.Context) -> None:
    """Each picture keeps its own cut-out: show the one that belongs to it."""
    self.mask = cutouts.find(cutouts.picture_key(self, context))


def _size(self: OmagenSettings) -> float:
    return self.chosen_size or preferences.preferences().size


def _set_size(self: OmagenSettings, value: float) -> None:
    self.chosen_size = value


class OmageSettings(bpy.types.PropertyGroup):
    """`Scene.omagen.omage`: what the backend need not know of. Its engines' own settings are added by `parameters`."""

    apply_modifiers: BoolProperty(
        name="Apply Modifiers", description="Encode the objects as their modifiers make them", default=True
    )
    together: EnumProperty(
        name="Objects",
        description="What becomes of several selected objects",
        items=[
            ("EACH", "One Omage Each", "Every object becomes an omage of its own"),
            ("JOINED", "One Omage", "All objects become one omage, and one object when it is decoded"),
        ],
    )
    geometry: PointerProperty(
        name="Geometry",
        description="The geometry image of the omage to decode; its other maps are found by their names",
        type=bpy.types.Image,
    )
    target: EnumProperty(
        name="Result",
        description="Where the decoded mesh goes",
        items=[
            ("REPLACE", "Replace Mesh", "The object that the omage belongs to gets the mesh; its own can be restored"),
            ("NEW", "New Object", "The mesh becomes an object beside it"),
        ],
    )
    patch_image: BoolProperty(
        name="Patch Image", description="Also draw an image on which every chart has a colour of its own"
    )


class MeshSettings(bpy.types.PropertyGroup):
    """`Scene.omagen.mesh`: what the backend need not know of. Its engines' own settings are added by `parameters`."""

    apply_modifiers: BoolProperty(
        name="Apply Modifiers",
        description="Send the objects as their modifiers make them. Otherwise modifiers, armature and shape keys go on "
        "working on the result",
    )
    region: EnumProperty(name="Region", description="What may change", items=region.ITEMS)
    target: EnumProperty(
        name="Result",
        description="Where the result goes",
        items=[
            ("NEW", "New Object", "A copy of the object gets the result; the object itself is kept and hidden"),
            ("REPLACE", "Replace", "The object itself gets the result, and keeps whatever need not change"),
        ],
    )


class OmagenSettings(bpy.types.PropertyGroup):
    """`Scene.omagen`. The engines' own settings are added by `parameters` once the backend has described them."""

    source: EnumProperty(
        name="Picture",
        description="Where the picture comes from",
        items=[
            ("IMAGE", "Image", "An image of this file"),
            ("FILE", "File", "A picture on disk"),
            ("TEXTURE", "Texture", "The base colour texture of the active object"),
        ],
        update=_picture_changed,
    )
    image: PointerProperty(
        name="Image", description="The picture to work from", type=bpy.types.Image, update=_picture_changed
    )
    filepath: StringProperty(
        name="File", description="The picture to work from", subtype="FILE_PATH", update=_picture_changed
    )
    use_mask: BoolProperty(
        name="Use Mask", description="Take the object's outline from the mask instead of finding it anew", default=True
    )
    mask: PointerProperty(
        name="Mask",
        description="What belongs to the object: the image's transparency, or white where it has none",
        type=bpy.types.Image,
    )
    seed: IntProperty(
        name="Seed",
        description="Another seed gives another variation; the same seed gives the same result",
        default=1,
        min=0,
        max=SEED_LIMIT - 1,
    )
    chosen_size: FloatProperty(options={"HIDDEN"})
    size: FloatProperty(
        name="Size",
        description="Longest side of the imported object",
        subtype="DISTANCE",
        unit="LENGTH",
        min=0.001,
        soft_max=100.0,
        get=_size,
        set=_set_size,
    )
    mark_asset: BoolProperty(
        name="Mark as Asset", description="Put the imported object into this file's assets, with its picture as preview"
    )
    omage: PointerProperty(type=OmageSettings)
    mesh: PointerProperty(type=MeshSettings)


class OmagenJobItem(bpy.types.PropertyGroup):
    """One row of the job list; what it shows is looked up in the runtime by `name`, the job's id."""


def _show_jobs(now: Runtime) -> None:
    """Make the list's rows follow the runtime's jobs, without moving the user's choice to another job."""
    manager = bpy.context.window_manager
    rows = manager.omagen_jobs
    ids = list(now.jobs)
    if [row.name for row in rows] == ids:
        return
    index = manager.omagen_job_index
    chosen = rows[index].name if 0 <= index < len(rows) else ""
    at_top = index <= 0
    rows.clear()
    for id in ids:
        rows.add().name = id
    manager.omagen_job_index = 0 if at_top or chosen not in ids else ids.index(chosen)


def chosen_job(context: bpy.types.Context) -> str:
    """The id of the job that is selected in the list; empty if there is none."""
    manager = context.window_manager
    index = manager.omagen_job_index
    return manager.omagen_jobs[index].name if 0 <= index < len(manager.omagen_jobs) else ""


def install(stack: ExitStack) -> None:
    _own(stack, bpy.types.Scene, "omagen", PointerProperty(type=OmagenSettings))
    _own(stack, bpy.types.WindowManager, "omagen_jobs", CollectionProperty(type=OmagenJobItem, options={"SKIP_SAVE"}))
    _own(
        stack,
        bpy.types.WindowManager,
        "omagen_job_index",
        IntProperty(name="Job", description="The selected job", options={"SKIP_SAVE"}),
    )
    runtime.on_open(lambda now: now.listeners.append(lambda: _show_jobs(now)), stack)


def _own(stack: ExitStack, owner: type, name: str, definition: object) -> None:
    setattr(owner, name, definition)
    stack.callback(delattr, owner, name)


CLASSES = (OmageSettings, MeshSettings, OmagenSettings, OmagenJobItem)
