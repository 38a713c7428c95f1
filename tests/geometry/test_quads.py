"""Quads: near the count asked for, on the surface, whole; what cannot become quads is said."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from omagen.geometry.distance import SurfaceTree
from omagen.geometry.quads import _as_mesh, remesh_to_quads
from omagen.geometry.topology import borders
from omagen.protocol import OmagenError
from omagen.shapes import Mesh


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


def test_crumbs_cannot_become_quads() -> None:
    sliver = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1e-9, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(OmagenError, match="Quads cannot be made"):
        remesh_to_quads(sliver, 100, lambda share: None, patience_s=2.0)
