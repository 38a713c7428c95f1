"""Previews show the object from the front, right and above, in its own colours, on nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omagen.geometry.preview import render_preview
from omagen.io.meshes import read_mesh
from omagen.shapes import Material, Mesh, Texture
from sample_meshes import cube

RED, GREEN, BLUE = (0.8, 0.0, 0.0, 1.0), (0.0, 0.8, 0.0, 1.0), (0.0, 0.0, 0.8, 1.0)


def _seen(picture: np.ndarray) -> np.ndarray:
    """(N, 3) the colours of fully covered pixels"""
    return picture[picture[..., 3] == 255][:, :3].astype(int)


def test_front_right_and_top_are_seen_and_the_others_hidden() -> None:
    normals = cube().normals
    assert normals is not None
    towards = np.round(normals[:, 0]).astype(int)
    materials = tuple(Material(base_color=color) for color in (RED, GREEN, BLUE, (0.8, 0.8, 0.8, 1.0)))
    index = np.full(12, 3, np.int32)
    for place, direction in enumerate(([1, 0, 0], [0, 1, 0], [0, 0, 1])):
        index[(towards == direction).all(1)] = place
    picture = render_preview(cube(materials=materials, material_index=index))
    colors = _seen(picture)
    strongest = np.bincount(colors.argmax(1), minlength=3)
    assert (strongest > 1000).all() and (np.ptp(colors, axis=1) > 40).mean() > 0.97
    rows, columns = (np.indices(picture.shape[:2])[axis][picture[..., 3] == 255] for axis in (0, 1))
    assert rows[colors.argmax(1) == 1].mean() < rows.mean()  # the top is at the top
    assert columns[colors.argmax(1) == 0].mean() > columns[colors.argmax(1) == 2].mean()  # the right is at the right


def test_background_is_transparent_and_the_object_fills_the_frame() -> None:
    alpha = render_preview(cube(), 128)[..., 3]
    rows, columns = np.nonzero(alpha)
    assert alpha.shape == (128, 128) and not alpha[0].any() and not alpha[:, 0].any()
    assert max(np.ptp(rows), np.ptp(columns)) > 110
    assert len(np.unique(alpha)) > 2  # edges are smooth


def test_preview_is_the_same_every_time_and_at_every_scale_and_place() -> None:
    first = render_preview(cube())
    assert np.array_equal(first, render_preview(cube()))
    moved = render_preview(cube(vertices=cube().vertices * np.float32(1e-3) + np.array([5, 0, 0], np.float32)))
    assert np.abs(first.astype(int) - moved.astype(int)).mean() < 1


def test_texture_wrap_and_vertex_colours_are_shown() -> None:
    checker = np.zeros((2, 2, 3), np.uint8)
    checker[0, 0] = checker[1, 1] = (255, 0, 0)
    checker[0, 1] = checker[1, 0] = (0, 255, 0)
    colors = _seen(render_preview(cube(materials=(Material(base_color_texture=Texture(checker)),))))
    assert (colors[:, 0] > colors[:, 1] + 60).any() and (colors[:, 1] > colors[:, 0] + 60).any()
    blue = np.tile(np.array([0, 0, 1, 1], np.float32), (8, 1))
    assert (_seen(render_preview(cube(colors=blue)))[:, 2] > 60).all()


@pytest.mark.parametrize(("opacity", "covered"), [(0.0, 0), (0.5, 128), (1.0, 255)])
def test_transparent_material_shows_its_opacity(opacity: float, covered: int) -> None:
    material = Material(base_color=(1, 1, 1, opacity), alpha_mode="BLEND")
    mesh = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32), np.array([[0, 1, 2]], np.int32), materials=(material,)
    )
    alpha = render_preview(mesh)[..., 3]
    assert np.median(alpha[alpha > 0]) == covered if covered else not alpha.any()


def test_cut_out_material_leaves_holes() -> None:
    solid = render_preview(cube())[..., 3] > 0
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255
    cut = Material(alpha_mode="MASK", base_color_texture=Texture(pixels))
    holes = render_preview(cube(materials=(cut,)))[..., 3] > 0
    assert not (holes & ~solid).any() and 0.2 < holes.sum() / solid.sum() < 0.9


@pytest.mark.parametrize(
    "vertices",
    [np.zeros((3, 3)), [[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 0, 0], [1e-30, 0, 0], [0, 1e-30, 0]]],
    ids=["a point", "a line", "almost nothing"],
)
def test_mesh_without_area_gives_a_picture_without_warnings(vertices: list[list[float]]) -> None:
    mesh = Mesh(np.asarray(vertices, np.float32), np.array([[0, 1, 2]], np.int32))
    assert render_preview(mesh, 32).shape == (32, 32, 4)


def test_mesh_without_faces_gives_an_empty_picture() -> None:
    assert not render_preview(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))).any()


@pytest.mark.parametrize("name", ["alpha_modes", "ribbons_thin_400", "nonmanifold_fins", "degenerate_tiny_far"])
def test_shared_meshes_are_shown(assets: Path, name: str) -> None:
    picture = render_preview(read_mesh(assets / "meshes" / f"{name}.glb")[0])
    assert (picture[..., 3] > 0).mean() > 0.005 and picture[..., :3].std() > 1
