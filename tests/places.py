"""Where the repository is, where the shared test assets are, and the extension as a package outside Blender."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared"))


def import_extension() -> None:
    """Make the repository importable as `omagen_extension`, as Blender imports it as `bl_ext.<repository>.omagen`."""
    if "omagen_extension" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "omagen_extension", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["omagen_extension"] = module
        spec.loader.exec_module(module)
