"""Surfaces cut open, halved and flattened whole: what becomes of components that are cut into too many charts."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.geometry.components import face_components
from omagen.geometry.topology import borders
from omagen.omage.charts.charting import charting
from omagen.omage.charts.halving import second_halves
from omagen.omage.charts.merging import budget_of
from omagen.omage.charts.opening import opened
from omagen.omage.charts.preparation import prepare
from omagen.omage.charts.projection import box_projection
from omagen.omage.charts.stretch import chart_stretch
from omagen.omage.charts.topology import chart_vertices, connected_faces, opposite_half_edges
from omagen.omage.charts.uniting import united
from omagen.omage.charts.validity import judge
from omagen.omage.decode import decode
from omagen.omage.encode import encode
from omagen.shapes import Mesh
from skimage.measure import marching_cubes


def _floats(values: object) -> np.ndarray:
    return np.array(values, np.float32)


def _ints(values: object) -> np.ndarray:
    return np.array(values, np.int32)


def ring(around: int = 24, across: int = 8, thickness: float = 0.25) -> Mesh:
    i, j = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = 2 * np.pi * i / around, 2 * np.pi * j / across
    radius = 1 + thickness * np.cos(b)
    points = np.stack([radius * np.cos(a), thickness * np.sin(b), radius * np.sin(a)], -1).reshape(-1, 3)

    def at(di: int, dj: int) -> np.ndarray:
        return ((i + di) % around * across + (j + dj) % across).ravel()

    faces = np.concatenate([np.stack([at(*p), at(*q), at(*r)], 1) for p, q, r in _TWO])
    return Mesh(points.astype(np.float32), faces.astype(np.int32))


def tube(around: int = 12, along: int = 40, radius: float = 0.05) -> Mesh:
    """Open at both ends."""
    i, j = np.meshgrid(np.arange(along), np.arange(around), indexing="ij")
    a = 2 * np.pi * j / around
    points = np.stack([radius * np.cos(a), i / along, radius * np.sin(a)], -1).reshape(-1, 3)

    def at(di: int, dj: int) -> np.ndarray:
        return ((i[:-1] + di) * around + (j[:-1] + dj) % around).ravel()

    faces = np.concatenate([np.stack([at(*p), at(*q), at(*r)], 1) for p, q, r in _TWO])
    return Mesh(points.astype(np.float32), faces.astype(np.int32))


_TWO = (((0, 0), (1, 0), (1, 1)), ((0, 0), (1, 1), (0, 1)))


def body(*holes: tuple[float, float]) -> Mesh:
    """A flat slab with rounded sides, and as many handles as holes."""
    axis = np.linspace(-1.2, 1.2, 40)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = np.maximum(np.hypot(x, y) - 1, np.abs(z) - 0.3)
    for u, v in holes:
        field = np.maximum(field, 0.25 - np.hypot(x - u, y - v))
    vertices, faces, _, _ = marching_cubes(field, 0.0)
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


SHAPES = {
    "ring": ring(),
    "tube": tube(),
    "slab": body(),
    "handle": body((0, 0)),
    "two handles": body((-0.4, 0), (0.4, 0)),
}


@pytest.fixture(params=SHAPES, ids=lambda name: name)
def shape(request: pytest.FixtureRequest) -> Mesh:
    return SHAPES[request.param]


def euler(inner: np.ndarray) -> int:
    edges = (len(inner) + int((inner < 0).sum())) // 2
    return chart_vertices(inner)[1] - edges + len(inner) // 3


def test_a_surface_cut_open_is_one_disc(shape: Mesh) -> None:
    surface = prepare(shape)
    vertex, vertices = chart_vertices(surface.opposite)
    points = np.empty((vertices, 3))
    points[vertex] = surface.corners().reshape(-1, 3)
    inner = opened(surface.opposite, vertex.reshape(-1, 3), points)
    assert connected_faces(inner)[1] == 1
    assert euler(inner) == 1
    half = np.flatnonzero(inner >= 0)
    np.testing.assert_array_equal(inner[inner[half]], half)


def test_what_is_a_disc_is_not_cut() -> None:
    sheet = Mesh(_floats([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), _ints([[0, 1, 2], [0, 2, 3]]))
    opposite = opposite_half_edges(sheet.faces)
    np.testing.assert_array_equal(opened(opposite, sheet.faces, sheet.vertices.astype(float)), opposite)


def test_halves_are_connected_and_about_equal(shape: Mesh) -> None:
    surface = prepare(shape)
    one = np.zeros(len(surface.faces), np.int32)
    second = second_halves(surface.opposite, surface.corners().mean(axis=1), one, np.ones(1, bool))
    label = second.astype(np.int32)
    found = charting(surface.opposite, label, np.zeros((len(label), 3, 2)))
    assert found.charts == 2
    assert 0.25 < second.mean() < 0.75


def test_only_what_is_asked_for_is_halved() -> None:
    opposite = np.full(12, -1, np.int32)
    opposite[[2, 3, 8, 9]] = [3, 2, 9, 8]  # two pieces of two faces
    middle = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    second = second_halves(opposite, middle, _ints([0, 0, 1, 1]), np.array([False, True]))
    assert not second[:2].any() and second[2:].sum() == 1


def test_a_small_component_becomes_few_charts(shape: Mesh) -> None:
    surface = prepare(shape)
    side, uv = box_projection(surface.corners())
    # Many pieces: what looks along one axis, cut into slabs besides.
    slab = np.floor(6 * surface.corners().mean(axis=1)[:, 1]).astype(np.int64)
    label = np.unique(np.stack([side, slab]), axis=1, return_inverse=True)[1].reshape(-1).astype(np.int32)
    found = charting(surface.opposite, label, uv)
    assert judge(found.uv, found.inner, found.chart, found.charts).good.all()
    area = 60.0 * 0.6 * 64**2  # so large that the shape has about a hundred pixels
    budget = budget_of(64, float(area * np.linalg.norm(np.ptp(shape.vertices, axis=0)) ** 2 / 40))
    fewer = united(surface, found, budget, np.inf, lambda stage, part: None)
    assert fewer.charts <= max(found.charts // 4, 2)
    assert judge(fewer.uv, fewer.inner, fewer.chart, fewer.charts).good.all()
    stretch, spread = chart_stretch(surface.corners(), fewer.uv, fewer.chart, fewer.charts)
    assert stretch.max() <= 2 and spread.max() <= 2.5


def test_charts_with_room_stay_as_they_are() -> None:
    surface = prepare(ring())
    side, uv = box_projection(surface.corners())
    found = charting(surface.opposite, side, uv)
    assert united(surface, found, budget_of(1024, 1.0), np.inf, lambda stage, part: None) is found


def test_a_face_without_area_between_others_leaves_no_slit() -> None:
    vertices = _floats([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0, 0]])
    faces = _ints([[0, 2, 4], [4, 2, 1], [0, 4, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    for scale in (1.0, 1e-3):
        decoded, _ = decode(encode(Mesh(vertices * np.float32(scale), faces), 64)[0])
        assert len(borders(decoded.faces).open_edges) == 0


def test_a_small_component_among_large_ones_is_closed_and_whole() -> None:
    tiny = ring(12, 6)
    large = body()
    vertices = np.concatenate([large.vertices, tiny.vertices * 0.02 + 2])
    faces = np.concatenate([large.faces, tiny.faces + len(large.vertices)])
    omage, report = encode(Mesh(vertices, faces), 64)
    assert report["lost_components"] == 0
    decoded, _ = decode(omage)
    found = borders(decoded.faces)
    assert len(found.open_edges) == len(found.non_manifold_edges) == 0
    assert int(face_components(decoded.faces).max()) == 1
