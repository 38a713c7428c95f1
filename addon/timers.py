"""The only timer: a thin shell over `pump`, because timers never fire in background mode."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import bpy

from . import runtime

BUSY_S: Final = 0.05
IDLE_S: Final = 0.25


def pump() -> float:
    """Deliver what the network thread has brought; returns after how many seconds to look again."""
    now = runtime.peek()
    if now is None:
        return IDLE_S
    now.pump()
    return BUSY_S if now.busy else IDLE_S


def install(stack: ExitStack) -> None:
    if bpy.app.background:  # a timer that is pending at exit hangs some versions, and none would ever fire
        return
    bpy.app.timers.register(pump, persistent=True)
    stack.callback(_unregister)


def _unregister() -> None:
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
