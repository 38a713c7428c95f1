"""Cameras as JSON: what files beside pictures, requests and images in Blender say of where they were seen from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from omagen.geometry.cameras import Camera
from omagen.protocol import ErrorCode, OmagenError

_KINDS: Final = ("perspective", "orthographic")
_MOST_BYTES: Final = 2**22
_FARTHEST: Final = 1e12
"""Metres"""
_RIGID: Final = 1e-3
"""How far from a rotation a matrix may be through rounding"""


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """`kind`, `size`, `aspect` as in `Camera`; `world_from_camera`: 16 numbers, row by row."""
    return {
        "kind": camera.kind,
        "size": float(camera.size),
        "aspect": float(camera.aspect),
        "world_from_camera": [float(value) for value in camera.world_from_camera.reshape(-1)],
    }


def camera_from_json(data: Any) -> Camera:
    """The camera that `camera_to_json` wrote, or a user did. Raises `OmagenError` (input) for anything else."""
    if not isinstance(data, dict):
        raise _refused("it is no JSON object")
    kind = data.get("kind")
    if kind not in _KINDS:
        raise _refused(f"its kind is {kind!r}")
    size, aspect = _number(data.get("size")), _number(data.get("aspect", 1.0))
    if not 0 < size < (math.pi if kind == "perspective" else _FARTHEST):
        raise _refused("its size is impossible")
    if not 1e-3 <= aspect <= 1e3:
        raise _refused("its aspect is impossible")
    return Camera(_matrix(data.get("world_from_camera")), kind, size, aspect)


def read_camera_list(file: Path, most: int) -> list[tuple[Path, Camera, dict[str, Any]]]:
    """The pictures that a JSON list names (relative to its folder), their cameras, and all else it says of each.

    Raises `OmagenError` (input) for a file that is no list of 1 to `most` such objects.
    """
    try:
        with file.open("rb") as stream:
            entries = json.loads(stream.read(_MOST_BYTES))
    except OSError as error:
        raise _no_list(file, f"it cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _no_list(file, "it is not JSON") from error
    if not isinstance(entries, list) or not 0 < len(entries) <= most:
        raise _no_list(file, f"it is not a list of 1 to {most} views")
    if not all(isinstance(entry, dict) and isinstance(entry.get("picture"), str) for entry in entries):
        raise _no_list(file, "a view has no picture")
    pictures = [file.parent / entry["picture"] for entry in entries]
    if missing := next((picture for picture in pictures if not picture.is_file()), None):
        raise _no_list(file, f"there is no picture {missing.name}")
    return [(picture, camera_from_json(entry), entry) for picture, entry in zip(pictures, entries, strict=True)]


def _no_list(file: Path, why: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT,
        f"{file.name} says nothing of cameras: {why}.",
        'Write a list of objects with "picture" and what a camera needs; the command\'s --help says what.',
    )


def _matrix(values: Any) -> np.ndarray:
    if isinstance(values, list) and len(values) == 4 and all(isinstance(row, list) for row in values):
        values = [value for row in values for value in row]
    if not isinstance(values, list) or len(values) != 16:
        raise _refused("its matrix does not have 16 numbers")
    matrix = np.array([_number(value) for value in values]).reshape(4, 4)
    rotation = matrix[:3, :3]
    is_rigid = np.abs(rotation @ rotation.T - np.eye(3)).max() < _RIGID and np.linalg.det(rotation) > 0
    if not is_rigid or np.abs(matrix[:3, 3]).max() > _FARTHEST or np.abs(matrix[3] - (0, 0, 0, 1)).max() > _RIGID:
        raise _refused("its matrix is not a rotation and a position")
    u, _, v = np.linalg.svd(rotation)
    matrix[:3, :3], matrix[3] = u @ v, (0, 0, 0, 1)
    return matrix


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise _refused(f"{value!r} is no number")
    return float(value)


def _refused(problem: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT,
        f"The camera cannot be used: {problem}.",
        'Write {"kind": "perspective", "size": vertical field of view in radians, "aspect": width / height, '
        '"world_from_camera": 16 numbers, row by row}; "orthographic" has its height in metres as size.',
    )
