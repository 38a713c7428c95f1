"""Levels of detail: any resolution from any other, closed where the omage was closed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from omagen.geometry.distance import surface_distance
from omagen.geometry.quality import quality_report
from omagen.omage.decode import decode
from omagen.omage.encode import encode
from omagen.omage.lod import lod_chain, resize
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Mesh, Omage
from sample_meshes import cube, rich_material


@cache
def ball() -> Mesh:
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=3)
    return Mesh(sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32))


@cache
def omage(resolution: int = 128) -> Omage:
    return encode(ball(), resolution)[0]


@pytest.mark.parametrize("resolution", [32, 100, 256])
def test_a_closed_omage_stays_closed_at_every_resolution(resolution):
    level = resize(omage(), resolution)
    assert level.resolution == resolution
    report = quality_report(decode(level)[0])
    assert report["watertight"] and report["components"] == 1


@pytest.mark.parametrize("resolution", [32, 100, 256])
def test_a_mesh_decoded_at_another_resolution_is_closed_and_uses_the_full_maps(resolution):
    mesh, _ = decode(omage(), resolution=resolution)
    assert quality_report(mesh)["watertight"]
    assert mesh.materials[0].base_color_texture is not None
    assert mesh.materials[0].base_color_texture.pixels.shape[0] == 128
    assert mesh.uv is not None and mesh.uv.min() >= 0 and mesh.uv.max() <= 1


def test_levels_lie_on_the_surface_closer_the_finer_they_are():
    errors = [surface_distance(ball(), decode(omage(), resolution=r)[0], 5000)["chamfer"] for r in (32, 64, 128)]
    assert errors[0] < 0.02
    assert errors[0] > errors[1] > errors[2]


def test_a_chain_halves_down_to_the_coarsest():
    assert [level.resolution for level in lod_chain(omage(), 32)] == [128, 64, 32]


def test_maps_that_an_omage_does_not_have_are_not_made_up():
    bare = Omage(omage().position, omage().occupancy, chart=omage().chart, seam=omage().seam)
    level = resize(bare, 64)
    assert level.normal is level.albedo is level.metalness is level.roughness is level.opacity is level.emission is None


def test_materials_survive_resizing():
    painted = encode(cube(materials=(rich_material(),)), 128)[0]
    level = resize(painted, 64)
    assert level.alpha_mode == painted.alpha_mode and level.double_sided
    assert painted.albedo is not None and level.albedo is not None
    means = [plane[o.occupancy].mean(axis=0) for o, plane in ((painted, painted.albedo), (level, level.albedo))]
    assert np.abs(means[0] - means[1]).max() < 0.03


@pytest.mark.parametrize("resolution", [0, 31, 4097])
def test_a_resolution_out_of_range_is_refused(resolution):
    with pytest.raises(OmagenError) as caught:
        resize(omage(), resolution)
    assert caught.value.code is ErrorCode.INPUT
