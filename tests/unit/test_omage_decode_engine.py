"""The engine `decode` as the worker runs it, and omages as results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chart_pictures import side_by_side, sphere_charts
from omagen.engines import describe_engines
from omagen.engines.decode.engine import DecodeEngine
from omagen.finish.writing import write_shape
from omagen.geometry.quality import quality_report
from omagen.io.meshes import read_mesh
from omagen.omage.files import read_omage, write_omage
from omagen.protocol import ErrorCode, OmagenError, Request
from omagen.shapes import DecodedOmage, Mesh, Omage
from PIL import Image


class Listener:
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.fractions: list[float] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert stage
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def ball() -> Omage:
    picture = side_by_side(sphere_charts(20)).noisy(0.002)
    shown = picture.labels >= 0
    return Omage(picture.position, shown, picture.normal, np.full((*shown.shape, 3), 0.5, np.float32), name="ball")


def decoded(path: Path, listener: Listener, name: str = "", **parameters: Any) -> tuple[Any, dict[str, Any]]:
    engine = DecodeEngine()
    engine.load("cpu")
    request = Request("decode", {"omage": "x"}, parameters, name=name).checked(engine.describe())
    return engine.run(request, {"omage": path}, listener)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write_omage(ball(), tmp_path / "ball.omage")
    return (tmp_path / "ball.omage").rename(tmp_path / "0123abcd")  # uploaded files have no suffix


def test_encode_and_decode_are_installed_without_a_problem() -> None:
    engines = {engine.id: engine for engine in describe_engines()}
    assert engines["encode"].produces == "omage" and not engines["encode"].problem
    assert engines["decode"].produces == "mesh" and not engines["decode"].problem


def test_an_omage_without_side_data_is_closed(stored: Path) -> None:
    listener = Listener()
    mesh, report = decoded(stored, listener, name="ball 2")
    assert quality_report(mesh)["watertight"]
    assert mesh.name == "ball 2"
    assert report["decoding"]["seams"]["pairs"] > 0
    assert listener.fractions == sorted(listener.fractions) and listener.fractions[-1] == 1.0


def test_repairs_can_be_switched_off(stored: Path) -> None:
    mesh, report = decoded(stored, Listener(), close_seams=False, fill_holes=False, remove_outliers=False)
    assert quality_report(mesh)["components"] == 6
    assert "seams" not in report["decoding"]


@pytest.mark.parametrize("resolution", [1, 31])
def test_resolutions_that_no_omage_has_are_refused(resolution: int, stored: Path) -> None:
    with pytest.raises(OmagenError) as caught:
        decoded(stored, Listener(), resolution=resolution)
    assert caught.value.code is ErrorCode.INPUT and "32" in caught.value.remedy


def test_a_file_that_is_no_omage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(OmagenError) as caught:
        decoded(tmp_path / "noise", Listener())
    assert caught.value.code is ErrorCode.INPUT


def test_an_omage_becomes_a_result_with_a_preview_and_a_report(tmp_path: Path) -> None:
    report = write_shape(ball(), tmp_path, {}, lambda stage, fraction: None)
    again, _ = read_omage(tmp_path / "object.omage")
    assert again.resolution == ball().resolution and again.name == "ball"
    assert report["resolution"] == ball().resolution and report["charts"] == 6
    preview = np.asarray(Image.open(tmp_path / "preview.png"))
    assert preview.shape == (256, 256, 4) and 0.2 < (preview[..., 3] > 0).mean() < 0.9


def test_an_omage_without_a_surface_is_no_result(tmp_path: Path) -> None:
    empty = replace(ball(), occupancy=np.zeros_like(ball().occupancy))
    with pytest.raises(OmagenError) as caught:
        write_shape(empty, tmp_path, {}, lambda stage, fraction: None)
    assert caught.value.code is ErrorCode.GEOMETRY


def test_the_decoded_mesh_is_written_and_read_back(stored: Path, tmp_path: Path) -> None:
    mesh, _ = decoded(stored, Listener())
    write_shape(mesh, tmp_path, {}, lambda stage, fraction: None)
    read, warnings = read_mesh(tmp_path / "object.glb")
    assert warnings == () and len(read.faces) == len(mesh.faces)


def test_an_array_file_is_given_back_as_an_omage_to_edit(tmp_path: Path) -> None:
    write_omage(ball(), tmp_path / "ball.npz")
    path = (tmp_path / "ball.npz").rename(tmp_path / "0123abcd")
    shape, _ = decoded(path, Listener(), name="globe")
    assert isinstance(shape, DecodedOmage) and shape.mesh.name == shape.omage.name == "globe"
    report = write_shape(shape, tmp_path, {}, lambda stage, fraction: None)
    again, warnings = read_omage(tmp_path / "object.omage")
    assert warnings == () and report["triangles"] == len(shape.mesh.faces)
    np.testing.assert_array_equal(again.occupancy, ball().occupancy)
    assert (tmp_path / "object.glb").exists()


def test_pictures_that_had_to_be_converted_are_given_back(tmp_path: Path) -> None:
    write_omage(ball(), tmp_path / "ball")
    (tmp_path / "ball" / "omage.json").unlink()
    flat = Image.fromarray(np.uint8((ball().position[::-1] + 1) * 127.5) * ball().occupancy[::-1, :, None])
    flat.save(tmp_path / "ball" / "geometry.png")
    listener = Listener()
    shape, _ = decoded(tmp_path / "ball", listener)
    assert isinstance(shape, DecodedOmage) and len(listener.warnings) == 3
    write_omage(shape.omage, tmp_path / "again")
    again, warnings = read_omage(tmp_path / "again")
    assert warnings == ()
    np.testing.assert_array_equal(again.occupancy, shape.omage.occupancy)
    np.testing.assert_allclose(again.position[again.occupancy], shape.omage.position[again.occupancy], atol=1 / 65535)
    mesh = decoded(tmp_path / "again", Listener())[0]
    assert len(mesh.faces) == pytest.approx(len(shape.mesh.faces), rel=1e-3)  # ties between diagonals may fall anew
    with Image.open(tmp_path / "again" / "geometry.png") as written:
        assert written.mode == "RGBA"


def test_an_omage_as_omagen_writes_it_is_not_given_back(stored: Path) -> None:
    assert isinstance(decoded(stored, Listener())[0], Mesh)
