"""The engine `mesh` brings files in cleaned, tells what it dropped, and keeps what a file looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omagen.engines.mesh.engine import MeshEngine
from omagen.geometry.quality import quality_report
from omagen.io.glb_writer import write_glb
from omagen.protocol import OmagenError, Request
from omagen.shapes import Mesh
from sample_meshes import cube, rich_material


class Listener:
    """Takes an engine's progress and keeps it."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert stage
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def _run(path: Path, name: str = "", **parameters: Any) -> tuple[Mesh, Listener]:
    engine, listener = MeshEngine(), Listener()
    request = Request("mesh", {"mesh": "0" * 64}, parameters, name=name).checked(engine.describe())
    engine.load("cpu")
    return engine.run(request, {"mesh": path}, listener), listener


def test_description_is_cheap_and_survives_json() -> None:
    info = MeshEngine().describe()
    assert type(info).from_json(info.to_json()) == info


def test_seams_are_joined_and_uv_normals_and_materials_stay(assets: Path) -> None:
    mesh, listener = _run(assets / "meshes" / "water_bottle_pbr.glb")
    report = quality_report(mesh)
    assert report["triangles"] == 4510 and report["vertices"] < 2549
    assert mesh.uv is not None and mesh.normals is not None
    material = mesh.materials[0]
    assert material.normal_texture is not None and material.base_color_texture is not None
    assert listener.fractions == sorted(listener.fractions) and listener.fractions[-1] == 1
    assert listener.warnings == []


def test_broken_and_repeated_faces_are_dropped_and_counted(assets: Path) -> None:
    mesh, listener = _run(assets / "meshes" / "degenerate_tiny_far.glb")
    report = quality_report(mesh)
    assert report["degenerate_faces"] == 0 and report["vertices"] == len(mesh.vertices)
    assert any("without area" in text for text in listener.warnings)
    assert any("there twice" in text for text in listener.warnings)


def test_nothing_is_joined_or_dropped_when_told_so(assets: Path) -> None:
    mesh, listener = _run(assets / "meshes" / "degenerate_tiny_far.glb", weld=False, drop_degenerate=False)
    assert len(mesh.faces) == 3122 and listener.warnings == []


def test_the_back_of_a_two_sided_sheet_is_not_a_duplicate(tmp_path: Path) -> None:
    front = cube(uv=None, normals=None)
    write_glb(cube(faces=np.vstack([front.faces, front.faces[:, ::-1]]), uv=None, normals=None), tmp_path / "a.glb", {})
    assert len(_run(tmp_path / "a.glb")[0].faces) == 24


def test_an_own_result_comes_back_unchanged(tmp_path: Path) -> None:
    write_glb(cube(materials=(rich_material(),)), tmp_path / "a.glb", {})
    mesh, _ = _run(tmp_path / "a.glb")
    assert np.array_equal(mesh.faces, cube().faces) and np.array_equal(mesh.vertices, cube().vertices)
    assert mesh.name == "cube" and _run(tmp_path / "a.glb", name="crate")[0].name == "crate"


def test_file_without_surface_is_an_error_for_the_user(tmp_path: Path) -> None:
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    with pytest.raises(OmagenError, match="no usable surface"):
        _run(tmp_path / "flat.obj")
