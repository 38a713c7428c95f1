"""Layouts whose charts touch keep their place: pixels give way between them, and what was closed stays closed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from omagen.geometry.distance import surface_distance
from omagen.geometry.topology import borders
from omagen.omage.atlas import make_atlas
from omagen.omage.decode import decode
from omagen.omage.encode import sample_materials
from omagen.omage.fitting import fit
from omagen.omage.frame import normalise_vertices
from omagen.omage.giving_way import give_way
from omagen.omage.layout import Layout, _place, _problem_of, mask_cells
from omagen.shapes import Mesh, Omage
from sample_meshes import cube


def tiled_cube(gap: float, mirrored: bool = False) -> Mesh:
    """A cube whose sides lie in UV like the tiles of a floor, `gap` of a tile between them."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (1 - gap)
    uv = np.stack([(square + np.array([side % 3, side // 3])) / 3 for side in range(6)])
    if mirrored:
        uv[::2, :, 0] = np.floor(3 * uv[::2, :1, 0]) / 3 * 2 + (1 - gap) / 3 - uv[::2, :, 0]
    return cube(uv=uv[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 2).astype(np.float32))


def kept(mesh: Mesh, resolution: int) -> tuple[Layout, Layout]:
    placed = _place(make_atlas(mesh, resolution, "keep"), resolution)
    return placed, give_way(placed)


def encoded(mesh: Mesh, resolution: int) -> Omage:
    atlas = make_atlas(mesh, resolution, "keep")
    fitted = fit(atlas, lambda atlas: (give_way(_place(atlas, resolution)), {}), lambda v: normalise_vertices(v)[0])
    _, centre, scale = normalise_vertices(atlas.vertices)
    return replace(sample_materials(mesh, fitted), centre=centre, scale=scale)


def picture(layout: Layout) -> np.ndarray:
    """(H, W) int32: the chart of every pixel, -1 for none."""
    labels = np.full(layout.size, -1, np.int32)
    chart, row, column = mask_cells(layout.grids)
    labels[layout.pixel(chart, row, column)] = chart
    return labels


CASES = pytest.mark.parametrize(
    "mesh",
    [tiled_cube(0), tiled_cube(0.01), tiled_cube(0.03), tiled_cube(0.01, mirrored=True)],
    ids=["touching", "close", "a pixel apart", "mirrored"],
)
RESOLUTIONS = pytest.mark.parametrize("resolution", [32, 65, 256])


@CASES
@RESOLUTIONS
def test_charts_are_apart_and_are_still_what_they_were(mesh: Mesh, resolution: int) -> None:
    placed, layout = kept(mesh, resolution)
    assert _problem_of(layout) == "" and layout.grids.sound.all()
    assert (layout.grids.uv == placed.grids.uv).all()
    assert not (layout.grids.mask & ~placed.grids.mask).any() or resolution == 32


@CASES
@RESOLUTIONS
def test_a_closed_mesh_decodes_to_a_closed_one(mesh: Mesh, resolution: int) -> None:
    decoded, _ = decode(encoded(mesh, resolution))
    found = borders(decoded.faces)
    assert (len(found.open_edges), len(found.non_manifold_edges)) == (0, 0)
    distance = surface_distance(mesh, decoded, samples=3000)
    assert distance["chamfer"] < 3e-5


def test_pixels_give_way_only_where_charts_are_close() -> None:
    placed, layout = kept(tiled_cube(0.03), 256)
    lost = picture(placed) != picture(layout)
    assert lost.mean() < 0.02
    roomy = tiled_cube(0.2)
    assert roomy.uv is not None
    apart = _place(make_atlas(replace(roomy, uv=roomy.uv + np.float32(0.03)), 64, "keep"), 64)
    assert (give_way(apart).grids.mask == apart.grids.mask).all()


def test_what_no_longer_has_room_is_said_to_be_unsound() -> None:
    """A chart two pixels wide between two large ones."""
    uv = np.zeros((6, 4, 2))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    for side, (left, width) in enumerate([(0, 0.3), (0.3, 0.02), (0.32, 0.3), (0.62, 0.02), (0.64, 0.02), (0.66, 0.3)]):
        uv[side] = square * (width, 0.9) + (left, 0)
    mesh = cube(uv=uv[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 2).astype(np.float32))
    _, layout = kept(mesh, 64)
    assert not layout.grids.sound.all()
    assert _problem_of(layout) in ("unsound", "")
