"""Processes that end with the one that started them, even when that one was killed."""

from __future__ import annotations

import os
import signal
import sys


def die_with_parent(parent: int | None = None) -> None:
    """On Linux, have the kernel end this process with its parent, even while native code keeps Python from running.

    `parent`: its process id, by which a parent is noticed that has ended before this was called.
    """
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = parent or os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
