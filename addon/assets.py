"""Imported objects as assets of the current file."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..backend.omagen.protocol import Job


def mark(obj: bpy.types.Object, job: Job, licence: str, preview: Path | None) -> None:
    """Mark an object as an asset, with `preview` or, where there is none, one that Blender renders."""
    obj.asset_mark()
    result = job.result or {}
    data = obj.asset_data
    data.description = f"Made by Omagen {result.get('version', '')} with {job.request.engine}, seed {job.request.seed}"
    data.license = licence
    data.tags.new("omagen", skip_if_exists=True)
    data.tags.new(job.request.engine, skip_if_exists=True)
    if preview is None:
        obj.asset_generate_preview()
        return
    with bpy.context.temp_override(id=obj):
        bpy.ops.ed.lib_id_load_custom_preview(filepath=str(preview))
