"""Every malformed file gives one clear error, or what it holds, within two seconds and 500 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited through Linux's /proc")

MESH_ERRORS = {
    "glb_truncated.glb": "truncated",
    "glb_bad_magic.glb": "not a mesh file that is known",
    "glb_json_not_utf8.glb": "not UTF-8",
    "gltf_version_1.gltf": "version 1.0",
    "glb_accessor_overrun.glb": "accessors[0]",
    "glb_negative_count.glb": "count of accessors[1] is -6",
    "glb_index_out_of_range.glb": "a triangle uses vertex",
    "glb_nan_inf_vertices.glb": "no usable surface",
    "glb_all_nan.glb": "no usable surface",
    "glb_zero_triangles.glb": "no usable surface",
    "glb_no_mesh.glb": "no usable surface",
    "glb_points_only.glb": "no usable surface",
    "glb_zero_extent.glb": "no usable surface",
    "obj_empty.obj": "empty",
    "glb_huge_coordinates.glb": "coordinates go beyond",
    "glb_node_cycle.glb": "must be a tree",
    "glb_material_out_of_range.glb": "materials[7]",
    "gltf_uri_path_traversal.gltf": "outside its own folder",
    "gltf_uri_http.gltf": "nothing is fetched over a network",
    "gltf_missing_buffer.gltf": "which is not there",
    "unsupported_draco.gltf": "KHR_draco_mesh_compression",
    "unsupported_ktx2.glb": "KHR_texture_basisu",
    "unsupported_meshopt.glb": "EXT_meshopt_compression",
    "obj_bad_indices.obj": "Line 5",
    "obj_nan_and_words.obj": "Line 2",
    "ply_huge_count.ply": "shorter than its header states",
    "stl_huge_count.stl": "states 4,294,967,295 triangles",
}
MESHES_THAT_LOAD = {
    "glb_length_lies_2gb.glb": "",
    "glb_node_chain_20000.glb": "",
    "glb_corrupt_texture.glb": "texture is left out",
    "obj_mtl_traversal.obj": "outside its own folder",
}
PICTURE_ERRORS = {
    "png_bomb_50000x50000_1bit.png": "too large",
    "png_dims_lie_2e9.png": "too large",
    "png_ztxt_bomb_200mb.png": "damaged",
    "truncated.jpg": "truncated",
    "empty.png": "empty",
    "html_named.png": "not an image",
    "one_pixel.png": "too small",
    "wide_20000x1.png": "too elongated",
    "fully_transparent.png": "no object",
}
PICTURES_THAT_LOAD = {
    "gray16.png": "",
    "gray_alpha.png": "",
    "palette_transparent.png": "",
    "cmyk.jpg": "",
    "exif_rotated_6.jpg": "",
    "animated.webp": "first frame",
    "animated.gif": "first frame",
    "all_white.png": "",
    "png_named.jpg": "",
}
MESHES, PICTURES = MESH_ERRORS | MESHES_THAT_LOAD, PICTURE_ERRORS | PICTURES_THAT_LOAD


def _outcomes(kind: str, paths: list[Path]) -> dict[str, dict[str, Any]]:
    script = Path(__file__).with_name("hostile_reading.py")
    done = subprocess.run(
        [sys.executable, script, kind, *paths], capture_output=True, text=True, check=True, timeout=300
    )
    return {outcome["file"]: outcome for outcome in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def outcomes(assets: Path) -> dict[str, dict[str, Any]]:
    folder = assets / "malformed"
    pictures = _outcomes("picture", [folder / name for name in PICTURES])
    return pictures | _outcomes("mesh", [folder / name for name in MESHES])


def test_every_malformed_asset_has_an_expectation(assets: Path) -> None:
    assert {path.name for path in (assets / "malformed").iterdir()} == MESHES.keys() | PICTURES.keys()


@pytest.mark.parametrize("name", [*MESHES, *PICTURES])
def test_reading_survives_within_two_seconds_and_500_mb(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    assert "died" not in outcomes[name]
    assert outcomes[name]["seconds"] < 2  # of the processor, so a busy machine fails nothing


@pytest.mark.parametrize(("name", "reason"), [*MESH_ERRORS.items(), *PICTURE_ERRORS.items()])
def test_error_names_file_reason_and_remedy(outcomes: dict[str, dict[str, Any]], name: str, reason: str) -> None:
    error = outcomes[name]["error"]
    assert error["code"] == "input"
    assert name in error["message"] and reason in error["message"] and error["remedy"]


@pytest.mark.parametrize(("name", "warning"), [*MESHES_THAT_LOAD.items(), *PICTURES_THAT_LOAD.items()])
def test_readable_file_loads_and_warns_of_what_is_odd(
    outcomes: dict[str, dict[str, Any]], name: str, warning: str
) -> None:
    assert "error" not in outcomes[name]
    assert any(warning in text for text in outcomes[name]["warnings"]) if warning else not outcomes[name]["warnings"]


def test_odd_pictures_keep_the_colours_of_the_picture_they_were_made_from(outcomes: dict[str, dict[str, Any]]) -> None:
    mean = {name: outcome["mean"] for name, outcome in outcomes.items() if "mean" in outcome}
    for name in ("exif_rotated_6.jpg", "cmyk.jpg", "palette_transparent.png", "png_named.jpg", "animated.gif"):
        assert mean[name][:3] == pytest.approx([19, 13, 8], abs=1.5), name
    assert mean["gray16.png"][0] == pytest.approx(mean["gray_alpha.png"][0], abs=1)
    assert outcomes["palette_transparent.png"]["alpha"] and outcomes["gray_alpha.png"]["alpha"]


def test_stated_length_beyond_the_file_loads_the_real_bytes(outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes["glb_length_lies_2gb.glb"]["faces"] == 5856 * 2
