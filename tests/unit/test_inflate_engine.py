"""The engines `inflate` and `cutout` as the worker runs them, from files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from inflated_shape import angles, check
from omagen.engines.cutout.engine import CutoutEngine
from omagen.engines.inflate.engine import InflateEngine
from omagen.protocol import EngineInfo, ErrorCode, OmagenError, Request
from omagen.shapes import Mesh, Picture


class Listener:
    def __init__(self, patience: int = 10**6) -> None:
        self.warnings: list[str] = []
        self._patience = patience

    def __call__(self, stage: str, fraction: float) -> None:
        self._patience -= 1
        if self._patience < 0:
            raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    """A green leaf on transparency, 96 x 128."""
    alpha = np.zeros((96, 128), np.uint8)
    cv2.ellipse(alpha, (64, 48), (50, 30), 20, 0, 360, 255, -1, cv2.LINE_AA)
    rgba = np.dstack([np.where(alpha > 0, value, 255 - value).astype(np.uint8) for value in (30, 160, 40)] + [alpha])
    path = tmp_path / "leaf.png"
    cv2.imwrite(str(path), rgba)
    return path


def inflate(path: Path, listener: Listener | None = None, **parameters: bool | int | float | str) -> Mesh:
    engine = InflateEngine()
    request = Request("inflate", {"image": "x"}, {"faces": 2000, **parameters}).checked(engine.describe())
    engine.load("cpu")
    return engine.run(request, {"image": path}, listener or Listener())


def cut(path: Path, mask: Path | None = None) -> Picture:
    engine = CutoutEngine()
    files = {"image": path} | ({"mask": mask} if mask else {})
    request = Request("cutout", dict.fromkeys(files, "x")).checked(engine.describe())
    return engine.run(request, files, Listener())


@pytest.mark.parametrize("engine", [InflateEngine(), CutoutEngine()])
def test_the_description_survives_json_and_its_defaults_are_valid(engine: InflateEngine | CutoutEngine) -> None:
    info = engine.describe()
    assert EngineInfo.from_json(info.to_json()) == info
    Request(info.id, {"image": "x"}).checked(info)
    assert all(parameter.description or parameter.choices for parameter in info.parameters)


def test_a_picture_becomes_a_textured_object(leaf: Path) -> None:
    mesh = inflate(leaf)
    (material,) = mesh.materials
    assert abs(len(mesh.faces) - 2000) <= 40
    assert material.base_color_texture and material.metallic_roughness_texture and material.normal_texture
    assert not material.double_sided


def test_no_texel_shows_the_background(leaf: Path) -> None:
    texture = inflate(leaf).materials[0].base_color_texture
    assert texture is not None
    assert np.abs(texture.pixels.astype(int) - [40, 160, 30]).max() <= 4


def test_the_texture_has_the_pictures_resolution_and_obeys_its_limit(tmp_path: Path) -> None:
    rgba = np.full((400, 300, 4), 255, np.uint8)
    rgba[:10, :, 3] = 0
    path = tmp_path / "sheet.png"
    cv2.imwrite(str(path), rgba)
    full, small = (inflate(path, texture_size=size).materials[0].base_color_texture for size in (4096, 256))
    assert full is not None and small is not None
    assert full.pixels.shape[0] >= 390 and full.pixels.shape[1] >= 600
    assert max(small.pixels.shape) <= 256


def test_roughness_and_metalness_are_as_set(leaf: Path) -> None:
    texture = inflate(leaf, roughness=0.3, metallic=1.0).materials[0].metallic_roughness_texture
    assert texture is not None
    assert np.abs(texture.pixels[..., 1] / 255 - 0.3).max() < 0.05
    assert (texture.pixels[..., 2] == 255).all()


def test_cancelling_is_heard_at_every_report(leaf: Path) -> None:
    for patience in (0, 5, 15, 30):
        with pytest.raises(OmagenError) as caught:
            inflate(leaf, Listener(patience))
        assert caught.value.code is ErrorCode.CANCELLED


def test_fewer_triangles_than_the_outline_needs_are_reported(tmp_path: Path) -> None:
    comb = np.zeros((400, 400, 4), np.uint8)
    comb[50:100, 20:380] = 255
    for column in range(24, 376, 8):
        comb[90:380, column : column + 3] = 255
    path = tmp_path / "comb.png"
    cv2.imwrite(str(path), comb)
    listener = Listener()
    mesh = inflate(path, listener, faces=500)
    assert str(len(mesh.faces)) in listener.warnings[0]


def test_a_cutout_keeps_the_size_and_hides_the_background(leaf: Path, tmp_path: Path) -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[40:60, 50:80] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    picture = cut(leaf, tmp_path / "mask.png")
    assert picture.has_alpha and picture.rgba.shape == (96, 128, 4)
    assert np.array_equal(picture.rgba[..., 3], mask)


@pytest.mark.parametrize("name", ["chair.png", "hamburger.png", "robot.png", "teapot.png", "truck.jpg"])
def test_real_pictures_are_inflated_without_slivers(assets: Path, name: str) -> None:
    mesh = inflate(assets / "images" / name, faces=20000)
    assert abs(len(mesh.faces) - 20000) <= 400
    check(mesh)
    assert angles(mesh).min() > 10


@pytest.mark.parametrize("name", ["all_white.png", "fully_transparent.png", "one_pixel.png", "wide_20000x1.png"])
def test_pictures_without_an_object_are_refused_with_a_remedy(assets: Path, name: str) -> None:
    for attempt in (inflate, cut):
        with pytest.raises(OmagenError) as caught:
            attempt(assets / "malformed" / name)
        assert caught.value.code is ErrorCode.INPUT and caught.value.remedy


def test_a_filled_back_has_the_outlines_colours_and_none_of_the_detail(tmp_path: Path) -> None:
    y, x = np.mgrid[:200, :200] - 99.5
    radius = np.hypot(x, y)
    rgba = np.dstack([np.where(radius < 40, value, 200 - value) for value in (200, 20, 20)] + [255 * (radius < 80)])
    path = tmp_path / "eye.png"
    cv2.imwrite(str(path), rgba.astype(np.uint8))
    mesh = inflate(path, back_picture="fill")
    texture = mesh.materials[0].base_color_texture
    assert texture is not None and mesh.uv is not None
    front, back = (texture.pixels[:, half] for half in (slice(0, 190), slice(190, None)))
    assert np.ptp(front[..., 2].astype(int)) > 150
    assert np.ptp(back[..., 2].astype(int)) < 12
