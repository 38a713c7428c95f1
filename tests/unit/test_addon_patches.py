"""The charts of a decoded omage as arrays."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import io

import numpy as np
from omagen_extension.addon.scene import patches
from omagen_extension.addon.scene.glb import ObjectArrays
from omagen_extension.addon.scene.topology import edges_of, faulty_triangles
from PIL import Image


def strip() -> ObjectArrays:
    """Four triangles in a row over 6 vertices; the first two are patch 1, the others patch 0."""
    corner_vertex = np.array([0, 1, 2, 1, 3, 2, 2, 3, 4, 3, 5, 4], np.int32)
    edges, corner_edge = edges_of(corner_vertex, 6)
    positions = np.random.default_rng(0).random((6, 3)).astype(np.float32)
    uv = ((np.arange(24).reshape(12, 2) % 8) + 0.5).astype(np.float32) / 8
    labels = np.array([1, 1, 0, 0], np.int32)
    return ObjectArrays("x", positions, corner_vertex, edges, corner_edge, uv, vertex_normals=positions, patches=labels)


def test_vertices_on_seams_belong_to_both_patches() -> None:
    assert [part.tolist() for part in patches.members(strip())] == [[2, 3, 4, 5], [0, 1, 2, 3]]


def test_parts_hold_every_triangle_once_with_what_belongs_to_it() -> None:
    whole = strip()
    first, second = patches.split(whole)
    assert (first.triangles, second.triangles) == (2, 2)
    np.testing.assert_array_equal(first.positions[first.corner_vertex], whole.positions[whole.corner_vertex[6:]])
    np.testing.assert_array_equal(second.positions[second.corner_vertex], whole.positions[whole.corner_vertex[:6]])
    assert whole.uv is not None
    np.testing.assert_array_equal(second.uv, whole.uv[:6])
    for part in (first, second):
        assert faulty_triangles(part.corner_vertex) is None
        assert len(part.positions) == 4
        assert part.vertex_normals is not None
        np.testing.assert_array_equal(part.vertex_normals, part.positions)
        assert len(part.edges) == 5


def test_the_picture_has_a_colour_per_patch_at_its_pixels() -> None:
    whole = strip()
    assert whole.uv is not None
    assert whole.patches is not None
    image = np.asarray(Image.open(io.BytesIO(patches.picture(whole, 8))))[::-1]
    column, row = (whole.uv * 8).astype(int).T
    drawn = image[row, column]
    assert (drawn[:, 3] == 255).all()
    assert len(np.unique(drawn, axis=0)) <= 2
    assert (image[..., 3] > 0).sum() == len(np.unique(row * 8 + column))
