"""How a command ends: the exit statuses, and errors as text."""

from __future__ import annotations

import sys
from typing import Final

from omagen.protocol import OmagenError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
ALREADY_RUNNING: Final = 3
CANCELLED: Final = 130


def tell(error: OmagenError, subject: str = "") -> None:
    """Write what happened and, on its own line, what to do."""
    prefix = f"{subject}: " if subject else ""
    sys.stderr.write(f"error: {prefix}{error.message}\n")
    if error.remedy:
        sys.stderr.write(f"       {error.remedy}\n")
