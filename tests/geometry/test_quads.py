"""Quads: near the count asked for, on the surface, whole; what cannot become quads is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from omagen.finish.pipeline import finish_mesh
from omagen.finish.settings import FinishSettings
from omagen.geometry.distance import SurfaceTree
from omagen.geometry.quads import _as_mesh, remesh_to_quads
from omagen.geometry.topology import borders
from omagen.protocol import OmagenError
from omagen.shapes import Material, Mesh, Texture


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices, np.float32), np.asarray(shape.faces, np.int32))


def require_whole(mesh: Mesh) -> None:
    assert mesh.quads is not None and (np.diff(mesh.quads) > 1).all()
    first, second = mesh.faces[mesh.quads], mesh.faces[mesh.quads + 1]
    np.testing.assert_array_equal(first[:, [0, 2]], second[:, [0, 1]])


@pytest.mark.parametrize("shape", [trimesh.creation.icosphere(4), trimesh.creation.torus(1.0, 0.35, 64, 48)])
def test_quads_lie_on_the_surface_near_their_count(shape: trimesh.Trimesh) -> None:
    mesh = mesh_of(shape)
    made = remesh_to_quads(mesh, 1200, lambda share: None)
    require_whole(made)
    assert made.quads is not None
    count = len(made.faces) - len(made.quads)
    assert abs(count - 1200) < 0.15 * 1200 and len(made.quads) > 0.9 * count
    assert len(borders(made.faces).open_edges) == 0
    assert SurfaceTree(mesh.vertices, mesh.faces).nearest(made.vertices).distance.max() < 0.05


def test_quads_that_are_cut_through_stay_as_triangles() -> None:
    """Two quads over one diagonal: four triangles at an edge, which has to be split."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0.6], [0.5, 0.5, -0.6]], np.float64)
    made = _as_mesh(mesh_of(trimesh.creation.box()), vertices, np.array([[0, 1, 2, 3], [0, 4, 2, 5]]))
    assert made is not None and len(made.faces) == 4
    require_whole(made)


def test_new_faces_go_on_wearing_the_material_but_not_its_textures() -> None:
    mesh = mesh_of(trimesh.creation.icosphere(3))
    red = Texture(np.full((4, 4, 3), 200, np.uint8))
    worn = Material("clay", base_color=(0.1, 0.2, 0.3, 1.0), roughness=0.4, base_color_texture=red)
    uv = np.zeros((len(mesh.faces), 3, 2), np.float32)
    warnings: list[str] = []

    class Listener:
        def __call__(self, stage: str, fraction: float) -> None: ...

        def warn(self, message: str) -> None:
            warnings.append(message)

    given = replace(mesh, uv=uv, materials=(worn,))
    settings = FinishSettings(faces=300, remesh="quads", materials="keep", texture=128)
    made, _ = finish_mesh(given, settings, Listener())
    assert made.materials == (replace(worn, base_color_texture=None),)
    assert any("without textures" in warning for warning in warnings)


def test_crumbs_cannot_become_quads() -> None:
    sliver = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1e-9, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(OmagenError, match="Quads cannot be made"):
        remesh_to_quads(sliver, 100, lambda share: None, patience_s=2.0)
