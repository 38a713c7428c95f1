"""`omagen refine` as a user runs it: a process, files in, files out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from omagen.geometry.camera_json import camera_to_json
from omagen.geometry.cameras import view_set
from omagen.io.glb_writer import write_glb
from omagen.io.images import encode_png
from omagen.io.meshes import read_mesh
from omagen.refine.normal_pictures import encode
from omagen.refine.views import render_normals
from omagen.shapes import Mesh
from refine_shapes import grid, sphere


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sheet, a normal map of waves, a ball, a finer ball with knobs and pictures of its normals"""
    write_glb(
        replace(grid(33), region=(grid(33).vertices[:, 0] < 0).astype(np.float32), numbered=True),
        tmp_path / "sheet.glb",
        {},
    )
    slope = 0.3 * np.cos(np.linspace(0, 25, 128))
    waves = np.stack([-slope, 0 * slope, np.ones(128)], axis=1)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    pixels = np.round(np.tile(waves, (128, 1, 1)) * 127.5 + 127.5).astype(np.uint8)
    (tmp_path / "waves.png").write_bytes(encode_png(pixels))
    write_glb(sphere(3), tmp_path / "ball.glb", {})
    fine = sphere(5)
    fine = Mesh((fine.vertices * (1 + 0.05 * np.sin(8 * fine.vertices[:, :1]))).astype(np.float32), fine.faces)
    write_glb(fine, tmp_path / "knobs.glb", {})
    (tmp_path / "views").mkdir()
    entries = []
    for number, view in enumerate(render_normals(fine, view_set(fine, 6), 128)):
        rgb = np.round(encode(view.normal, view.mask) * 255)
        rgba = np.dstack([rgb, view.mask * 255]).astype(np.uint8)
        (tmp_path / "views" / f"{number}.png").write_bytes(encode_png(rgba))
        entries.append(camera_to_json(view.camera) | {"picture": f"{number}.png"})
    (tmp_path / "views" / "views.json").write_text(json.dumps(entries))
    return tmp_path


def _refine(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omagen", "refine", *arguments, "--data", str(folder / "data")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=dict(os.environ))


def test_a_map_moves_the_region_and_nothing_else(folder: Path) -> None:
    done = _refine(folder, "sheet.glb", "--normals", "waves.png", "-o", "out/waves.glb", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["report"]["refinement"]["moved_vertices"] > 100
    before, after = (read_mesh(folder / name)[0] for name in ("sheet.glb", "out/waves.glb"))
    assert after.numbered
    outside = before.region == 0
    np.testing.assert_array_equal(after.vertices[outside], before.vertices[outside])
    assert np.ptp(after.vertices[~outside][:, 2]) > 0.005


@pytest.mark.parametrize("source", [("--detail", "knobs.glb"), ("--views", "views")], ids=lambda s: s[0])
def test_finer_meshes_and_views_give_their_shape(folder: Path, source: tuple[str, str]) -> None:
    done = _refine(folder, "ball.glb", *source, "-o", "out.glb")
    assert done.returncode == 0, done.stderr
    result = read_mesh(folder / "out.glb")[0]
    wanted = 1 + 0.05 * np.sin(8 * (result.vertices[:, 0] / np.linalg.norm(result.vertices, axis=1)))
    assert np.abs(np.linalg.norm(result.vertices, axis=1) - wanted).mean() < 0.012


def test_maps_are_written_beside_the_mesh(folder: Path) -> None:
    done = _refine(folder, "sheet.glb", "--normals", "waves.png", "--maps", "--texture", "128", "-o", "mapped.glb")
    assert done.returncode == 0, done.stderr
    before, after = (read_mesh(folder / name)[0] for name in ("sheet.glb", "mapped.glb"))
    np.testing.assert_array_equal(after.vertices, before.vertices)
    assert after.materials[0].normal_texture is not None
    height = cv2.imread(str(folder / "mapped.displacement.png"), cv2.IMREAD_UNCHANGED)
    assert height is not None and height.dtype == np.uint16 and height.shape == (128, 128)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ball.glb",),
        ("ball.glb", "--normals", "waves.png"),
        ("ball.glb", "--normals", "absent.png"),
        ("ball.glb", "--views", "absent"),
        ("sheet.glb", "--omage", "waves.png"),
        ("ball.glb", "--detail", "waves.png"),
        ("ball.glb", "--detail", "knobs.glb", "--views", "views"),
        ("ball.glb", "--detail", "knobs.glb", "--strength", "9"),
    ],
    ids=" ".join,
)
def test_impossible_orders_are_refused_with_words(folder: Path, arguments: tuple[str, ...]) -> None:
    done = _refine(folder, *arguments, "-o", "out.glb")
    assert done.returncode in (1, 2) and done.stderr.strip() and "Traceback" not in done.stderr
    assert not (folder / "out.glb").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1]", '[{"picture": "0.png"}]', "[" * 5000], ids=lambda c: c[:20])
def test_hostile_lists_of_views_are_refused(folder: Path, content: str) -> None:
    from omagen.protocol import OmagenError
    from omagen.refine.source_choice import read_views

    (folder / "views" / "views.json").write_text(content)
    with pytest.raises(OmagenError):
        read_views(folder / "views")
