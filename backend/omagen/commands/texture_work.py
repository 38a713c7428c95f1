"""What the worker process of `omagen texture` does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from omagen.commands.conversions import digest
from omagen.commands.converting import Order
from omagen.commands.omage_work import write_mesh
from omagen.commands.workers import Reporter
from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.geometry.cameras import Camera
    from omagen.shapes import Picture

MOST_CAMERAS: Final = 256
MOST_BYTES: Final = 2**22


def texture_file(order: Order, report: Reporter) -> dict[str, Any]:
    """Read the mesh `order.source` and the pictures, write `order.output`; returns digest, seconds and reports."""
    from omagen.geometry.quality import quality_report
    from omagen.io.meshes import read_mesh
    from omagen.texturing.settings import TextureSettings
    from omagen.texturing.texturing import texture_mesh

    begin, given = time.monotonic(), order.settings
    source_digest = digest(order.source)
    report("Reading the mesh", 0.0)
    mesh, warnings = read_mesh(order.source)
    for warning in warnings:
        report.warn(warning)
    pictures = {side: read_file(Path(path).expanduser()) for side, path in given["pictures"].items()}
    cameras = read_cameras(Path(given["cameras"]).expanduser()) if given["cameras"] else []
    settings = TextureSettings(**{name: given[name] for name in ("texture", "unseen", "uv", "sharpness")})
    mesh, facts = texture_mesh(mesh, pictures, settings, report, cameras)
    report("Writing the mesh", 0.98)
    write_mesh(mesh, order.output, {"request": dict(given)})
    seconds = round(time.monotonic() - begin, 3)
    return {"source": source_digest, "report": quality_report(mesh) | {"texturing": facts}, "seconds": seconds}


def read_cameras(path: Path) -> list[tuple[Picture, Camera]]:
    """The pictures that the JSON file `path` names, relative to its folder, with their cameras.

    Raises `OmagenError` (input) for what is no such list and for pictures that cannot be read.
    """
    from omagen.geometry.camera_json import camera_from_json

    try:
        with path.open("rb") as file:
            entries = json.loads(file.read(MOST_BYTES))
    except OSError as error:
        raise _refused(path, f"it cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, "it is not JSON") from error
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_CAMERAS:
        raise _refused(path, f"it is not a list of 1 to {MOST_CAMERAS} cameras")
    pairs = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("picture"), str):
            raise _refused(path, "one of its cameras has no picture")
        pairs.append((read_file(path.parent / entry["picture"]), camera_from_json(entry)))
    return pairs


def read_file(path: Path) -> Picture:
    """The picture at `path`; raises `OmagenError` (input) also where there is none."""
    from omagen.io.images import read_picture

    try:
        return read_picture(path)
    except OSError as error:
        reason = error.strerror or error
        raise OmagenError(
            ErrorCode.INPUT, f"{path.name} cannot be read: {reason}.", "Check its name and permissions."
        ) from error


def _refused(path: Path, why: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{path.name} says nothing of cameras: {why}.", "See omagen texture --help.")
