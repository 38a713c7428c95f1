"""Atlases of all sorts of meshes are valid, and use what is good of the UVs that meshes bring along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from atlas_invariants import assert_valid
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.io.meshes import read_mesh
from omagen.omage.atlas import make_atlas, uniform_density
from omagen.protocol import OmagenError
from omagen.shapes import Mesh
from sample_meshes import cube

QUICK = [
    "alpha_modes.glb",
    "box_vertex_colors_tiny.glb",
    "degenerate_tiny_far.glb",
    "nonmanifold_fins.glb",
    "normal_tangent_mirrored_uv.glb",
    "ribbons_thin_400.glb",
    "spot_nodes_negative_scale.glb",
    "spot_obj/spot.obj",
    "table_palette_overlapping_uv.glb",
    "texture_settings_uv_outside.glb",
    "water_bottle_pbr.glb",
]
LARGE = ["flight_helmet_multimaterial.glb", "koala_vertex_colors_no_uv_100k.glb", "mountain_open_boundary.glb"]


@pytest.mark.parametrize("resolution", [64, 256, 1024])
@pytest.mark.parametrize("name", QUICK)
def test_every_asset_gives_a_valid_atlas(assets: Path, name: str, resolution: int) -> None:
    mesh, _ = read_mesh(assets / "meshes" / name)
    assert_valid(make_atlas(mesh, resolution), mesh)


@pytest.mark.parametrize("name", LARGE)
def test_large_assets_give_valid_atlases_of_few_charts(assets: Path, name: str) -> None:
    mesh, _ = read_mesh(assets / "meshes" / name)
    atlas = make_atlas(mesh, 256)
    assert_valid(atlas, mesh)
    assert atlas.charts <= 256 and atlas.report["anisotropy"] <= 1.1


def wavy_grid(columns: int, rows: int, seed: int) -> Mesh:
    """A height field with UVs that are its plan, over the unit square."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    flat = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)
    vertices = np.column_stack([flat, rng.uniform(-0.1, 0.1, len(flat))]).astype(np.float32)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).reshape(-1, 1)
    quads = corner + np.array([0, 1, columns + 2, columns + 1])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    return Mesh(vertices, faces, uv=flat[faces])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 2**31), st.sampled_from([32, 64, 1024]))
def test_a_soup_of_triangles_gives_a_valid_atlas(faces: int, shared: int, seed: int, resolution: int) -> None:
    """Few points for many triangles: edges with many faces, either winding, repeated and degenerate faces."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (max(3, faces // shared), 3)).astype(np.float32)
    mesh = Mesh(points, rng.integers(0, len(points), (faces, 3)).astype(np.int32))
    try:
        atlas = make_atlas(mesh, resolution)
    except OmagenError as error:
        assert error.code == "geometry"
        return
    assert_valid(atlas, mesh, 128)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_good_uvs_are_used_where_they_are(columns: int, rows: int, seed: int) -> None:
    mesh = wavy_grid(columns, rows, seed)
    atlas = make_atlas(mesh, 256, "keep")
    assert_valid(atlas, mesh, 128)
    assert atlas.placed and atlas.charts == 1
    assert np.allclose(atlas.uv, mesh.uv[atlas.source_face])  # type: ignore[index]
    assert_valid(uniform_density(atlas), mesh, 128)


def test_mirrored_islands_that_share_their_place_are_kept_but_laid_out_anew() -> None:
    half = wavy_grid(4, 4, 1)
    other = half.vertices * np.array([-1, 1, 1], np.float32) - np.array([1, 0, 0], np.float32)
    vertices = np.concatenate([half.vertices, other])
    faces = np.concatenate([half.faces, half.faces[:, ::-1] + len(half.vertices)])
    assert half.uv is not None
    mesh = Mesh(vertices, np.ascontiguousarray(faces), uv=np.concatenate([half.uv, half.uv[:, ::-1]]))
    atlas = make_atlas(mesh, 256)
    assert_valid(atlas, mesh)
    assert atlas.report["uv"] == "kept" and not atlas.placed and atlas.charts == 2


def test_uvs_that_overlap_cannot_be_kept_and_the_error_says_why() -> None:
    mesh = wavy_grid(4, 4, 1)
    assert mesh.uv is not None
    folded = np.where(mesh.uv > 0.5, 1 - mesh.uv, mesh.uv).astype(np.float32)
    with pytest.raises(OmagenError, match="folded over"):
        make_atlas(replace(mesh, uv=folded), 256, "keep")


def test_a_mesh_without_uvs_has_none_to_keep() -> None:
    with pytest.raises(OmagenError, match="no UVs"):
        make_atlas(cube(uv=None), 256, "keep")


def test_a_mesh_without_any_area_is_refused() -> None:
    with pytest.raises(OmagenError, match="no faces"):
        make_atlas(Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)), 64)


def test_small_resolutions_get_few_charts() -> None:
    mesh = cube(uv=None)
    assert make_atlas(mesh, 32, "unwrap").charts < make_atlas(mesh, 1024, "unwrap").charts + 1
    assert make_atlas(mesh, 1024, "unwrap").charts <= 6


def test_a_time_budget_that_is_too_small_still_gives_a_valid_atlas() -> None:
    mesh = wavy_grid(60, 60, 1)
    atlas = make_atlas(mesh, 256, "unwrap", budget_s=0.0)
    assert_valid(atlas, mesh, 256)


def test_charting_can_be_cancelled() -> None:
    def cancel(stage: str, fraction: float) -> None:
        raise OmagenError("cancelled", "Cancelled.")

    with pytest.raises(OmagenError, match="Cancelled"):
        make_atlas(cube(), 64, progress=cancel)
