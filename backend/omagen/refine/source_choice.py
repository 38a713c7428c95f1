"""From files to a source of normals: what the engine and the command offer alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.refine.targets import NormalSource
    from omagen.refine.views import ViewNormals
    from omagen.shapes import Mesh

VIEWS_FILE: Final = "views.json"
MOST_VIEWS: Final = 64
MAX_SIDE: Final = 4096


def choose_source(
    mesh: Mesh, files: Mapping[str, Path], space: Literal["tangent", "object"], camera: str = ""
) -> tuple[Mesh, NormalSource]:
    """The source that `files` name, by the keys normals, detail, omage, views, view; without any, the mesh's own map.

    `view` is an edited picture of the mesh's normals as the camera `camera` (JSON) saw them; the mesh comes back with
    what was painted as its region. Raises `OmagenError` (input): more than one source, or one that cannot be read.
    """
    from omagen.refine.sources import MapNormals

    if len(files) > 1:
        raise OmagenError(ErrorCode.INPUT, f"There are {len(files)} sources of normals.", "Give one of them.")
    for kind, path in files.items():
        return _SOURCES[kind](mesh, path, space, camera)
    return mesh, MapNormals(mesh, None, space)


def _of_map(mesh: Mesh, path: Path, space: Any, camera: str) -> tuple[Mesh, NormalSource]:
    from omagen.refine.sources import MapNormals
    from omagen.shapes import Texture

    return mesh, MapNormals(mesh, Texture(np.ascontiguousarray(_pixels(path)[..., :3])), space)


def _of_detail(mesh: Mesh, path: Path, space: Any, camera: str) -> tuple[Mesh, NormalSource]:
    from omagen.io.meshes import read_mesh
    from omagen.refine.sources import DetailNormals

    return mesh, DetailNormals(read_mesh(path)[0])


def _of_omage(mesh: Mesh, path: Path, space: Any, camera: str) -> tuple[Mesh, NormalSource]:
    from omagen.omage.files import read_omage
    from omagen.refine.sources import omage_normals

    return mesh, omage_normals(read_omage(path)[0])


def _of_views(mesh: Mesh, path: Path, space: Any, camera: str) -> tuple[Mesh, NormalSource]:
    from omagen.refine.views import ViewSource

    return mesh, ViewSource(read_views(path))


def _of_edited(mesh: Mesh, path: Path, space: Any, camera: str) -> tuple[Mesh, NormalSource]:
    from omagen.geometry.camera_json import camera_from_json
    from omagen.io.images import read_picture
    from omagen.refine.edited_view import edited_view

    try:
        data = json.loads(camera)
    except (ValueError, RecursionError) as error:
        raise OmagenError(ErrorCode.INPUT, "An edited view needs the camera that it was drawn from.") from error
    return edited_view(mesh, camera_from_json(data), read_picture(path))


_SOURCES: Final = {
    "normals": _of_map, "detail": _of_detail, "omage": _of_omage, "views": _of_views, "view": _of_edited,
}  # fmt: skip


def read_views(path: Path) -> list[ViewNormals]:
    """The views that `views.json` lists, itself or in the folder `path`.

    A list of objects: `picture` (a path beside it: red to the right, green up, blue towards the viewer; transparent or
    grey is nothing), optionally `space` ("camera", or "world" for pictures of the mesh's own axes) and `weight`,
    and the camera as in `geometry.camera_json`. Raises `OmagenError` (input).
    """
    from omagen.geometry.camera_json import read_camera_list
    from omagen.refine.normal_pictures import decode
    from omagen.refine.views import ViewNormals

    file = path / VIEWS_FILE if path.is_dir() else path
    views = []
    for picture, camera, entry in read_camera_list(file, MOST_VIEWS):
        rgba = _pixels(picture).astype(np.float32) / 255
        normal, length = decode(rgba[..., :3])
        if entry.get("space", "camera") == "world":
            normal = normal @ camera.world_from_camera[:3, :3].astype(np.float32)
        mask = (rgba[..., 3] if rgba.shape[2] == 4 else np.ones(length.shape, np.float32)) * (length > 0.3)
        weight = entry.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1000:
            raise _refused(file, "a view's weight is not a number from 0 to 1000")
        views.append(ViewNormals(camera, np.ascontiguousarray(normal * (mask > 0)[..., None]), mask, float(weight)))
    return views


def _pixels(path: Path) -> np.ndarray:
    from omagen.io.decoding import decode_image, file_title

    return decode_image(path, file_title(path, "normal map"), photo=False, max_side=MAX_SIDE).rgba


def _refused(path: Path, why: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"{path.name} says nothing of views: {why}.", "See omagen refine --help.")
