"""From a GLB file to a published omage, where a single fixture cannot say it all."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.omage.reference_encode import flatten, reference_encode
from omagen.omage.reference_packing import MARGIN, pack_boxes
from omagen.protocol import OmagenError
from parity.fixtures import REFERENCE, read_fixture
from parity.omages_codec import source_mesh
from sample_meshes import cube

SCENE = REFERENCE / "omages" / "parity" / "encode_raster.safetensors"


@pytest.mark.skipif(not SCENE.is_file(), reason="the published fixtures are not on this machine")
def test_the_source_file_becomes_the_mesh_that_the_published_encoder_bakes() -> None:
    fixture = read_fixture(SCENE)
    given = fixture.inputs
    mesh = source_mesh(fixture)
    flat, _ = flatten(mesh, 1e-4, 64)
    published = given["vert"][given["face"]]
    distance = np.abs(flat.corners[:, None] - published[None]).max(axis=(2, 3))
    match = distance.argmin(axis=1)  # the published encoder joins the parts in another order
    assert sorted(match) == list(range(len(published)))
    assert distance.min(axis=1).max() < 2e-7
    np.testing.assert_allclose(flat.normals, given["corner_normal"][match], atol=3e-5)
    np.testing.assert_array_equal(flat.texture_uv, given["loop_uv_texture"][match])
    rough = np.array([given[f"material{number}.rough"][0] for number in given["material_index"][match]])
    np.testing.assert_array_equal([mesh.materials[number].roughness for number in flat.material], rough)


def test_a_layout_has_one_scale_and_the_published_margins() -> None:
    sizes = np.random.default_rng(0).uniform(0.05, 0.5, (40, 2))
    scale, corner = pack_boxes(sizes)
    low, high = corner, corner + sizes * scale
    assert low.min() == pytest.approx(MARGIN)
    assert high.max() == pytest.approx(1 - MARGIN, abs=1e-6)
    gap = np.maximum(low[:, None] - high[None], low[None] - high[:, None]).max(axis=2)
    assert gap[~np.eye(len(sizes), dtype=bool)].min() >= 2 * MARGIN - 1e-9


def test_a_cube_keeps_its_six_patches() -> None:
    omage, counts = reference_encode(cube(), 64)
    assert counts == {"original": 6, "removed": 0, "patches": 6}
    assert omage.shape == (64, 64, 12)
    occupied = omage[..., 3] > 0.5
    assert set(np.unique(omage[..., 3])) == {0, 1}
    assert np.abs(omage[occupied][:, :3] * 2 - 1).max(axis=1).min() > 0.99  # on the cube's surface


def test_patches_beyond_the_limit_are_removed() -> None:
    _, counts = reference_encode(cube(), 64, most_patches=4)
    assert counts == {"original": 6, "removed": 2, "patches": 4}


def test_a_mesh_without_uvs_is_refused() -> None:
    with pytest.raises(OmagenError, match="has no UVs"):
        reference_encode(cube(uv=None), 64)
