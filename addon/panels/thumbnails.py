"""Small pictures in the panels: the previews of jobs, fetched from the backend, and picture files on disk."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import bpy
import bpy.utils.previews

from ...backend.omagen.protocol import Job, OmagenError
from .. import runtime
from ..delivery import PREVIEW_FILE
from ..runtime import Runtime

_previews: bpy.utils.previews.ImagePreviewCollection | None = None
_folder: Path | None = None
_asked: set[str] = set()


def of_job(job: Job) -> int:
    """The icon of a job's preview; 0 while there is none. The first call has it fetched."""
    if _previews is None or PREVIEW_FILE not in job.files:
        return 0
    if job.id in _previews:
        return _previews[job.id].icon_id
    now = runtime.peek()
    if now is not None and _folder is not None and job.id not in _asked:
        _asked.add(job.id)
        path = _folder / f"{job.id}.png"
        now.call(lambda client: client.download_to(job.id, PREVIEW_FILE, path), lambda _: _load(job.id, path), _missing)
    return 0


def of_file(path: str) -> int:
    """The icon of a picture file; 0 if there is no such file. A file that has changed since is loaded anew."""
    file = Path(path)
    if _previews is None or not file.is_file():
        return 0
    key = f"{path}:{file.stat().st_mtime_ns}"
    if key not in _previews:
        _previews.load(key, path, "IMAGE")
    return _previews[key].icon_id


def of_image(image: bpy.types.Image) -> int:
    """The icon of an image's preview, which Blender renders in the background."""
    preview = image.preview_ensure()
    return preview.icon_id if preview else 0


def install(stack: ExitStack) -> None:
    global _previews, _folder
    _previews = bpy.utils.previews.new()
    stack.callback(_remove, _previews)
    _folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omagen-")))
    runtime.on_open(_forget, stack)


def _remove(previews: bpy.utils.previews.ImagePreviewCollection) -> None:
    global _previews, _folder
    bpy.utils.previews.remove(previews)
    _previews = _folder = None
    _asked.clear()


def _forget(now: Runtime) -> None:
    """Another backend may know other jobs: ask again for what was missing."""
    _asked.clear()


def _load(id: str, path: Path) -> None:
    if _previews is not None and id not in _previews:
        _previews.load(id, str(path), "IMAGE")


def _missing(error: OmagenError) -> None:
    """A job without a picture is shown with an icon instead; the job itself tells what went wrong."""
