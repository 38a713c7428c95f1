"""Continuous remeshing keeps surfaces whole, leaves out what it must, and follows detail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from omagen.geometry.distance import surface_distance
from omagen.geometry.quality import quality_report
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.edge_operations import collapse, edge_lengths, edges_of, flip, split
from omagen.refine.refinement import refine
from omagen.refine.settings import RefineSettings
from omagen.refine.sources import DetailNormals
from omagen.shapes import Mesh
from refine_shapes import grid, quiet, sphere

REMESH = RefineSettings(remesh=True, remesh_steps=40)


def _knobbly(level: int = 5) -> Mesh:
    ball = sphere(level)
    place = ball.vertices.astype(np.float64)
    knobs = 0.15 * np.sin(6 * place[:, :1]) * np.sin(5 * place[:, 1:2]) * np.cos(6 * place[:, 2:])
    return replace(ball, vertices=(place * (1 + knobs)).astype(np.float32))


def test_a_closed_surface_stays_closed_and_manifold_through_strong_changes() -> None:
    fine, start = _knobbly(), sphere(3)
    result, _ = refine(start, DetailNormals(fine), replace(REMESH, vertices=2500), quiet)
    report = quality_report(result)
    assert report["watertight"] and report["consistent_winding"] and report["non_manifold_edges"] == 0
    assert report["components"] == 1 and report["degenerate_faces"] == 0
    assert len(result.vertices) - report["triangles"] / 2 == 2  # still a sphere
    assert surface_distance(fine, result, 20_000)["chamfer"] < 0.1 * surface_distance(fine, start, 20_000)["chamfer"]
    assert 1000 < len(result.vertices) < 5000


def test_operations_keep_a_random_closed_surface_manifold() -> None:
    rng = np.random.default_rng(0)
    ball = sphere(3)
    values, faces = (
        ball.vertices.astype(np.float64) + 0.01 * rng.normal(size=ball.vertices.shape),
        ball.faces.astype(np.int64),
    )
    for _ in range(12):
        edges = edges_of(faces)
        values, faces = collapse(values, faces, edges, rng.random(len(edges.ends)) - 0.3, guarded=True)
        edges = edges_of(faces)
        values, faces = split(values, faces, edges, edge_lengths(values, edges.ends) > 0.2)
        faces = flip(values, faces, edges_of(faces))
        report = quality_report(Mesh(values.astype(np.float32), faces.astype(np.int32)))
        assert report["watertight"] and report["consistent_winding"] and report["components"] == 1


def test_open_borders_and_what_is_left_out_keep_their_places() -> None:
    sheet = grid(33)
    region = (np.linalg.norm(sheet.vertices[:, :2], axis=1) < 0.3).astype(np.float32)
    hill = replace(grid(65), vertices=grid(65).vertices + np.array([0, 0, 0], np.float32))
    hill.vertices[:, 2] = 0.1 * np.exp(-40 * (hill.vertices[:, :2] ** 2).sum(1))
    result, _ = refine(replace(sheet, region=region), DetailNormals(hill), REMESH, quiet)
    kept = {tuple(v) for v in result.vertices.tolist()}
    assert all(tuple(v) in kept for v in sheet.vertices[region == 0].tolist())
    assert result.vertices[:, 2].max() > 0.05
    assert quality_report(result)["open_edges"] == 4 * 32


def test_colours_and_materials_are_kept() -> None:
    start = sphere(3)
    colors = np.column_stack([start.vertices * 0.5 + 0.5, np.ones(len(start.vertices))]).astype(np.float32)
    index = (start.vertices[start.faces].mean(1)[:, 0] > 0).astype(np.int32)
    from omagen.shapes import Material

    mesh = replace(start, colors=colors, material_index=index, materials=(Material("left"), Material("right")))
    result, _ = refine(mesh, DetailNormals(_knobbly()), REMESH, quiet)
    assert result.colors is not None and result.material_index is not None
    np.testing.assert_allclose(result.colors[:, :3], result.vertices * 0.5 + 0.5, atol=0.15)
    side = result.vertices[result.faces].mean(1)[:, 0]
    assert (result.material_index[side > 0.1] == 1).all() and (result.material_index[side < -0.1] == 0).all()


def test_it_is_repeatable_and_can_be_cancelled() -> None:
    source = DetailNormals(_knobbly())
    first, second = (refine(sphere(2), source, REMESH, quiet)[0] for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)

    def cancel(stage: str, fraction: float) -> None:
        if stage == "Remeshing" and fraction > 0.2:
            raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    with pytest.raises(OmagenError):
        refine(sphere(2), source, REMESH, cancel)
