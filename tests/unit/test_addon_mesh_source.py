"""What the add-on sends of an object is what the backend reads: positions, UVs, normals, colours, textures."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omagen.io.meshes import read_mesh
from omagen.shapes import Mesh
from omagen_extension.addon.scene.material_source import Channel, Composite, MaterialSource, TextureSource
from omagen_extension.addon.scene.mesh_source import MeshSource, Piece
from omagen_extension.addon.scene.pixels import Pixels
from omagen_extension.backend.omagen.protocol import OmagenError


def pyramid(**changes: object) -> Piece:
    """A quadratic base and four triangles, as Blender holds them: 5 vertices, 16 corners, 6 triangles."""
    positions = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, 2]], np.float32)
    corner_vertex = np.array([3, 2, 1, 0, 0, 1, 4, 1, 2, 4, 2, 3, 4, 3, 0, 4], np.int32)
    triangles = np.array([0, 1, 2, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], np.int32)
    normals = np.zeros((16, 3), np.float32)
    normals[:4, 2] = -1
    for side in range(4):
        a, b, c = positions[corner_vertex[4 + 3 * side : 7 + 3 * side]]
        normal = np.cross(b - a, c - a)
        normals[4 + 3 * side : 7 + 3 * side] = normal / np.linalg.norm(normal)
    uv = np.random.default_rng(0).random((16, 2)).astype(np.float32)
    fields = {
        "positions": positions, "corner_vertex": corner_vertex, "triangle_corners": triangles,
        "triangle_material": None, "normals": normals, "uv": {"": uv}, "colors": {},
        "materials": [MaterialSource()], "matrix": np.eye(4),
    }  # fmt: skip
    return Piece(**(fields | changes))  # type: ignore[arg-type]


def sent(tmp_path: Path, *pieces: Piece) -> Mesh:
    path = tmp_path / "sent.glb"
    path.write_bytes(MeshSource("pyramid", pieces).glb())
    mesh, warnings = read_mesh(path)
    assert not warnings
    return mesh


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_vertices_stay_shared_and_the_frame_is_turned(tmp_path: Path) -> None:
    piece = pyramid()
    mesh = sent(tmp_path, piece)
    assert mesh.vertices.shape == (5, 3)
    assert mesh.faces.shape == (6, 3)
    np.testing.assert_array_equal(mesh.vertices, piece.positions[:, [0, 2, 1]] * np.array([1, 1, -1], np.float32))
    assert volume(mesh) == pytest.approx(8 / 3)


def test_uvs_and_normals_stay_with_their_corners(tmp_path: Path) -> None:
    piece = pyramid()
    mesh = sent(tmp_path, piece)
    assert mesh.uv is not None
    assert mesh.normals is not None
    assert piece.triangle_corners is not None
    np.testing.assert_allclose(mesh.uv.reshape(-1, 2), piece.uv[""][piece.triangle_corners], atol=1e-6)
    expected = piece.normals[piece.triangle_corners][:, [0, 2, 1]] * (1, 1, -1)
    np.testing.assert_allclose(mesh.normals.reshape(-1, 3), expected, atol=1e-6)


def test_a_mirroring_matrix_turns_faces_around(tmp_path: Path) -> None:
    mesh = sent(tmp_path, pyramid(matrix=np.diag([-2.0, 1, 3, 1])))
    assert volume(mesh) == pytest.approx(6 * 8 / 3)
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert mesh.normals is not None
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), mesh.normals[:, 0]) > 0).all()


def test_several_pieces_become_one_mesh(tmp_path: Path) -> None:
    moved = np.eye(4)
    moved[:3, 3] = (5, 0, 0)
    mesh = sent(tmp_path, pyramid(), pyramid(matrix=moved))
    assert mesh.vertices.shape == (10, 3)
    assert np.ptp(mesh.vertices[:, 0]) == 7


def test_triangles_go_with_their_materials(tmp_path: Path) -> None:
    slots = np.array([1, 1, 0, 0, 0, 0], np.int32)
    red, blue = (MaterialSource(name, (*color, 1.0)) for name, color in (("r", (1.0, 0, 0)), ("b", (0, 0, 1.0))))
    mesh = sent(tmp_path, pyramid(triangle_material=slots, materials=[red, blue]))
    assert mesh.vertices.shape == (5, 3)
    assert mesh.material_index is not None
    assert [mesh.materials[i].name for i in mesh.material_index] == ["r"] * 4 + ["b"] * 2
    assert mesh.materials[mesh.material_index[-1]].base_color == (0, 0, 1, 1)


def test_colours_may_differ_at_the_corners_of_a_vertex(tmp_path: Path) -> None:
    colors = np.random.default_rng(1).random((16, 4)).astype(np.float32)
    piece = pyramid(colors={"Paint": colors}, materials=[MaterialSource(color_layer="Paint")])
    mesh = sent(tmp_path, piece)
    assert mesh.colors is not None
    assert piece.triangle_corners is not None
    np.testing.assert_allclose(mesh.colors[mesh.faces].reshape(-1, 4), colors[piece.triangle_corners], atol=1e-6)


def test_textures_arrive_with_factors_and_wraps(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (8, 4, 4)).astype(np.float32) / 255
    pixels[..., 3] = 1
    texture = TextureSource(Pixels(pixels), "EXTEND", "MIRROR")
    source = MaterialSource("paint", (0.5, 0.25, 1, 1), 0.5, 0.75, (4.0, 2, 1), base_color_texture=texture)
    (material,) = sent(tmp_path, pyramid(materials=[source])).materials
    assert material.base_color == pytest.approx((0.5, 0.25, 1, 1))
    assert (material.metallic, material.roughness) == (0.5, 0.75)
    assert material.emissive == pytest.approx((4, 2, 1))
    found = material.base_color_texture
    assert found is not None
    assert (found.wrap_u, found.wrap_v) == ("clamp", "mirror")
    np.testing.assert_array_equal(found.pixels[..., :3], np.round(255 * pixels[::-1, :, :3]))


def test_channels_of_different_pictures_become_one_texture() -> None:
    rough = np.full((2, 2, 4), 0.25, np.float32)
    metal = np.zeros((4, 4, 4), np.float32)
    metal[3] = 1  # the top row
    texture = Composite([None, Channel(Pixels(rough), 1), Channel(Pixels(metal), 2)])
    planes = [channel and channel.plane(4, 4) for channel in texture.channels]
    assert planes[0] is None
    assert (planes[1] == 64).all()
    assert planes[2] is not None
    assert planes[2].tolist() == [[255] * 4] + [[0] * 4] * 3
    assert texture.png().startswith(b"\x89PNG")


def test_a_colour_picture_used_as_a_number_is_read_as_its_light() -> None:
    grey = Pixels(np.full((1, 1, 4), 0.5, np.float32))
    assert Channel(grey, 1, to_linear=True).plane(1, 1)[0, 0] == 55  # 0.214 of 255


def test_a_texture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    texture = TextureSource(tmp_path / "absent.png")
    piece = pyramid(materials=[MaterialSource(base_color_texture=texture)])
    with pytest.raises(OmagenError, match=r"absent\.png"):
        MeshSource("x", [piece]).glb()


def test_equal_pixels_are_written_once(tmp_path: Path) -> None:
    texture = TextureSource(Pixels(np.random.default_rng(3).random((64, 64, 4)).astype(np.float32)))
    one = MaterialSource(base_color_texture=texture)
    both = [one, replace(one, name="other")]
    slots = np.array([1, 1, 0, 0, 0, 0], np.int32)
    single = len(MeshSource("x", [pyramid(materials=[one])]).glb())
    double = len(MeshSource("x", [pyramid(materials=both, triangle_material=slots)]).glb())
    assert double < single + 4000


def test_triangles_without_valid_positions_are_left_out(tmp_path: Path) -> None:
    positions = pyramid().positions.copy()
    positions[0] = np.nan
    slots = np.array([0, 0, 0, 1, 1, 0], np.int32)
    broken = pyramid(positions=positions, triangle_material=slots, materials=[MaterialSource(), MaterialSource()])
    whole = broken.finite()
    assert (broken.triangles, whole.triangles) == (6, 3)
    mesh = sent(tmp_path, whole)
    assert len(mesh.faces) == 3 and np.isfinite(mesh.vertices).all()
    assert pyramid().finite().triangles == 6
