"""What counts as the object in a picture, and its colours without the background's."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from omagen.foreground import cut_out, cutout, network
from omagen.foreground.classical import segment
from omagen.foreground.color import fill, foreground_color
from omagen.foreground.matting import soften
from omagen.protocol import OmagenError
from omagen.shapes import Picture
from PIL import Image


class Listener:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert 0 <= fraction <= 1

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutout, "installed_network", lambda: None)


def disc(size: int = 200, radius: float = 60) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip(radius - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)


def photo(
    alpha: np.ndarray, front: tuple[int, ...] = (200, 40, 30), behind: tuple[int, ...] = (40, 60, 200)
) -> np.ndarray:
    return np.round(
        alpha[..., None] * np.array(front, np.float32) + (1 - alpha[..., None]) * np.array(behind, np.float32)
    ).astype(np.uint8)


def picture(rgb: np.ndarray, alpha: np.ndarray | None = None) -> Picture:
    opacity = np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else np.round(alpha * 255).astype(np.uint8)
    return Picture(np.dstack([rgb, opacity]), has_alpha=alpha is not None)


def test_opacity_of_the_file_is_taken_as_it_is() -> None:
    listener = Listener()
    result = cut_out(picture(photo(disc()), disc()), None, listener)
    np.testing.assert_allclose(result.alpha, disc(), atol=1 / 255)
    assert not result.mixed and not listener.warnings


def test_a_mask_wins_over_opacity_and_is_fitted() -> None:
    mask = np.zeros((100, 100), np.float32)
    mask[20:50, 30:60] = 1
    result = cut_out(picture(photo(disc()), disc()), mask, Listener())
    assert result.alpha.shape == (200, 200)
    assert result.alpha[60, 80] == pytest.approx(1) and result.alpha[100, 140] == pytest.approx(0)


def test_a_mask_of_other_proportions_is_reported() -> None:
    listener = Listener()
    cut_out(picture(photo(disc())), np.ones((50, 100), np.float32), listener)
    assert "proportions" in listener.warnings[0]


def test_without_a_network_the_user_is_told_that_the_outline_is_approximate() -> None:
    listener = Listener()
    result = cut_out(picture(photo(disc())), None, listener)
    assert "approximate" in listener.warnings[0]
    assert np.abs(result.alpha - disc()).mean() < 0.01


def test_a_network_is_used_where_one_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutout, "installed_network", lambda: lambda rgb, report: disc())
    listener = Listener()
    cut_out(picture(photo(disc())), None, listener)
    assert not listener.warnings


@pytest.fixture
def rembg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.SimpleNamespace:
    """A stand-in for rembg that finds `disc()`, and a catalogue that has the model u2net."""
    model = tmp_path / "u2net.onnx"
    monkeypatch.setattr(network.catalog, "find", lambda id: model if id == "u2net" else None)
    monkeypatch.setenv("U2NET_HOME", "")
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "")
    found = Image.fromarray(np.round(disc() * 255).astype(np.uint8))
    fake = types.SimpleNamespace(
        new_session=lambda name, providers: (name, os.environ["U2NET_HOME"]),
        remove=lambda image, session, only_mask: found if session == ("u2net", str(tmp_path)) else None,
    )
    monkeypatch.setitem(sys.modules, "rembg", fake)
    return fake


def test_the_network_reads_the_catalogues_file(rembg: types.SimpleNamespace) -> None:
    find = network.installed_network()
    assert find is not None
    np.testing.assert_allclose(find(photo(disc()), lambda _: None), disc(), atol=1 / 255)


def test_a_broken_model_is_an_error_that_names_it(rembg: types.SimpleNamespace) -> None:
    rembg.new_session = lambda name, providers: 1 / 0
    find = network.installed_network()
    assert find is not None
    with pytest.raises(OmagenError, match="u2net") as caught:
        find(photo(disc()), lambda _: None)
    assert caught.value.code == "model" and caught.value.remedy


def test_a_model_without_rembg_is_not_used(rembg: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    assert network.installed_network() is None


def test_segmentation_finds_an_object_before_a_cluttered_background() -> None:
    noise = np.random.default_rng(0).normal(0, 18, (200, 200, 3))
    rgb = np.clip(photo(disc(), (210, 190, 60), (60, 90, 70)) + noise, 0, 255).astype(np.uint8)
    found = segment(rgb, lambda _: None)
    overlap = np.minimum(found, disc()).sum() / np.maximum(found, disc()).sum()
    assert overlap > 0.93


def test_a_ring_on_a_plain_background_keeps_its_hole() -> None:
    alpha = np.minimum(disc(), 1 - disc(200, 30))
    found = segment(photo(alpha, behind=(128, 128, 128)), lambda _: None)
    assert found[100, 100] == 0 and found[100, 55] == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_colour_has_no_object(value: int) -> None:
    with pytest.raises(OmagenError) as caught:
        cut_out(picture(np.full((64, 64, 3), value, np.uint8)), None, Listener())
    assert caught.value.code == "input" and caught.value.remedy


@pytest.mark.parametrize(("rows", "columns", "words"), [(3, 3, "pixels"), (2, 190, "elongated"), (0, 0, "1 x 1")])
def test_an_object_without_a_shape_is_refused(rows: int, columns: int, words: str) -> None:
    alpha = np.zeros((200, 200), np.float32)
    alpha[50 : 50 + rows, 5 : 5 + columns] = 1
    alpha[0, 0] = 0.3
    with pytest.raises(OmagenError, match=words) as caught:
        cut_out(picture(photo(disc()), alpha), None, Listener())
    assert caught.value.remedy


def test_soft_edges_are_matted() -> None:
    y, x = np.mgrid[:200, :200] - 99.5
    alpha = np.clip((60 - np.hypot(x, y)) / 4 + 0.5, 0, 1).astype(np.float32)
    found = soften(photo(alpha), (alpha > 0.5).astype(np.float32))
    assert np.abs(found - alpha).max() < 0.25
    assert found[100, 100] == 1 and found[5, 5] == 0


def test_no_background_colour_remains_in_the_foreground() -> None:
    y, x = np.mgrid[:200, :200] - 99.5
    alpha = np.clip((60 - np.hypot(x, y)) / 5 + 0.5, 0, 1).astype(np.float32)
    color = foreground_color(photo(alpha), alpha, mixed=True)
    assert np.abs(color[alpha > 0.1].astype(int) - [200, 40, 30]).max() <= 12


def test_straight_colours_are_kept() -> None:
    alpha = disc()
    rgb = np.full((200, 200, 3), (200, 40, 30), np.uint8)
    rgb[alpha == 0] = 0
    assert np.abs(foreground_color(rgb, alpha, mixed=False)[alpha > 0.02].astype(int) - [200, 40, 30]).max() <= 3


def test_filling_continues_colours_and_keeps_what_is_there() -> None:
    rgb = np.zeros((700, 130, 3), np.uint8)
    rgb[300:340, 40:80] = (250, 120, 10)
    weight = np.zeros((700, 130), np.float32)
    weight[300:340, 40:80] = 1
    filled = fill(rgb, weight)
    assert np.abs(filled.astype(int) - [250, 120, 10]).max() <= 2
