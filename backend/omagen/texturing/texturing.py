"""A mesh and pictures as users have them: UVs are made where they lack, objects cut out, cameras fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from omagen.engines.base import RunProgress
from omagen.finish.pipeline import finish_mesh
from omagen.finish.settings import FinishSettings
from omagen.foreground import cut_out
from omagen.foreground.color import foreground_color
from omagen.geometry.cameras import Camera
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Picture
from omagen.texturing.fitting import DIRECTIONS, fitted_camera, stretch
from omagen.texturing.projection import project_pictures
from omagen.texturing.settings import TextureSettings

STRETCHED: Final = 1.25
"""From which the user is told"""
OVERLAPPING: Final = 0.01


def texture_mesh(
    mesh: Mesh,
    pictures: Mapping[str, Picture],
    settings: TextureSettings,
    progress: RunProgress,
    cameras: Sequence[tuple[Picture, Camera]] = (),
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` with the colours of `pictures`, which are seen from `DIRECTIONS`, and of those that bring `cameras`.

    The object in a picture without opacity is cut out first, unless the picture has a camera: then all of it counts.
    Returns the report of `project_pictures`, and as `unwrap` that of the stage. Raises `OmagenError` as the stages do.
    """
    unknown = set(pictures) - set(DIRECTIONS)
    if unknown:
        raise OmagenError(
            ErrorCode.INPUT, f"There is no side {sorted(unknown)[0]!r}.", f"Sides: {', '.join(DIRECTIONS)}."
        )
    if not len(mesh.faces):
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no faces.", "Choose another mesh.")
    share = 0.15 / max(len(pictures), 1)
    cut = {
        name: _cut_out(picture, _Part(progress, number * share, (number + 1) * share))
        for number, (name, picture) in enumerate(pictures.items())
    }
    asked = FinishSettings(clean=False, faces=0, unwrap=settings.uv, texture=settings.texture)
    mesh, stages = finish_mesh(mesh, asked, _Part(progress, 0.15, 0.5))
    views = list(cameras)
    for name in DIRECTIONS:
        if name in cut:
            camera = fitted_camera(mesh, cut[name], DIRECTIONS[name])
            if (ratio := stretch(camera, cut[name])) > STRETCHED:
                progress.warn(f"The {name} picture is stretched by {ratio - 1:.0%} to fit the mesh's outline.")
            views.append((cut[name], camera))
    part = _Part(progress, 0.5, 1.0)
    mesh, report = project_pictures(
        mesh, views, settings.texture, part, unseen=settings.unseen, sharpness=settings.sharpness
    )
    if report["overlap"] > OVERLAPPING:
        progress.warn(
            f"{report['overlap']:.0%} of the texture serves several places of the mesh, which cannot look different. "
            "Choose new UVs to part them."
        )
    if report["seen"] == 0:
        progress.warn("No picture shows any of the mesh.")
    return mesh, report | {"unwrap": stages["unwrap"]}


def _cut_out(picture: Picture, progress: RunProgress) -> Picture:
    for warning in picture.warnings:
        progress.warn(warning)
    cutout = cut_out(picture, None, progress)
    color = foreground_color(cutout.rgb, cutout.alpha, cutout.mixed)
    opacity = np.round(cutout.alpha * 255).astype(np.uint8)
    return replace(picture, rgba=np.dstack([color, opacity]), has_alpha=True)


class _Part:
    """A `RunProgress` that covers a part of another one."""

    def __init__(self, whole: RunProgress, start: float, end: float) -> None:
        self._whole, self._start, self._end = whole, start, end

    def __call__(self, stage: str, fraction: float) -> None:
        self._whole(stage, self._start + (self._end - self._start) * fraction)

    def warn(self, message: str) -> None:
        self._whole.warn(message)
