"""Omages on disk: what is written comes back, what editors and strangers make of the files does no harm."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage import png
from omagen.omage.files import omage_files, read_omage, write_omage
from omagen.omage_layout import (
    ALBEDO_FILE,
    GEOMETRY_FILE,
    HEADER_FILE,
    METALNESS_FILE,
    PICTURE_FILES,
    ROUGHNESS_FILE,
    pack,
)
from omagen.protocol import ErrorCode, OmagenError
from PIL import Image
from sample_omages import assert_same, random_omage, read_files
from small_disk import needs_root, small_disk

PRECISION = {
    "position": 1.01 / 65535,
    "normal": 6e-5,
    "albedo": 1.2 / 255,
    "metalness": 0.51 / 255,
    "roughness": 0.51 / 255,
    "opacity": 0.51 / 255,
    "emission": 5 * 1.2 / 255,
}
"""Half a step of what the files hold: 16 bits for geometry and normals, 8 for the rest (sRGB steps grow with value)."""


@pytest.mark.parametrize("name", ["cup", "cup.omage", "cup.v2"])
def test_every_plane_and_all_side_data_come_back(tmp_path: Path, name: str) -> None:
    omage = random_omage()
    write_omage(omage, tmp_path / name)
    read, warnings = read_omage(tmp_path / name)
    assert warnings == ()
    assert_same(omage, read, **PRECISION)


def test_what_has_been_read_once_is_written_and_read_without_change() -> None:
    once, _ = read_files(omage_files(random_omage()))
    files = omage_files(once)
    twice, _ = read_files(files)
    assert_same(once, twice)
    assert omage_files(twice) == files


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(32, 70), st.sets(st.sampled_from(["chart", "seam", *PRECISION])))
def test_any_choice_of_planes_at_any_resolution_comes_back(seed: int, side: int, missing: set[str]) -> None:
    planes = dict.fromkeys(missing - {"position"})
    if "opacity" not in missing and "albedo" in missing:
        planes["opacity"] = None  # opacity needs a picture to lie in, and that then has colours too
    omage = random_omage(seed, side, **planes)
    read, warnings = read_files(omage_files(omage))
    assert warnings == []
    assert_same(omage, read, **PRECISION)


def test_the_header_file_stands_for_its_folder(tmp_path: Path) -> None:
    write_omage(random_omage(), tmp_path / "cup")
    assert_same(read_omage(tmp_path / "cup" / HEADER_FILE)[0], read_omage(tmp_path / "cup")[0])


def test_pictures_are_upright_and_of_the_documented_depth(tmp_path: Path) -> None:
    omage = random_omage()
    write_omage(omage, tmp_path / "cup")
    geometry = cv2.imread(str(tmp_path / "cup" / GEOMETRY_FILE), cv2.IMREAD_UNCHANGED)
    assert geometry is not None
    assert (geometry.dtype, geometry.shape) == (np.uint16, (32, 32, 4))
    np.testing.assert_array_equal(geometry[::-1, :, 3], omage.occupancy * 65535)
    red = np.round((omage.position[..., 0].astype(float) + 1) / 2 * 65535)
    np.testing.assert_allclose(geometry[::-1, :, 2][omage.occupancy], red[omage.occupancy], atol=1)
    modes = {name: Image.open(io.BytesIO(omage_files(omage)[name])).mode for name in PICTURE_FILES[2:]}
    assert modes == {ALBEDO_FILE: "RGBA", METALNESS_FILE: "L", ROUGHNESS_FILE: "L", "emission.png": "RGB"}


def test_an_upload_without_a_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    for suffix in (".omage", ".npz"):
        write_omage(random_omage(), tmp_path / f"cup{suffix}")
        (tmp_path / f"cup{suffix}").rename(tmp_path / ("a" * 64))
        assert read_omage(tmp_path / ("a" * 64))[0].resolution == 32


def refused(files: dict[str, bytes]) -> OmagenError:
    with pytest.raises(OmagenError) as refusal:
        read_files(files)
    assert refusal.value.code is ErrorCode.INPUT
    assert refusal.value.remedy
    return refusal.value


@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("file", PICTURE_FILES)
def test_truncated_pictures_are_refused(file: str, part: float) -> None:
    files = omage_files(random_omage())
    cut = files[file][: int(len(files[file]) * part)]
    assert file in refused(files | {file: cut}).message.lower()


def picture(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return png.SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 1), (4097, 4097), (0, 64)])
def test_sizes_beyond_the_limit_are_refused_before_decoding(size: tuple[int, int]) -> None:
    refused({GEOMETRY_FILE: picture(*size, bytes(100))})


@pytest.mark.parametrize("side", [31, 16])
def test_pictures_that_are_too_small_are_refused(side: int) -> None:
    refused({GEOMETRY_FILE: png.encode_png(np.full((side, side, 4), 65535, np.uint16))})


def test_a_picture_that_holds_fewer_pixels_than_it_says_is_refused() -> None:
    refused({GEOMETRY_FILE: picture(4096, 4096, bytes(100))})


def test_a_picture_in_very_many_pieces_is_refused() -> None:
    data = omage_files(random_omage())[GEOMETRY_FILE]
    empty = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert "pieces" in refused({GEOMETRY_FILE: data[:33] + empty * 2**17 + data[33:]}).message


def test_a_picture_that_unpacks_to_more_than_it_says_costs_no_memory() -> None:
    rows = np.full((64, 64 * 8 + 1), 255, np.uint8)
    rows[:, 0] = 0
    read, _ = read_files({GEOMETRY_FILE: picture(64, 64, rows.tobytes() + bytes(2**26))})
    assert read.occupancy.all()


def test_a_compressed_text_bomb_beside_the_pixels_is_not_unpacked() -> None:
    data = omage_files(random_omage())[GEOMETRY_FILE]
    bomb = b"note\0\0" + zlib.compress(bytes(2**26), 9)
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
    read_files({GEOMETRY_FILE: data[:33] + chunk + data[33:]})


@pytest.mark.parametrize("shape", [(32, 64, 4), (32, 32)], ids=["not square", "grey"])
def test_geometry_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    refused({GEOMETRY_FILE: png.encode_png(np.full(shape, 65535, np.uint16))})


def test_a_picture_with_nothing_in_it_is_refused() -> None:
    error = refused({GEOMETRY_FILE: png.encode_png(np.zeros((32, 32, 4), np.uint16))})
    assert "no occupied pixel" in error.message


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    refused({GEOMETRY_FILE: data})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    files = omage_files(random_omage())
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(OmagenError):
        read, _ = read_files(files | {name: bytes(content)})
        assert np.isfinite(read.position).all()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100)])
def test_files_that_are_no_omage_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cup.omage").write_bytes(content)
    with pytest.raises(OmagenError, match=r"cup\.omage"):
        read_omage(tmp_path / "cup.omage")


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.omage", tmp_path):
        with pytest.raises(OmagenError, match=r"no omage|no geometry"):
            read_omage(path)


def test_rewriting_a_folder_keeps_foreign_files_and_drops_maps_that_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "cup"
    write_omage(random_omage(), folder)
    (folder / "sketch.psd").write_bytes(b"mine")
    write_omage(random_omage(1, emission=None), folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [HEADER_FILE, "sketch.psd", *set(PICTURE_FILES) - {"emission.png"}]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["cup"]


@needs_root
@pytest.mark.parametrize("name", ["cup", "cup.omage", "cup.npz"])
def test_a_full_disk_is_an_error_that_leaves_the_old_omage(tmp_path: Path, name: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 1):
        write_omage(random_omage(), disk / name)
        before = read_omage(disk / name)[0]
        with pytest.raises(OmagenError, match="cannot be written") as refusal:
            write_omage(random_omage(resolution=512), disk / name)
        assert refusal.value.code is ErrorCode.ENVIRONMENT
        assert [path.name for path in disk.iterdir()] == [name]
        assert_same(read_omage(disk / name)[0], before)


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cup").write_bytes(b"mine")
    with pytest.raises(OmagenError, match="cannot be written"):
        write_omage(random_omage(), tmp_path / "cup")
    assert (tmp_path / "cup").read_bytes() == b"mine"


def test_the_archive_is_the_folder(tmp_path: Path) -> None:
    omage = random_omage()
    write_omage(omage, tmp_path / "cup.omage")
    assert (tmp_path / "cup.omage").read_bytes() == pack(omage_files(omage))


def test_a_name_that_is_not_valid_text_does_not_stop_writing() -> None:
    read, _ = read_files(omage_files(random_omage(name="cup \ud800")))
    assert read.name == "cup ?"
