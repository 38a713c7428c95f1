"""Edges and faulty triangles against their plain definitions."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import numpy as np
import pytest
from omagen_extension.addon.scene.topology import edges_of, faulty_triangles


def tangle(seed: int, vertices: int, triangles: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, vertices, (triangles, 3)).astype(np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_faulty_are_collapsed_triangles_and_all_but_the_first_over_the_same_vertices(seed: int) -> None:
    triangles = tangle(seed, 9, 200)
    seen: set[frozenset[int]] = set()
    expected = []
    for triangle in triangles.tolist():
        vertices = frozenset(triangle)
        expected.append(len(vertices) < 3 or vertices in seen)
        seen.add(vertices)
    np.testing.assert_array_equal(faulty_triangles(triangles.reshape(-1)), expected)


def test_a_sound_mesh_has_no_faulty_triangles() -> None:
    assert faulty_triangles(np.array([0, 1, 2, 2, 1, 3], np.int32)) is None


# The second count is too large for keys that hold vertices and corner in 64 bits, so it takes the other way.
@pytest.mark.parametrize("vertex_count", [50, 2**31 - 1])
def test_edges_are_the_distinct_pairs_of_neighbouring_corners(vertex_count: int) -> None:
    triangles = tangle(0, 50, 500)
    triangles = triangles[[len(set(t)) == 3 for t in triangles.tolist()]]
    triangles[triangles == 49] = vertex_count - 1
    edges, corner_edge = edges_of(triangles.reshape(-1), vertex_count)
    pairs = [sorted((t[k], t[(k + 1) % 3])) for t in triangles.tolist() for k in range(3)]
    assert edges.tolist() == sorted({tuple(pair): pair for pair in pairs}.values())
    np.testing.assert_array_equal(edges[corner_edge], pairs)
    assert edges.dtype == corner_edge.dtype == np.int32
