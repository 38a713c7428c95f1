"""Painting on a picture of normals changes the mesh where it was painted, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from omagen.geometry.cameras import Camera, view_from
from omagen.protocol import OmagenError
from omagen.refine.edited_view import edited_view, view_picture
from omagen.refine.refinement import refine
from omagen.refine.settings import RefineSettings
from omagen.shapes import Mesh, Picture

SIZE = 256


@pytest.fixture(scope="module")
def ball() -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=5)
    return Mesh(np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int32))


@pytest.fixture(scope="module")
def camera(ball: Mesh) -> Camera:
    return view_from(ball, np.array([0.0, 0.0, 1.0]))


def bump(picture: Picture, centre: tuple[float, float] = (0.5, 0.5), radius: float = 0.12) -> Picture:
    """A dome painted on the picture: directions lean away from its centre."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    dx, dy = (x - centre[0]) / radius, (centre[1] - y) / radius
    inside = np.hypot(dx, dy) < 1
    normal = picture.rgba[..., :3] / 127.5 - 1
    lean = 0.8 * np.sin(np.pi * np.minimum(np.hypot(dx, dy), 1))[..., None] * np.dstack([dx, dy, 0 * dx])
    normal = np.where(inside[..., None], normal + lean, normal)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-6)
    rgba = picture.rgba.copy()
    rgba[..., :3] = np.where(inside[..., None], np.round((normal + 1) * 127.5), rgba[..., :3])
    return replace(picture, rgba=rgba)


def test_only_what_was_painted_moves_and_it_moves_outwards(ball: Mesh, camera: Camera) -> None:
    marked, source = edited_view(ball, camera, bump(view_picture(ball, camera, SIZE)))
    refined, _ = refine(marked, source, RefineSettings(), lambda stage, fraction: None)
    moved = (refined.vertices != ball.vertices).any(axis=1)
    seen = np.hypot(ball.vertices[:, 0], ball.vertices[:, 1])
    assert moved.any()
    assert (seen[moved] < 0.12 * camera.size + 0.06).all() and (ball.vertices[moved, 2] > 0).all()
    lift = (refined.vertices - ball.vertices)[:, 2]
    assert lift[seen < 0.05][ball.vertices[seen < 0.05, 2] > 0].min() > 0.01
    assert np.isfinite(refined.vertices).all()


def test_a_region_limits_what_the_painting_reaches(ball: Mesh, camera: Camera) -> None:
    limited = replace(ball, region=(ball.vertices[:, 0] > 0).astype(np.float32))
    marked, source = edited_view(limited, camera, bump(view_picture(ball, camera, SIZE)))
    refined, _ = refine(marked, source, RefineSettings(), lambda stage, fraction: None)
    moved = (refined.vertices != ball.vertices).any(axis=1)
    assert moved.any() and (ball.vertices[moved, 0] > 0).all()


def test_a_picture_as_it_was_or_nearly_asks_for_nothing(ball: Mesh, camera: Camera) -> None:
    plain = view_picture(ball, camera, SIZE)
    saved = replace(plain, rgba=(plain.rgba ^ np.array([1, 0, 1, 0], np.uint8)))
    for picture in (plain, saved):
        with pytest.raises(OmagenError, match="Nothing was painted"):
            edited_view(ball, camera, picture)


def test_a_cropped_picture_and_a_view_of_nothing_are_refused(ball: Mesh, camera: Camera) -> None:
    plain = view_picture(ball, camera, SIZE)
    with pytest.raises(OmagenError, match="another shape"):
        edited_view(ball, camera, replace(plain, rgba=np.ascontiguousarray(plain.rgba[:, :100])))
    away = replace(camera, world_from_camera=camera.world_from_camera @ np.diag([-1.0, 1, -1, 1]))
    with pytest.raises(OmagenError, match="does not show"):
        view_picture(ball, away, SIZE)
