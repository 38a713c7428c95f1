"""`blender --command omagen WORDS…` for the bpy module, which has no command line: installs the extension first.

Usage: bpy_command.py EXTENSION.zip WORDS…, with BLENDER_USER_RESOURCES naming a profile folder.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from io import StringIO

import bpy


def main(extension: str, words: list[str]) -> int:
    with redirect_stdout(StringIO()):
        bpy.ops.extensions.package_install_files(
            filepath=extension, repo="user_default", enable_on_install=True, overwrite=True
        )
    command = importlib.import_module("bl_ext.user_default.omagen.addon.command")
    return command.run(words)


if __name__ == "__main__":
    status = main(sys.argv[1], sys.argv[2:])
    importlib.import_module("bl_ext.user_default.omagen").unregister()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # some versions of the module crash in their own clean-up
