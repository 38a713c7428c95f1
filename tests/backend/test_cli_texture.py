"""omagen texture as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omagen.commands.texture_work import read_cameras
from omagen.geometry.camera_json import camera_to_json
from omagen.geometry.cameras import view_from
from omagen.io.glb_writer import write_glb
from omagen.io.images import encode_png
from omagen.io.meshes import read_mesh
from omagen.omage.surface import sample_surface
from omagen.protocol import OmagenError
from omagen.shapes import Mesh
from sample_meshes import cube, rich_material

SMALL = ("--texture", "64", "--quiet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cube without UVs, one with UVs and a rich material, and red, half-cut-out and green pictures."""
    write_glb(Mesh(cube().vertices, cube().faces), tmp_path / "bare.glb", {})
    write_glb(cube(materials=(replace(rich_material(), alpha_mode="OPAQUE"),)), tmp_path / "rich.glb", {})
    red = np.zeros((64, 64, 4), np.uint8)
    red[8:56, 8:56] = (255, 0, 0, 255)
    (tmp_path / "red.png").write_bytes(encode_png(red))
    (tmp_path / "green.png").write_bytes(encode_png(np.full((64, 64, 3), (0, 255, 0), np.uint8)))
    return tmp_path


def omagen(folder: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    environment = {**os.environ, "OMAGEN_DATA": str(folder / "data"), "HOME": str(folder)}
    command = [sys.executable, "-m", "omagen", "texture", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=240)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout, done.stderr


def colors(path: Path) -> dict[str, np.ndarray]:
    """Mean base colour of the cube's front, back and right side."""
    mesh, warnings = read_mesh(path)
    assert not warnings
    face = np.arange(len(mesh.faces), dtype=np.int32)
    albedo = sample_surface(mesh, face, np.full((len(face), 2), 1 / 3, np.float32)).albedo
    middle = mesh.vertices[mesh.faces].mean(1)
    sides = {"front": middle[:, 2] > 0.4, "back": middle[:, 2] < -0.4, "right": middle[:, 0] > 0.4}
    return {side: albedo[chosen].mean(0) for side, chosen in sides.items()}


def test_a_picture_colors_a_mesh_without_uvs(folder: Path) -> None:
    out, _ = omagen(folder, "bare.glb", "--front", "red.png", "-o", "out.glb", *SMALL, "--json")
    report = json.loads(out)["result"]["report"]
    assert report["texturing"]["unwrap"]["state"] == "done"
    assert 0.05 < report["texturing"]["seen"] < 0.2
    mesh, _ = read_mesh(folder / "out.glb")
    (material,) = mesh.materials
    assert material.base_color_texture is not None
    assert material.base_color_texture.pixels.shape[:2] == (64, 64)
    found = colors(folder / "out.glb")
    for side in ("front", "back", "right"):
        assert np.abs(found[side] - (1, 0, 0)).max() < 0.05


def test_kept_uvs_and_maps_are_the_very_same(folder: Path) -> None:
    omagen(folder, "rich.glb", "--front", "red.png", "-o", "out.glb", "--uv", "keep", "--unseen", "keep", *SMALL)
    (before, _), (after, _) = read_mesh(folder / "rich.glb"), read_mesh(folder / "out.glb")
    for name in ("vertices", "faces", "uv", "normals"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    (old,), (new,) = before.materials, after.materials
    for name in ("metallic_roughness_texture", "normal_texture", "occlusion_texture", "emissive_texture"):
        assert np.array_equal(getattr(old, name).pixels, getattr(new, name).pixels)
    assert (old.metallic, old.roughness, old.emissive) == (new.metallic, new.roughness, new.emissive)


def test_pictures_with_cameras_are_shown_where_they_were_taken(folder: Path) -> None:
    cameras = []
    for picture, way in (("red.png", (0, 0, 1)), ("green.png", (1, 0, 0))):
        camera = camera_to_json(view_from(cube(), np.array(way, float)))
        cameras.append({"picture": picture, **camera})
    (folder / "cameras.json").write_text(json.dumps(cameras))
    omagen(folder, "rich.glb", "--cameras", "cameras.json", "-o", "out.glb", "--uv", "keep", *SMALL)
    found = colors(folder / "out.glb")
    assert np.abs(found["front"] - (1, 0, 0)).max() < 0.1
    assert np.abs(found["right"] - (0, 1, 0)).max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "There is no picture"),
        (["--front", "gone.png"], "gone.png"),
        (["--front", "red.png", "--sharpness", "nan"], "sharpness"),
        (["--front", "red.png", "-o", "out.obj"], "*.glb"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(folder: Path, arguments: list[str], word: str) -> None:
    arguments = ["rich.glb", "-o", "out.glb", *arguments] if "-o" not in arguments else ["rich.glb", *arguments]
    _, err = omagen(folder, *arguments, "--quiet", status=1 if "gone.png" in arguments else 2)
    assert word in err
    assert not (folder / "out.glb").exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "cannot be read"),
        ("front: red.png", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a list"),
        ("[{}]", "no picture"),
        ('[{"picture": 3}]', "no picture"),
        ('[{"picture": "gone.png", "kind": "perspective"}]', "gone.png"),
        ('[{"picture": "red.png", "kind": "perspective"}]', "camera"),
    ],
)
def test_files_of_cameras_that_make_no_sense_are_refused(folder: Path, text: str | None, word: str) -> None:
    path = folder / "cameras.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OmagenError, match=word):
        read_cameras(path)
