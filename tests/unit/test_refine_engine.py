"""The engine `refine` from request to result folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from omagen.engines.refine.engine import RefineEngine
from omagen.finish.writing import write_shape
from omagen.io.glb_writer import write_glb
from omagen.io.meshes import read_mesh
from omagen.protocol import ErrorCode, OmagenError, Request
from omagen.shapes import Material, Texture
from refine_shapes import grid, quiet, raised


class Silent:
    def __call__(self, stage: str, fraction: float) -> None: ...

    def warn(self, message: str) -> None:
        raise AssertionError(message)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A sheet whose own normal map leans to the right"""
    pixels = np.full((64, 64, 3), (160, 128, 245), np.uint8)
    pixels[:, 32:, 0] = 96
    write_glb(replace(grid(33), materials=(Material(normal_texture=Texture(pixels)),)), tmp_path / "sheet.glb", {})
    return tmp_path / "sheet.glb"


def _run(files: dict[str, Path], **parameters: bool | int | float | str) -> tuple[Any, dict[str, Any]]:
    engine = RefineEngine()
    engine.load("cpu")
    request = Request("refine", {key: str(path) for key, path in files.items()}, parameters)
    return engine.run(request.checked(engine.describe()), files, Silent())


def test_without_a_source_the_meshs_own_map_becomes_shape(sheet: Path) -> None:
    shape, report = _run({"mesh": sheet})
    assert np.ptp(shape.vertices[:, 2]) > 0.02 and report["refinement"]["moved_vertices"] > 500


def test_maps_become_files_of_the_result(sheet: Path, tmp_path: Path) -> None:
    shape, report = _run({"mesh": sheet}, output="maps", texture=64)
    write_shape(shape, tmp_path, {}, quiet)
    height = cv2.imread(str(tmp_path / "displacement.png"), cv2.IMREAD_UNCHANGED)
    assert height is not None and height.dtype == np.uint16
    assert report["refinement"]["displacement_scale_m"] > 0.02
    np.testing.assert_array_equal(read_mesh(tmp_path / "object.glb")[0].vertices, read_mesh(sheet)[0].vertices)


def test_a_finer_mesh_is_followed(sheet: Path, tmp_path: Path) -> None:
    hill = replace(grid(129), vertices=raised(grid(129)).astype(np.float32))
    write_glb(hill, tmp_path / "hill.glb", {})
    shape, _ = _run({"mesh": sheet, "detail": tmp_path / "hill.glb"})
    assert np.abs(shape.vertices - raised(grid(33))).mean() < 0.1 * raised(grid(33))[:, 2].mean()


def test_two_sources_are_refused(sheet: Path) -> None:
    with pytest.raises(OmagenError) as error:
        _run({"mesh": sheet, "detail": sheet, "normals": sheet})
    assert error.value.code is ErrorCode.INPUT
