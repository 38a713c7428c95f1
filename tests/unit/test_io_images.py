"""Pictures and masks become what the user saw, and PNG files hold what was put in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from omagen.io import decoding
from omagen.io.images import encode_png, read_mask, read_picture
from omagen.protocol import OmagenError
from PIL import Image, ImageCms


@pytest.fixture
def gradient() -> np.ndarray:
    """(40, 64, 3) uint8; every pixel differs from its mirror images."""
    y, x = np.mgrid[:40, :64]
    return np.stack([x * 3, y * 5, np.full_like(x, 60)], axis=2).astype(np.uint8)


def _saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


@given(
    st.sampled_from([(), (3,), (4,)]).flatmap(
        lambda channels: arrays.arrays(
            st.sampled_from([np.uint8, np.uint16]),
            st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda s: s + channels),
        )
    )
)
def test_png_holds_exactly_the_pixels(pixels: np.ndarray) -> None:
    decoded = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    if pixels.ndim == 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    assert decoded.dtype == pixels.dtype and np.array_equal(decoded, pixels)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_png_refuses_other_shapes_and_types(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must"):
        encode_png(pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_camera_rotation_is_undone(gradient: np.ndarray, tmp_path: Path, orientation: int) -> None:
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # Image.Transpose values that turn the upright picture into the stored
    stored = Image.fromarray(gradient)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = _saved(stored, tmp_path / "photo.png", exif=exif)
    assert np.array_equal(read_picture(path).rgba[..., :3], gradient)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    picture = read_picture(_saved(Image.fromarray(grey), tmp_path / "deep.png"))
    assert np.abs(picture.rgba[..., 0] - grey / 257).max() <= 0.5


def test_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    image = Image.new("LAB", (32, 32), (128, 128 + 60, 128 + 20))
    path = _saved(image, tmp_path / "lab.tif", icc_profile=lab.tobytes())
    red, green, _, _ = read_picture(path).rgba[0, 0].tolist()
    assert red > 150 and green < 120


@pytest.mark.parametrize("mode", ["F", "I"])
def test_picture_with_32_bit_pixels_is_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(OmagenError, match="32-bit pixels"):
        read_picture(_saved(Image.new(mode, (32, 32)), tmp_path / "deep.tif"))


def test_unusable_colour_profile_is_a_warning(gradient: np.ndarray, tmp_path: Path) -> None:
    path = _saved(Image.fromarray(gradient), tmp_path / "odd.png", icc_profile=b"not a profile")
    picture = read_picture(path)
    assert np.array_equal(picture.rgba[..., :3], gradient)
    assert "colour profile" in picture.warnings[0]


def test_large_picture_is_scaled_down_with_a_warning(tmp_path: Path) -> None:
    picture = read_picture(_saved(Image.new("RGB", (5000, 300), "red"), tmp_path / "wide.png"))
    assert picture.rgba.shape == (150, 2500, 4)
    assert "5000 x 300" in picture.warnings[0]


def test_scaling_does_not_bleed_the_colour_of_transparent_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((300, 5000, 4), np.uint8)
    pixels[:, 1::2] = (200, 100, 50, 255)
    picture = read_picture(_saved(Image.fromarray(pixels), tmp_path / "stripes.png"))
    assert np.abs(picture.rgba[..., :3].astype(int) - [200, 100, 50]).max() <= 2
    assert np.abs(picture.rgba[..., 3].astype(int) - 128).max() <= 1


def test_webp_is_refused_before_its_decoder_takes_a_gigabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS_COSTLY", 1000)
    with pytest.raises(OmagenError, match="too large"):
        read_picture(_saved(Image.new("RGB", (64, 64), "red"), tmp_path / "large.webp"))
    read_picture(_saved(Image.new("RGB", (64, 64), "red"), tmp_path / "large.png"))


def test_upload_is_not_named_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 64)
    path.write_bytes(b"nonsense")
    with pytest.raises(OmagenError, match=r"^The picture is damaged"):
        read_picture(path)


def test_mask_is_brightness_times_opacity(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:16] = (255, 255, 255, 255)
    pixels[:8, :, 3] = 51
    mask = read_mask(_saved(Image.fromarray(pixels), tmp_path / "mask.png"))
    assert mask.dtype == np.float32
    assert [mask[0, 0], mask[12, 0], mask[20, 0]] == pytest.approx([0.2, 1, 0])


def test_black_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmagenError, match="no object in the mask"):
        read_mask(_saved(Image.new("L", (32, 32)), tmp_path / "mask.png"))


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), st.integers(0, 400))
def test_damaged_picture_gives_pixels_or_an_error(noise: bytes, kind: str, place: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (24, 24), "teal").save(file, kind)
    data = bytearray(file.getvalue())
    data[place : place + len(noise)] = noise
    try:
        decoded = decoding.decode_image(bytes(data), "the picture", photo=True)
    except OmagenError:
        return
    assert decoded.rgba.dtype == np.uint8 and decoded.rgba.shape[2] == 4
