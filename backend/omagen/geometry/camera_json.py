"""Cameras as JSON: what files beside pictures, requests and images in Blender say of where they were seen from."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from omagen.geometry.cameras import Camera
from omagen.protocol import ErrorCode, OmagenError

_KINDS: Final = ("perspective", "orthographic")
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
