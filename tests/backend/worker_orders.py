"""What the processes of `test_workers` do; here, because they import it by name."""

from __future__ import annotations

import os
import time
from typing import Any

from omagen.commands.workers import Reporter
from omagen.protocol import ErrorCode, OmagenError


def do(order: dict[str, Any], report: Reporter) -> Any:
    """What the worker processes run: whatever the order says."""
    report("Starting", 0.0)
    match order["do"]:
        case "square":
            return order["value"] ** 2
        case "refuse":
            raise OmagenError(ErrorCode.GEOMETRY, "It has no surface.", "Take another.")
        case "raise":
            raise RuntimeError("a mistake")
        case "exhaust":
            raise MemoryError
        case "die":
            os._exit(7)
        case "print":
            os.write(1, b"noise\n")
            return os.getpid()
        case "sleep":
            time.sleep(60)
