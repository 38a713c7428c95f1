"""Painted maps become the files that the backend reads; files are checked before Blender opens them."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

import io

import numpy as np
import pytest
from omagen.omage import png as backend_png
from omagen_extension.addon.scene import omage_files, png
from omagen_extension.addon.scene.omage_files import MapPixels, OmageFiles
from omagen_extension.backend.omagen import omage_layout
from omagen_extension.backend.omagen.protocol import OmagenError
from PIL import Image


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_of_8_bits_say_what_they_were_given(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, channels), np.uint8)
    strips = [pixels[:3], pixels[3:]]
    np.testing.assert_array_equal(opened(png.encode(strips, 7, 5)).reshape(pixels.shape), pixels)
    assert png.size(png.encode(strips, 7, 5)) == (5, 7)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_of_16_bits_say_what_they_were_given(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (32, 32, channels), np.uint16)
    found = backend_png.decode_png(png.encode([pixels], 32, 32), "x.png", 4096)
    np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)


def test_painted_values_are_rounded_and_kept_in_range() -> None:
    values = np.array([[[0.0, 1.0, 0.5, 1.0]], [[-1.0, 2.0, np.nan, 0.25]]], np.float32)
    data = MapPixels(values, 4, np.uint8).png()
    assert opened(data).tolist() == [[[0, 255, 0, 64]], [[0, 255, 128, 255]]]


@pytest.mark.parametrize(("given", "wanted"), [(1, 3), (1, 4), (3, 4), (4, 3), (4, 1), (3, 1)])
def test_images_with_other_channels_are_taken_as_they_look(given: int, wanted: int) -> None:
    values = np.full((2, 2, given), 0.2, np.float32)
    found = opened(MapPixels(values, wanted, np.uint8).png()).reshape(2, 2, wanted)
    assert (found[..., :3] == 51).all()
    if wanted == 4:
        assert (found[..., 3] == 255).all()


def geometry(width: int, height: int) -> bytes:
    return png.encode([np.zeros((height, width, 4), np.uint16)], height, width)


def test_files_survive_packing() -> None:
    header = omage_layout.Header(32, name="chair")
    painted = MapPixels(np.full((32, 32, 4), 0.5, np.float32), 4, np.uint16)
    packed = OmageFiles(header, {"geometry.png": painted, "albedo.png": geometry(32, 32)}).packed()
    found, maps = omage_files.read_files(packed)
    assert found == header
    assert set(maps) == {"geometry.png", "albedo.png"}


def test_without_a_header_the_geometry_says_the_resolution() -> None:
    header, _ = omage_files.checked({"geometry.png": geometry(64, 64)})
    assert header.resolution == 64


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"geometry.png": b"GIF89a"}, "no PNG"),
        ({"geometry.png": geometry(64, 32)}, "not a square"),
        ({"geometry.png": geometry(64, 64), "normal.png": geometry(5000, 1)}, "5000"),
        ({"geometry.png": geometry(64, 64), "omage.json": b"{}"}, "omage"),
    ],
)
def test_files_that_blender_should_not_open_are_refused(files: dict[str, bytes], problem: str) -> None:
    with pytest.raises(OmagenError, match=problem):
        omage_files.checked(files)
