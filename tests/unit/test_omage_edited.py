"""Pictures of an omage as other programs leave them: whatever still makes sense is understood."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from omagen.omage import png
from omagen.omage.files import omage_files
from omagen.omage_layout import (
    ALBEDO_FILE,
    GEOMETRY_FILE,
    HEADER_FILE,
    METALNESS_FILE,
    NORMAL_FILE,
    PICTURE_FILES,
    ROUGHNESS_FILE,
)
from PIL import Image
from sample_omages import assert_same, random_omage, read_files


def pillow_png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, "PNG")
    return buffer.getvalue()


def cv2_png(pixels: np.ndarray) -> bytes:
    """As other programs write: filters chosen row by row."""
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(pixels.shape[2] if pixels.ndim == 3 else 0)
    data = cv2.imencode(".png", pixels if order is None else pixels[..., order], [cv2.IMWRITE_PNG_FILTER, 248])[1]
    return data.tobytes()


def test_geometry_alone_is_an_omage() -> None:
    omage = random_omage()
    read, warnings = read_files({GEOMETRY_FILE: omage_files(omage)[GEOMETRY_FILE]})
    np.testing.assert_allclose(read.position[omage.occupancy], omage.position[omage.occupancy], atol=1 / 65535)
    assert read.albedo is None and read.chart is None
    assert HEADER_FILE in warnings[0]


@pytest.mark.parametrize("file", PICTURE_FILES)
def test_pictures_saved_by_another_program_are_the_same(file: str) -> None:
    files = omage_files(random_omage())
    pixels = png.decode_png(files[file], file, 4096)
    resaved = cv2_png(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    assert resaved != files[file]
    assert_same(read_files(files)[0], read_files(files | {file: resaved})[0])


def test_eight_bit_geometry_is_read_with_a_warning() -> None:
    omage = random_omage()
    files = omage_files(omage)
    pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
    read, warnings = read_files(files | {GEOMETRY_FILE: pillow_png((pixels >> 8).astype(np.uint8))})
    assert "8 bits" in warnings[0]
    np.testing.assert_array_equal(read.occupancy, omage.occupancy)
    np.testing.assert_allclose(read.position[omage.occupancy], omage.position[omage.occupancy], atol=0.01)


@pytest.mark.parametrize("opaque", [True, False], ids=["alpha filled", "no alpha"])
def test_where_transparency_is_lost_black_is_empty(opaque: bool) -> None:
    omage = random_omage()
    files = omage_files(omage)
    pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
    pixels = np.dstack([pixels[..., :3], np.full((32, 32), 65535, np.uint16)]) if opaque else pixels[..., :3]
    read, warnings = read_files(files | {GEOMETRY_FILE: png.encode_png(pixels)})
    np.testing.assert_array_equal(read.occupancy, omage.occupancy)
    assert "no transparency" in warnings[0]


def test_soft_edges_count_as_occupied_from_one_half() -> None:
    files = omage_files(random_omage())
    pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
    pixels[5, 5:9, 3] = (0, 32767, 32768, 65535)
    read, _ = read_files(files | {GEOMETRY_FILE: png.encode_png(pixels)})
    np.testing.assert_array_equal(read.occupancy[31 - 5, 5:9], [False, False, True, True])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
def test_maps_are_read_in_any_colour_mode(mode: str) -> None:
    grey = np.where(np.arange(32 * 32).reshape(32, 32) % 3 == 0, np.uint8(255), np.uint8(0))
    files = omage_files(random_omage()) | {ROUGHNESS_FILE: pillow_png(grey, mode)}
    read, _ = read_files(files)
    np.testing.assert_array_equal(read.roughness, grey[::-1] / np.float32(255))


def test_colours_where_grey_is_expected_are_averaged_with_a_warning() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    read, warnings = read_files(omage_files(random_omage()) | {ROUGHNESS_FILE: pillow_png(red)})
    assert "grey is expected" in warnings[0]
    np.testing.assert_allclose(read.roughness, 1 / 3, atol=1e-6)


def test_a_sixteen_bit_map_is_scaled_not_cut() -> None:
    pixels = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
    read, _ = read_files(omage_files(random_omage()) | {METALNESS_FILE: cv2_png(pixels)})
    np.testing.assert_allclose(read.metalness, pixels[::-1] / 65535, atol=1e-6)


def test_a_grey_albedo_becomes_a_colour() -> None:
    read, _ = read_files(omage_files(random_omage()) | {ALBEDO_FILE: pillow_png(np.full((32, 32), 255, np.uint8))})
    np.testing.assert_array_equal(read.albedo, np.ones((32, 32, 3), np.float32))
    assert read.opacity is None


@pytest.mark.parametrize("side", [16, 100])
def test_a_map_of_another_size_is_resampled_in_linear_light_with_a_warning(side: int) -> None:
    board = np.indices((side, side)).sum(axis=0) % 2 * np.uint8(255)
    files = omage_files(random_omage(opacity=None)) | {ALBEDO_FILE: pillow_png(board.astype(np.uint8), "RGB")}
    read, warnings = read_files(files)
    assert f"{side} x {side}" in warnings[0]
    assert read.albedo.mean() == pytest.approx(0.5, abs=0.01)  # in sRGB the mean would be 0.21


def test_resampled_normals_have_unit_length() -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (50, 50, 3), np.uint16)
    read, _ = read_files(omage_files(random_omage()) | {NORMAL_FILE: png.encode_png(picture)})
    np.testing.assert_allclose(np.linalg.norm(read.normal, axis=2), 1, atol=1e-5)


def test_side_data_of_another_size_is_dropped_with_a_warning() -> None:
    files = omage_files(random_omage(resolution=64)) | {
        GEOMETRY_FILE: omage_files(random_omage(resolution=32))[GEOMETRY_FILE]
    }
    read, warnings = read_files(files)
    assert read.chart is None and read.seam is None
    assert any("dropped" in warning for warning in warnings)


@pytest.mark.parametrize("text", ["?", "AAAA", "eJxjYGBgAAAABAAB", "eJwDAAAAAAE="])
@pytest.mark.parametrize("field", ["charts", "seams"])
def test_damaged_side_data_is_dropped_with_a_warning(field: str, text: str) -> None:
    files = omage_files(random_omage())
    header = json.loads(files[HEADER_FILE])
    read, warnings = read_files(files | {HEADER_FILE: json.dumps(header | {field: text}).encode()})
    if field == "seams" and text == "eJwDAAAAAAE=":
        assert (read.seam == -1).all()  # no pairs: a valid text that names no pixel
        return
    assert read.chart is None and read.seam is None
    assert "damaged" in warnings[0]


def test_painted_pixels_join_the_chart_they_touch_and_islands_become_charts() -> None:
    omage = random_omage()
    occupancy = omage.occupancy.copy()
    occupancy[15, 3:10] = True  # beside chart 0
    occupancy[5:8, 24:28] = True  # on its own
    occupancy[5, 5] = False
    files = omage_files(omage) | {
        GEOMETRY_FILE: omage_files(replace(omage, occupancy=occupancy, chart=None))[GEOMETRY_FILE]
    }
    read, warnings = read_files(files)
    assert warnings == []
    assert (read.chart[15, 3:10] == 0).all()
    assert (read.chart[5:8, 24:28] == read.chart[5, 24]).all() and read.chart[5, 24] > 1
    np.testing.assert_array_equal(read.chart >= 0, occupancy)
    untouched = omage.occupancy & occupancy
    assert omage.chart is not None
    np.testing.assert_array_equal(read.chart[untouched], omage.chart[untouched])
