"""The only timer: a thin shell over `pump`, because timers never fire in background mode."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import bpy

from . import runtime

BUSY_S: Final = 0.05
IDLE_S: Final = 0.25


log = logging.getLogger(__name__)

RETRIES: Final = 100

_retried: list[tuple[int, Callable[[], bool]]] = []


def retry(attempt: Callable[[], bool]) -> None:
    """Call `attempt` in the coming pumps until it returns True, or in vain `RETRIES` times."""
    _retried.append((RETRIES, attempt))


def pump() -> float:
    """Deliver what the network thread has brought; returns after how many seconds to look again."""
    if _retried:
        _retried[:] = [(left - 1, attempt) for left, attempt in _retried if left > 0 and not _succeeds(attempt)]
    now = runtime.peek()
    if now is None:
        return IDLE_S
    now.pump()
    return BUSY_S if now.busy or _retried else IDLE_S


def _succeeds(attempt: Callable[[], bool]) -> bool:
    try:
        return attempt()
    except Exception:  # Blender drops a timer that raises, and with it every later result
        log.exception("A deferred step failed")
        return True


def install(stack: ExitStack) -> None:
    stack.callback(_retried.clear)
    if bpy.app.background:  # a timer that is pending at exit hangs some versions, and none would ever fire
        return
    bpy.app.timers.register(pump, persistent=True)
    stack.callback(_unregister)


def _unregister() -> None:
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
