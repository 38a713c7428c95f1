"""What the worker process of `omagen texture` does."""

from __future__ import annotations

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
    from omagen.geometry.camera_json import read_camera_list

    return [(read_file(picture), camera) for picture, camera, _ in read_camera_list(path, MOST_CAMERAS)]


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
