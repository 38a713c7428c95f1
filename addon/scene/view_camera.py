"""Where an object is seen from, in the object's own frame, as the backend takes it."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.omagen.protocol import ErrorCode, OmagenError

Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)
"""From Blender's frame (Z up, front -Y) to the backend's (Y up, front Z)"""
EVEN = 1e-4
"""How much the three scales of an object may differ, and its axes be skewed"""


def of_view(context: bpy.types.Context, region: bpy.types.RegionView3D | None, obj: bpy.types.Object) -> dict[str, Any]:
    """The camera of a 3D view, or of the scene where that is what the view shows or there is no view.

    JSON as `omagen.geometry.camera_json` describes it. Raises `OmagenError` (input) where the object's scale is
    uneven, or there is no camera.
    """
    if region is not None and region.view_perspective != "CAMERA":
        return _camera(region.view_matrix.inverted(), region.window_matrix, obj)
    camera, render = context.scene.camera, context.scene.render
    if camera is None or camera.type != "CAMERA":
        raise OmagenError(ErrorCode.INPUT, "The scene has no camera.", "Add one, or call this from a 3D view.")
    projection = camera.calc_matrix_camera(
        context.evaluated_depsgraph_get(), x=render.resolution_x, y=render.resolution_y
    )
    return _camera(camera.matrix_world.normalized(), projection, obj)


def _camera(world_from_camera: Matrix, projection: Matrix, obj: bpy.types.Object) -> dict[str, Any]:
    scale = _even_scale(obj)
    matrix = np.array(obj.matrix_world.inverted() @ world_from_camera, np.float64)
    matrix[:3, :3] *= scale
    across, down = projection[0][0], projection[1][1]
    is_perspective = abs(projection[3][3]) < 0.5
    if not is_perspective:  # a view without perspective shows what is behind its own place too
        matrix[:3, 3] += matrix[:3, 2] * max(0.0, _nearest(obj, matrix))
    size = 2 * math.atan(1 / down) if is_perspective else 2 / down / scale
    return {
        "kind": "perspective" if is_perspective else "orthographic",
        "size": size,
        "aspect": down / across,
        "world_from_camera": (Y_UP @ matrix).reshape(-1).tolist(),
    }


def _nearest(obj: bpy.types.Object, matrix: np.ndarray) -> float:
    """How far towards the viewer the object reaches beyond the place of the camera, and a bit, in its own frame."""
    corners = np.array(obj.bound_box, np.float64)
    size = float(np.linalg.norm(np.ptp(corners, axis=0)))
    return float(((corners - matrix[:3, 3]) @ matrix[:3, 2]).max()) + 0.5 * size


def _even_scale(obj: bpy.types.Object) -> float:
    axes = np.array(obj.matrix_world.to_3x3(), np.float64)
    scale = float(np.cbrt(np.linalg.det(axes)))
    if scale <= 0 or np.abs(axes.T @ axes / scale**2 - np.eye(3)).max() > EVEN:
        raise OmagenError(
            ErrorCode.INPUT,
            f"{obj.name!r} is scaled unevenly or mirrored, so a view of it has no camera of its own.",
            "Apply its scale (Ctrl A) first.",
        )
    return scale
