"""What is said to be kept of a mesh is the same bit by bit, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from omagen.geometry.kept import kept
from omagen.shapes import Material, Mesh, Texture

RED = Texture(np.full((2, 2, 3), (255, 0, 0), np.uint8))
MESH = Mesh(
    vertices=np.eye(4, 3, dtype=np.float32),
    faces=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
    uv=np.zeros((2, 3, 2), np.float32),
    material_index=np.array([0, 1], np.int32),
    materials=(Material("one", base_color_texture=RED), Material("two")),
)
ALL = {"topology": True, "positions": True, "uv": True, "materials": True, "maps": []}


def test_a_copy_keeps_all() -> None:
    copy = replace(
        MESH,
        vertices=MESH.vertices.copy(),
        faces=MESH.faces.copy(),
        materials=(replace(MESH.materials[0], base_color_texture=Texture(RED.pixels.copy())), MESH.materials[1]),
    )
    assert kept(MESH, copy) == ALL


def test_each_change_is_told_apart() -> None:
    nudged = MESH.vertices.copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], np.float32(2))
    assert kept(MESH, replace(MESH, vertices=nudged)) == ALL | {"positions": False}
    assert kept(MESH, replace(MESH, uv=MESH.uv + np.float32(1))) == ALL | {"uv": False}  # type: ignore[operator]
    assert kept(MESH, replace(MESH, uv=None)) == ALL | {"uv": False}
    painted = (MESH.materials[0], replace(MESH.materials[1], base_color_texture=RED, roughness=0.5))
    said = kept(MESH, replace(MESH, materials=painted))
    assert said == ALL | {"materials": False, "maps": ["base_color_texture", "roughness"]}


def test_other_faces_keep_neither_uvs_nor_materials() -> None:
    turned = replace(MESH, faces=MESH.faces[:, [1, 2, 0]])
    assert kept(MESH, turned) == dict.fromkeys(("topology", "positions", "uv", "materials"), False) | {"maps": []}
    swapped = replace(MESH, material_index=np.array([1, 0], np.int32))
    assert kept(MESH, swapped) == ALL | {"materials": False}
    more = replace(MESH, vertices=np.vstack([MESH.vertices, np.zeros((1, 3), np.float32)]))
    assert not kept(MESH, more)["topology"]
