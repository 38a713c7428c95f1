"""Processes that end with the one that started them, even when that one was killed."""

from __future__ import annotations

import os
import signal
import sys


def die_with_parent() -> None:
    """On Linux, have the kernel end this process with its parent, even while native code keeps Python from running."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
