"""Cameras as JSON: there and back, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from omagen.geometry.camera_json import camera_from_json, camera_to_json
from omagen.geometry.cameras import Camera, look_at
from omagen.protocol import OmagenError

CAMERA = Camera(look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3)), "perspective", 0.8, 1.5)


def test_a_camera_comes_back() -> None:
    back = camera_from_json(json.loads(json.dumps(camera_to_json(CAMERA))))
    np.testing.assert_allclose(back.world_from_camera, CAMERA.world_from_camera, atol=1e-12)
    assert (back.kind, back.size, back.aspect) == ("perspective", 0.8, 1.5)


def test_rows_and_a_missing_aspect_will_do() -> None:
    back = camera_from_json({"kind": "orthographic", "size": 2, "world_from_camera": np.eye(4).tolist()})
    assert (back.kind, back.size, back.aspect) == ("orthographic", 2.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "fisheye"},
        {"size": 0},
        {"size": 4.0},
        {"size": True},
        {"size": float("nan")},
        {"aspect": 0},
        {"world_from_camera": [0.0] * 16},
        {"world_from_camera": [1.0] * 15},
        {"world_from_camera": [[1], [2], [3], [4]]},
        {"world_from_camera": np.diag([1.0, 1, -1, 1]).tolist()},
        {"world_from_camera": np.diag([2.0, 2, 2, 1]).tolist()},
        {"world_from_camera": "near"},
    ],
)
def test_what_is_no_camera_is_refused(change: dict) -> None:
    with pytest.raises(OmagenError, match="camera cannot be used"):
        camera_from_json(camera_to_json(CAMERA) | change)


def test_something_else_is_refused() -> None:
    with pytest.raises(OmagenError, match="no JSON object"):
        camera_from_json([1, 2])
