"""From a cut-out to the finished mesh: the steps of the engine in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from omagen.engines.base import RunProgress
from omagen.engines.inflate.atlas import Atlas, base_color, metallic_roughness, normal_map
from omagen.engines.inflate.halves import halves
from omagen.engines.inflate.outline import MOST_PARTS, PADDING, contour, level_set
from omagen.engines.inflate.projection import project
from omagen.engines.inflate.relief import Relief, from_shading
from omagen.engines.inflate.shell import Relieved, Shell, close
from omagen.engines.inflate.sizing import Thickness, sample
from omagen.engines.inflate.surface import Surface
from omagen.foreground import Cutout
from omagen.foreground.color import foreground_color
from omagen.shapes import Material, Mesh, Texture

GRID = 1024
"""Longest side, in pixels, of the opacity grid on which the shape is made."""
FEWER = 0.02
"""Share by which the number of triangles may differ from the request before the user is told."""


def inflate(cutout: Cutout, settings: Mapping[str, Any], progress: RunProgress, name: str) -> Mesh:
    """The object as a mesh with two charts and one material. `settings`: the engine's parameters by id."""
    progress("Tracing the outline", 0.0)
    rgb, alpha = _crop(cutout, settings["texture_size"])
    scale = min(1.0, GRID / max(alpha.shape))
    grid = np.pad(cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), PADDING)
    level, left_out = level_set(grid)
    if left_out:
        progress.warn(f"Only the {MOST_PARTS} largest parts were made; {left_out} smaller ones were left out.")
    loops = contour(level)
    progress("Measuring the silhouette", 0.05)
    thickness = Thickness(level, finest=0.6, steps=6)
    progress("Triangulating", 0.1)
    front, back = halves(loops, thickness, settings, progress)
    progress("Removing the background's colour", 0.6)
    color = foreground_color(rgb, alpha, cutout.mixed)
    progress("Adding relief", 0.7)
    edge_length = float(np.sqrt(front.mean_area() * 4 / np.sqrt(3))) / scale
    relief = from_shading(color, alpha, edge_length, settings["relief"])
    shell = _shell(front, back, relief, scale)
    _report_count(len(shell.faces), settings["faces"], progress)
    atlas = Atlas.for_picture(alpha.shape[1], alpha.shape[0])
    material = _material(atlas, color, alpha, relief, settings, progress)
    return _mesh(shell, atlas, scale, material, name)


def _crop(cutout: Cutout, texture_size: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) uint8 and (h, w) float32: the part with the object, small enough for two charts of it to fit in the
    textures.
    """
    rgb, alpha = cutout.rgb[cutout.box], cutout.alpha[cutout.box]
    height, width = alpha.shape
    scale = 1.0
    while max(Atlas.for_picture(round(width * scale), round(height * scale)).size) > texture_size:
        scale *= 0.99 * texture_size / max(Atlas.for_picture(round(width * scale), round(height * scale)).size)
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        rgb, alpha = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (rgb, alpha))
    return np.ascontiguousarray(rgb), np.ascontiguousarray(alpha)


def _to_crop(points: np.ndarray, scale: float) -> np.ndarray:
    """Points (..., 2) of the crop, x right, y down, from points of the opacity grid, y up."""
    return (points * [1.0, -1.0] - PADDING + 0.5) / scale - 0.5


def _shell(front: Surface, back: Surface | None, relief: Relief, scale: float) -> Shell:
    """The closed object with relief on its front, strongest where it faces the viewer."""
    seen = project(front)
    at = _to_crop(seen, scale)
    facing = front.normals[:, 2] ** 2
    offset = np.clip(sample(relief.displacement, at) * scale * facing, -0.5 * front.z, None)
    offset[: front.rim_count] = 0.0
    slope = [cv2.Sobel(relief.displacement, cv2.CV_32F, *axes, scale=1 / 8) for axes in ((1, 0), (0, 1))]
    tilt = np.stack([sample(slope[0], at), -sample(slope[1], at)], 1) * facing[:, None]
    normals = front.normals - np.concatenate([tilt, np.zeros((len(tilt), 1))], 1) * front.normals[:, 2:]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return close(front, back, Relieved(seen, offset, normals))


def _report_count(delivered: int, wanted: int, progress: RunProgress) -> None:
    if abs(delivered - wanted) > FEWER * wanted:
        progress.warn(
            f"The object has {delivered} triangles instead of {wanted}: its outline cannot be followed with fewer."
        )


def _material(
    atlas: Atlas,
    color: np.ndarray,
    alpha: np.ndarray,
    relief: Relief,
    settings: Mapping[str, Any],
    progress: RunProgress,
) -> Material:
    progress("Painting the textures", 0.75)
    base = base_color(atlas, color, alpha, settings["back_picture"])
    progress("Painting the textures", 0.85)
    normal = normal_map(atlas, relief.slope, settings["back_picture"]) if settings["relief"] > 0 else None
    progress("Painting the textures", 0.95)
    light = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    surface = metallic_roughness(atlas, light, settings["roughness"], settings["metallic"])
    return Material(
        name="inflated",
        metallic=1.0,
        roughness=1.0,
        base_color_texture=Texture(base, "clamp", "clamp"),
        metallic_roughness_texture=Texture(surface, "clamp", "clamp"),
        normal_texture=Texture(normal, "clamp", "clamp") if normal is not None else None,
    )


def _mesh(shell: Shell, atlas: Atlas, scale: float, material: Material, name: str) -> Mesh:
    """The shell in metres, 1 m along its longest side and centred, with its UVs."""
    at = _to_crop(shell.seen, scale)
    uv = np.concatenate([atlas.uv(at[: shell.front], back=False), atlas.uv(at[shell.front :], back=True)])
    low, high = shell.vertices.min(0), shell.vertices.max(0)
    vertices = (shell.vertices - (low + high) / 2) / (high - low).max()
    return Mesh(
        vertices=np.ascontiguousarray(vertices, np.float32),
        faces=np.ascontiguousarray(shell.faces, np.int32),
        uv=np.ascontiguousarray(uv),
        normals=np.ascontiguousarray(shell.normals, np.float32),
        materials=(material,),
        name=name,
    )
