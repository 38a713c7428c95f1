"""Files that a 3D file names: found in its own folder or below, never elsewhere and never over a network."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from omagen.protocol import ErrorCode, OmagenError

MAX_BYTES: Final = 512 * 2**20
AS_GLB: Final = "Save it as GLB, which holds everything in one file."
"""What always helps: a file that was sent or moved on its own has lost what lay beside it."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def read_uri(owner: Path, uri: str) -> bytes:
    """The content of a `data:` URI, or of the file that the relative `uri` names beside `owner`.

    Raises `OmagenError` (input) when there is no such file, it is outside `owner`'s folder, or for any other scheme.
    """
    if uri.startswith("data:"):
        return _read_data(uri)
    if _SCHEME.match(uri) or uri.startswith("//"):
        raise _error(f"It refers to {uri[:100]!r}, and nothing is fetched over a network.", AS_GLB)
    return find_companion(owner, unquote(uri)).read_bytes()


def find_companion(owner: Path, name: str) -> Path:
    """The existing file `name`, relative to `owner`'s folder and inside it. Backslashes count as slashes."""
    folder = owner.resolve().parent
    try:
        path = (folder / name.replace("\\", "/")).resolve()
        is_inside = path.is_relative_to(folder)
        is_file = is_inside and path.is_file()
    except (OSError, ValueError) as error:  # names that no file system takes: too long, or with a zero byte
        raise _error(f"It refers to the file {name[:100]!r}, which is not a possible name.", AS_GLB) from error
    if not is_inside or Path(name).is_absolute():
        raise _error(f"It refers to {name[:100]!r}, outside its own folder.", AS_GLB)
    if not is_file:
        raise _error(f"It refers to {name[:100]!r}, which is not there.", AS_GLB)
    if path.stat().st_size > MAX_BYTES:
        raise _error(f"The file {name[:100]!r} beside it is larger than {MAX_BYTES // 2**20} MB.", AS_GLB)
    return path


def _read_data(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise _error("Its embedded data is not base64.", "Save it again, or as GLB.")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _error("Its embedded data is damaged.", "Save it again, or as GLB.") from error


def _error(message: str, remedy: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, message, remedy)
