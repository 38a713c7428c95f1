"""From an engine's output to files: the last step of every job, the same for all engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import DecodedOmage, DisplacedMesh, LodChain, Mesh, Omage, Picture

PREVIEW_SIZE = 256
"""Pixels a side of `preview.png`."""
PREVIEW_RESOLUTION = 256
"""An omage is decoded to at most this resolution for its preview; its textures keep theirs."""


def write_shape(
    shape: Mesh | LodChain | Picture | Omage | DecodedOmage | DisplacedMesh | None,
    folder: Path,
    provenance: dict[str, Any],
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    """Write `object.glb`, `picture.png` or `object.omage`, and `preview.png` into `folder`; returns the quality report.

    What was decoded gives both `object.glb` and `object.omage`; None, from an engine that only reports, no file.
    Raises `OmagenError`: geometry for a shape without content, environment for a full disk, cancelled from `progress`.
    """
    try:
        if shape is None:
            return {}
        if isinstance(shape, Mesh):
            return _write_mesh(shape, folder, provenance, progress)
        if isinstance(shape, DisplacedMesh):
            return _write_displaced(shape, folder, provenance, progress)
        if isinstance(shape, LodChain):
            return _write_levels(shape, folder, provenance, progress)
        if isinstance(shape, DecodedOmage):
            return _write_decoded(shape, folder, provenance, progress)
        if isinstance(shape, Omage):
            return _write_omage(shape, folder, progress)
        return _write_picture(shape, folder, progress)
    except OSError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The result could not be written: {error.strerror or error}.",
            "Free some space on the data folder's disk and try again.",
        ) from error


def _write_mesh(
    mesh: Mesh, folder: Path, provenance: dict[str, Any], progress: Callable[[str, float], None]
) -> dict[str, Any]:
    from omagen.geometry.preview import render_preview
    from omagen.geometry.quality import quality_report
    from omagen.io.glb_writer import write_glb
    from omagen.io.images import encode_png

    if not len(mesh.faces):
        raise OmagenError(ErrorCode.GEOMETRY, "The result has no surface.", "Try another input or other settings.")
    progress("Checking the mesh", 0.0)
    report = quality_report(mesh)
    progress("Writing the object", 0.2)
    write_glb(mesh, folder / "object.glb", provenance)
    progress("Drawing the preview", 0.7)
    (folder / "preview.png").write_bytes(encode_png(render_preview(mesh, PREVIEW_SIZE)))
    return report


def _write_levels(
    chain: LodChain, folder: Path, provenance: dict[str, Any], progress: Callable[[str, float], None]
) -> dict[str, Any]:
    from omagen.io.glb_writer import write_glb

    finest, *others = (replace(level, name=chain.name) for level in chain.levels)
    for number, level in enumerate(others, 1):
        progress("Writing the levels of detail", 0.0)
        named = replace(level, name=f"{chain.name} LOD{number}")
        write_glb(named, folder / f"object_lod{number}.glb", provenance | {"level": number})
    report = _write_mesh(finest, folder, provenance, progress)
    return report | {"level_triangles": [len(level.faces) for level in chain.levels]}


def _write_displaced(
    displaced: DisplacedMesh, folder: Path, provenance: dict[str, Any], progress: Callable[[str, float], None]
) -> dict[str, Any]:
    from omagen.io.images import encode_png

    (folder / "displacement.png").write_bytes(encode_png(displaced.pixels()))
    return _write_mesh(displaced.mesh, folder, provenance, progress)


def _write_omage(omage: Omage, folder: Path, progress: Callable[[str, float], None]) -> dict[str, Any]:
    from omagen.geometry.preview import render_preview
    from omagen.io.images import encode_png
    from omagen.omage.decode import decode
    from omagen.omage.files import write_omage
    from omagen.omage.quality import layout_report

    progress("Writing the omage", 0.0)
    write_omage(omage, folder / "object.omage")
    progress("Drawing the preview", 0.6)
    mesh, decoding = decode(omage, resolution=min(omage.resolution, PREVIEW_RESOLUTION))
    (folder / "preview.png").write_bytes(encode_png(render_preview(mesh, PREVIEW_SIZE)))
    return layout_report(omage) | {"charts": decoding["charts"]}


def _write_decoded(
    decoded: DecodedOmage, folder: Path, provenance: dict[str, Any], progress: Callable[[str, float], None]
) -> dict[str, Any]:
    from omagen.omage.files import write_omage

    progress("Writing the omage", 0.0)
    write_omage(decoded.omage, folder / "object.omage")
    return _write_mesh(decoded.mesh, folder, provenance, progress)


def _write_picture(picture: Picture, folder: Path, progress: Callable[[str, float], None]) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    from omagen.io.images import encode_png

    height, width = picture.rgba.shape[:2]
    progress("Writing the picture", 0.0)
    (folder / "picture.png").write_bytes(encode_png(picture.rgba))
    small = Image.fromarray(picture.rgba)
    small.thumbnail((PREVIEW_SIZE, PREVIEW_SIZE))
    preview = Image.new("RGBA", (PREVIEW_SIZE, PREVIEW_SIZE))
    preview.paste(small, ((PREVIEW_SIZE - small.width) // 2, (PREVIEW_SIZE - small.height) // 2))
    (folder / "preview.png").write_bytes(encode_png(np.asarray(preview)))
    coverage = float((picture.rgba[..., 3] > 127).mean())
    return {"width": width, "height": height, "coverage": round(coverage, 4)}
