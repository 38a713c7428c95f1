"""What must hold for every atlas, checked without the code that made it."""

from __future__ import annotations

import numpy as np
from omagen.omage.atlas import Atlas
from omagen.shapes import Mesh


def assert_valid(atlas: Atlas, mesh: Mesh, grid: int = 1024) -> None:
    """`grid`: cells across all charts together when overlaps are looked for."""
    faces = len(atlas.faces)
    assert atlas.vertices.dtype == np.float32 and len(np.unique(atlas.vertices, axis=0)) == len(atlas.vertices)
    assert atlas.faces.dtype == np.int32 and atlas.faces.shape == (faces, 3)
    assert atlas.uv.dtype == np.float64 and atlas.uv.shape == (faces, 3, 2) and np.isfinite(atlas.uv).all()
    assert np.array_equal(np.unique(atlas.chart), np.arange(atlas.charts))
    _assert_in_place(atlas, mesh)
    kept = np.unique(atlas.source_face)
    assert len(kept) == faces == len(mesh.faces) - sum(atlas.report["dropped_faces"].values())
    _assert_orientation(atlas)
    _assert_joined_over_edges(atlas)
    _assert_no_overlap(atlas, grid)
    if atlas.placed:
        assert atlas.uv.min() >= 0 and atlas.uv.max() <= 1
    else:
        _assert_even_density(atlas)


def _assert_in_place(atlas: Atlas, mesh: Mesh) -> None:
    """Vertices are where they were, but for those that had to leave the opposite edge of a face."""
    before = mesh.vertices[mesh.faces].astype(np.float64)
    longest = np.linalg.norm(before - np.roll(before, 1, axis=1), axis=2).max(initial=0)
    gap = np.abs(atlas.vertices[atlas.faces] - mesh.vertices[mesh.faces[atlas.source_face]])
    assert gap.max(initial=0) <= 2e-3 * longest
    normal = np.cross(before[:, 1] - before[:, 0], before[:, 2] - before[:, 0])
    if (np.linalg.norm(normal, axis=1) > 1e-6 * longest**2).all():
        assert not gap.any()


def doubled_area(uv: np.ndarray) -> np.ndarray:
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _assert_orientation(atlas: Atlas) -> None:
    sign = np.where(atlas.mirrored[atlas.chart], -1, 1)
    assert (sign * doubled_area(atlas.uv) > 0).all()
    assert atlas.placed or not atlas.mirrored.any()


def _assert_joined_over_edges(atlas: Atlas) -> None:
    """Every chart is one piece over edges of two opposite faces with equal uv on both sides."""
    faces, uv = atlas.faces, atlas.uv
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    key = np.minimum(start, end).astype(np.int64) * (faces.max() + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    count = np.diff(np.append(first, len(order)))
    first = first[count == 2]
    a, b = order[first], order[first + 1]
    a, b = a[start[a] == end[b]], b[start[a] == end[b]]
    here, there = uv.reshape(-1, 2), np.roll(uv, -1, axis=1).reshape(-1, 2)
    is_same = (here[a] == there[b]).all(1) & (there[a] == here[b]).all(1) & (atlas.chart[a // 3] == atlas.chart[b // 3])
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = a[is_same] // 3, b[is_same] // 3
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(faces),) * 2)
    pieces, piece = connected_components(graph, directed=False)
    assert pieces == atlas.charts
    assert len(np.unique(np.stack([piece, atlas.chart]), axis=1).T) == pieces


def _assert_no_overlap(atlas: Atlas, grid: int) -> None:
    """No chart covers the centre of a cell twice; in placed atlases, neither do two charts."""
    if atlas.placed:
        assert _doubled(atlas.uv * grid, np.zeros(len(atlas.faces), np.int64), np.full(len(atlas.faces), 2 * grid)) == 0
        return
    low, high = np.full((atlas.charts, 2), np.inf), np.full((atlas.charts, 2), -np.inf)
    np.minimum.at(low, atlas.chart, atlas.uv.min(1))
    np.maximum.at(high, atlas.chart, atlas.uv.max(1))
    size = high - low
    scale = np.minimum(grid / np.sqrt(size.prod(1).sum()), grid * 4 / size.max(1))  # cells per unit
    columns = np.ceil(size[:, 0] * scale).astype(np.int64) + 2
    rows = np.ceil(size[:, 1] * scale).astype(np.int64) + 2
    begin = np.cumsum(columns * rows) - columns * rows
    cells = (atlas.uv - low[atlas.chart][:, None]) * scale[atlas.chart][:, None, None]
    assert _doubled(cells, begin[atlas.chart], columns[atlas.chart]) == 0


def _doubled(uv: np.ndarray, begin: np.ndarray, columns: np.ndarray) -> int:
    """How many cell centres lie clearly inside two triangles. Each triangle is tested on the cells of its box."""
    low = np.floor(uv.min(1)).astype(np.int64)
    width, height = (np.ceil(uv.max(1)).astype(np.int64) - low).T
    hits = []
    for part in np.array_split(np.arange(len(uv)), max(1, int((width * height).sum() // 4_000_000))):
        count = (width * height)[part]
        face = np.repeat(part, count)
        index = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        column, row = low[face, 0] + index % width[face], low[face, 1] + index // width[face]
        p = np.stack([column + 0.5, row + 0.5], 1)
        corner = uv[face]
        area = doubled_area(corner)
        inside = np.ones(len(face), bool)
        for k in range(3):
            a, b = corner[:, k], corner[:, (k + 1) % 3]
            cross = (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])
            inside &= cross * np.sign(area) > 1e-6 * np.sqrt(np.abs(area)) + 1e-9 * np.abs(area)
        hits.append((begin[face] + row * columns[face] + column)[inside])
    cell = np.concatenate(hits)
    return len(cell) - len(np.unique(cell))


def _assert_even_density(atlas: Atlas) -> None:
    corners = atlas.vertices[atlas.faces].astype(np.float64)
    in_space = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    in_space = np.bincount(atlas.chart, weights=in_space)
    in_uv = np.bincount(atlas.chart, weights=doubled_area(atlas.uv))
    is_real = in_space > 1e-9 * in_space.sum()
    assert np.allclose(in_uv[is_real], in_space[is_real], rtol=1e-6)
