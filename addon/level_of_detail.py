"""The resolution slider: a decoded object follows it after a short pause, in place, as one undo step.

The slider belongs to the window manager, which is not part of undo: dragging it leaves no steps of its own behind.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import bpy
from bpy.props import IntProperty

from ..backend.omagen.omage_layout import MAX_RESOLUTION, MIN_RESOLUTION
from ..backend.omagen.protocol import OmagenError
from . import omage_work, omages, runtime, timers
from .task import Task

PAUSE_S: Final = 0.3
"""How long the slider has to rest before the object follows."""


@dataclass
class _Wish:
    resolution: int
    asked: float
    task: Task | None = None


_wishes: dict[int, _Wish] = {}
"""By the session UID of the object"""


def wanted(obj: bpy.types.Object) -> int:
    """What the slider shows: what was asked for last, else what the object has."""
    wish = _wishes.get(obj.session_uid)
    if wish is None or (wish.task is not None and wish.task.ended):
        made = obj.omage.resolution
        return full(obj) if made in (0, obj.omage.full_resolution) else made
    return wish.resolution


def full(obj: bpy.types.Object) -> int:
    """The resolution of the omage itself; 0 without one."""
    geometry = obj.omage.geometry
    return geometry.size[0] if geometry is not None else 0


def decoded_resolution(obj: bpy.types.Object | None) -> int:
    """At which an object is decoded again: what the slider shows; 0 for the omage's own."""
    if obj is None or wanted(obj) == full(obj):
        return 0
    return wanted(obj)


def neighbour(resolution: int, up: bool) -> int:
    """The next power of two above or below."""
    power = 1 << (resolution.bit_length() if up else (resolution - 1).bit_length() - 1)
    return min(max(power, MIN_RESOLUTION), MAX_RESOLUTION)


def decode_at(context: bpy.types.Context, obj: bpy.types.Object, resolution: int) -> Task:
    """Decode the object's omage into its mesh. Raises `OmagenError` (input)."""
    wish = _Wish(resolution or full(obj), time.monotonic())
    _wishes[obj.session_uid] = wish
    chosen = omage_work.settings_of(context, omage_work.DECODE, {})
    if chosen.get("parts") == "objects":
        chosen["parts"] = "whole"
    chosen["resolution"] = 0 if resolution == full(obj) else resolution
    try:
        wish.task = omage_work.decode(context, obj.omage.geometry, chosen, obj)
    except OmagenError:
        del _wishes[obj.session_uid]
        raise
    return wish.task


def install(stack: ExitStack) -> None:
    bpy.types.WindowManager.omagen_resolution = IntProperty(
        name="Resolution",
        description="Resolution of the mesh that is decoded from the object's omage, which stays as it is",
        min=MIN_RESOLUTION,
        max=MAX_RESOLUTION,
        get=_get,
        set=_set,
        options={"SKIP_SAVE"},
    )
    stack.callback(delattr, bpy.types.WindowManager, "omagen_resolution")
    stack.callback(_wishes.clear)


def _get(manager: bpy.types.WindowManager) -> int:
    obj = bpy.context.view_layer.objects.active
    return wanted(obj) if obj is not None else MIN_RESOLUTION


def _set(manager: bpy.types.WindowManager, value: int) -> None:
    obj = bpy.context.view_layer.objects.active
    if obj is None or obj.omage.geometry is None or value == wanted(obj):
        return
    uid = obj.session_uid
    wish = _wishes[uid] = _Wish(value, time.monotonic())
    timers.retry(lambda: _follow(uid, wish))


def _follow(uid: int, wish: _Wish) -> bool:
    """Whether a wish is done with: granted, overtaken by a newer one, or without an object."""
    if _wishes.get(uid) is not wish:
        return True
    if time.monotonic() - wish.asked < PAUSE_S:
        return False
    obj = omages.find_object(uid)
    now = runtime.current()
    try:
        if obj is not None and obj.omage.geometry is not None:
            decode_at(bpy.context, obj, wish.resolution)
    except OmagenError as error:
        now.fail(error)
    now.changed()
    return True
