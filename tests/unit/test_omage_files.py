"""Omages on disk: what is written comes back, what editors and strangers make of the files does no harm."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage import png
from omagen.omage.files import omage_files, omage_of_files, read_omage, write_omage
from omagen.omage_layout import (
    ALBEDO_FILE,
    GEOMETRY_FILE,
    HEADER_FILE,
    METALNESS_FILE,
    NORMAL_FILE,
    PICTURE_FILES,
    ROUGHNESS_FILE,
    pack,
)
from omagen.protocol import ErrorCode, OmagenError
from PIL import Image
from sample_omages import assert_same, random_omage
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


def read_files(files: dict[str, bytes]) -> tuple[Any, list[str]]:
    warnings: list[str] = []
    return omage_of_files(files, warnings), warnings


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


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["cup", "cup.omage", "cup.v2"])
    def test_every_plane_and_all_side_data_come_back(self, tmp_path: Path, name: str) -> None:
        omage = random_omage()
        write_omage(omage, tmp_path / name)
        read, warnings = read_omage(tmp_path / name)
        assert warnings == ()
        assert_same(omage, read, **PRECISION)

    def test_what_has_been_read_once_is_written_and_read_without_change(self) -> None:
        once, _ = read_files(omage_files(random_omage()))
        files = omage_files(once)
        twice, _ = read_files(files)
        assert_same(once, twice)
        assert omage_files(twice) == files

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**31), st.integers(32, 70), st.sets(st.sampled_from(["chart", "seam", *PRECISION])))
    def test_any_choice_of_planes_at_any_resolution_comes_back(self, seed: int, side: int, missing: set[str]) -> None:
        planes = dict.fromkeys(missing - {"position"})
        if "opacity" not in missing and "albedo" in missing:
            planes["opacity"] = None  # opacity needs a picture to lie in, and that then has colours too
        omage = random_omage(seed, side, **planes)
        read, warnings = read_files(omage_files(omage))
        assert warnings == []
        assert_same(omage, read, **PRECISION)

    def test_the_header_file_stands_for_its_folder(self, tmp_path: Path) -> None:
        write_omage(random_omage(), tmp_path / "cup")
        assert_same(read_omage(tmp_path / "cup" / HEADER_FILE)[0], read_omage(tmp_path / "cup")[0])

    def test_pictures_are_upright_and_of_the_documented_depth(self, tmp_path: Path) -> None:
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

    def test_an_upload_without_a_suffix_is_told_by_its_content(self, tmp_path: Path) -> None:
        for suffix in (".omage", ".npz"):
            write_omage(random_omage(), tmp_path / f"cup{suffix}")
            (tmp_path / f"cup{suffix}").rename(tmp_path / ("a" * 64))
            assert read_omage(tmp_path / ("a" * 64))[0].resolution == 32


class TestArrayFile:
    def published(self, seed: int = 0, side: int = 32, channels: int = 12) -> np.ndarray:
        array = np.random.default_rng(seed).integers(0, 65536, (side, side, channels), np.uint16)
        array[..., 3] = np.where(array[..., 3] > 20000, 65535, 0)
        return array

    def write(self, path: Path, array: np.ndarray) -> Path:
        np.savez_compressed(path, array)
        return path

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**31), st.integers(32, 70))
    def test_published_data_comes_back_exactly(self, seed: int, side: int) -> None:
        from tempfile import TemporaryDirectory

        array = self.published(seed, side)
        with TemporaryDirectory() as folder:
            path = self.write(Path(folder) / "in.npz", array)
            omage, warnings = read_omage(path)
            write_omage(omage, Path(folder) / "out.npz")
            with np.load(Path(folder) / "out.npz") as out:
                assert list(out) == ["arr_0"]
                np.testing.assert_array_equal(out["arr_0"], array)
        assert warnings == ()

    def test_channels_and_rows_are_where_the_published_layout_has_them(self, tmp_path: Path) -> None:
        array = self.published()
        omage, _ = read_omage(self.write(tmp_path / "cup.npz", array))
        unit = array / 65535
        np.testing.assert_allclose(omage.position, unit[..., :3] * 2 - 1, atol=1e-6)
        np.testing.assert_array_equal(omage.occupancy, unit[..., 3] > 0.5)
        assert omage.normal is not None and omage.albedo is not None
        np.testing.assert_allclose(omage.normal, unit[..., 4:7] * 2 - 1, atol=1e-6)
        np.testing.assert_allclose(omage.albedo, unit[..., 7:10], atol=1e-6)
        assert omage.name == "cup"

    @pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8", ">u2"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_other_number_types_and_orders_are_read(self, tmp_path: Path, kind: str, order: Any) -> None:
        array = self.published()
        values = array / 65535 if "f" in kind else array
        path = self.write(tmp_path / "cup.npz", np.asarray(values, kind, order=order))
        tolerance = 2e-3 if kind == "<f2" else 2e-6
        np.testing.assert_allclose(read_omage(path)[0].position, array[..., :3] / 65535 * 2 - 1, atol=tolerance)

    @pytest.mark.parametrize("channels", [4, 9])
    def test_geometry_alone_and_geometry_with_material_are_read_and_kept(self, tmp_path: Path, channels: int) -> None:
        array = self.published(channels=channels)
        omage, _ = read_omage(self.write(tmp_path / "cup.npz", array))
        assert omage.normal is None
        assert (omage.albedo is None) == (channels == 4)
        write_omage(omage, tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz") as file:
            out = file["arr_0"]
        np.testing.assert_array_equal(out[..., :4], array[..., :4])
        assert out.shape[2] == (4 if channels == 4 else 12)
        if channels == 9:
            np.testing.assert_array_equal(out[..., 7:], array[..., 4:])

    def test_eight_bits_are_read_with_a_warning(self, tmp_path: Path) -> None:
        omage, warnings = read_omage(self.write(tmp_path / "cup.npz", (self.published() >> 8).astype(np.uint8)))
        assert omage.occupancy.any()
        assert "8 bits" in warnings[0]

    def test_pickles_are_never_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "cup.npz"
        np.savez(path, np.array([{"a": 1}], object))
        with pytest.raises(OmagenError, match="pickled"):
            read_omage(path)

    @pytest.mark.parametrize(
        ("shape", "kind"),
        [((32, 32), "u2"), ((32, 33, 12), "u2"), ((32, 32, 7), "u2"), ((8, 8, 12), "u2"), ((32, 32, 12), "i8")],
    )
    def test_other_layouts_are_refused(self, tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
        with pytest.raises(OmagenError, match=r"shape|type"):
            read_omage(self.write(tmp_path / "cup.npz", np.ones(shape, kind)))

    @pytest.mark.parametrize("value", [-1.0, 2.0, np.nan, np.inf])
    def test_values_outside_the_range_are_refused(self, tmp_path: Path, value: float) -> None:
        array = (self.published() / 65535).astype(np.float32)
        array[5, 5, 0] = value
        with pytest.raises(OmagenError, match="outside 0 to 1"):
            read_omage(self.write(tmp_path / "cup.npz", array))

    def test_a_header_that_promises_more_than_the_file_holds_is_refused(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": "<u2", "fortran_order": False, "shape": (4096, 4096, 12)}
        )
        with zipfile.ZipFile(tmp_path / "cup.npz", "w") as file:
            file.writestr("arr_0.npy", buffer.getvalue() + b"\xff" * 1000)
        with pytest.raises(OmagenError, match="fewer values"):
            read_omage(tmp_path / "cup.npz")

    def test_an_empty_picture_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OmagenError, match="no occupied pixel"):
            read_omage(self.write(tmp_path / "cup.npz", np.zeros((32, 32, 12), np.uint16)))

    def test_several_arrays_of_other_names_are_refused(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "cup.npz", a=self.published(), b=self.published())
        with pytest.raises(OmagenError, match="arr_0"):
            read_omage(tmp_path / "cup.npz")


class TestEditedPictures:
    def test_geometry_alone_is_an_omage(self) -> None:
        omage = random_omage()
        read, warnings = read_files({GEOMETRY_FILE: omage_files(omage)[GEOMETRY_FILE]})
        np.testing.assert_allclose(read.position[omage.occupancy], omage.position[omage.occupancy], atol=1 / 65535)
        assert read.albedo is None and read.chart is None
        assert HEADER_FILE in warnings[0]

    @pytest.mark.parametrize("file", PICTURE_FILES)
    def test_pictures_saved_by_another_program_are_the_same(self, file: str) -> None:
        files = omage_files(random_omage())
        pixels = png.decode_png(files[file], file, 4096)
        resaved = cv2_png(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        assert resaved != files[file]
        assert_same(read_files(files)[0], read_files(files | {file: resaved})[0])

    def test_eight_bit_geometry_is_read_with_a_warning(self) -> None:
        omage = random_omage()
        files = omage_files(omage)
        pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
        read, warnings = read_files(files | {GEOMETRY_FILE: pillow_png((pixels >> 8).astype(np.uint8))})
        assert "8 bits" in warnings[0]
        np.testing.assert_array_equal(read.occupancy, omage.occupancy)
        np.testing.assert_allclose(read.position[omage.occupancy], omage.position[omage.occupancy], atol=0.01)

    @pytest.mark.parametrize("opaque", [True, False], ids=["alpha filled", "no alpha"])
    def test_where_transparency_is_lost_black_is_empty(self, opaque: bool) -> None:
        omage = random_omage()
        files = omage_files(omage)
        pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
        pixels = np.dstack([pixels[..., :3], np.full((32, 32), 65535, np.uint16)]) if opaque else pixels[..., :3]
        read, warnings = read_files(files | {GEOMETRY_FILE: png.encode_png(pixels)})
        np.testing.assert_array_equal(read.occupancy, omage.occupancy)
        assert "no transparency" in warnings[0]

    def test_soft_edges_count_as_occupied_from_one_half(self) -> None:
        files = omage_files(random_omage())
        pixels = png.decode_png(files[GEOMETRY_FILE], GEOMETRY_FILE, 4096)
        pixels[5, 5:9, 3] = (0, 32767, 32768, 65535)
        read, _ = read_files(files | {GEOMETRY_FILE: png.encode_png(pixels)})
        np.testing.assert_array_equal(read.occupancy[31 - 5, 5:9], [False, False, True, True])

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
    def test_maps_are_read_in_any_colour_mode(self, mode: str) -> None:
        grey = np.where(np.arange(32 * 32).reshape(32, 32) % 3 == 0, np.uint8(255), np.uint8(0))
        files = omage_files(random_omage()) | {ROUGHNESS_FILE: pillow_png(grey, mode)}
        read, _ = read_files(files)
        np.testing.assert_array_equal(read.roughness, grey[::-1] / np.float32(255))

    def test_a_sixteen_bit_map_is_scaled_not_cut(self) -> None:
        pixels = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
        read, _ = read_files(omage_files(random_omage()) | {METALNESS_FILE: cv2_png(pixels)})
        np.testing.assert_allclose(read.metalness, pixels[::-1] / 65535, atol=1e-6)

    def test_a_grey_albedo_becomes_a_colour(self) -> None:
        read, _ = read_files(omage_files(random_omage()) | {ALBEDO_FILE: pillow_png(np.full((32, 32), 255, np.uint8))})
        np.testing.assert_array_equal(read.albedo, np.ones((32, 32, 3), np.float32))
        assert read.opacity is None

    @pytest.mark.parametrize("side", [16, 100])
    def test_a_map_of_another_size_is_resampled_in_linear_light_with_a_warning(self, side: int) -> None:
        board = np.indices((side, side)).sum(axis=0) % 2 * np.uint8(255)
        files = omage_files(random_omage(opacity=None)) | {ALBEDO_FILE: pillow_png(board.astype(np.uint8), "RGB")}
        read, warnings = read_files(files)
        assert f"{side} x {side}" in warnings[0]
        assert read.albedo.mean() == pytest.approx(0.5, abs=0.01)  # in sRGB the mean would be 0.21

    def test_resampled_normals_have_unit_length(self) -> None:
        picture = np.random.default_rng(0).integers(0, 65536, (50, 50, 3), np.uint16)
        read, _ = read_files(omage_files(random_omage()) | {NORMAL_FILE: png.encode_png(picture)})
        np.testing.assert_allclose(np.linalg.norm(read.normal, axis=2), 1, atol=1e-5)

    def test_side_data_of_another_size_is_dropped_with_a_warning(self) -> None:
        files = omage_files(random_omage(resolution=64)) | {
            GEOMETRY_FILE: omage_files(random_omage(resolution=32))[GEOMETRY_FILE]
        }
        read, warnings = read_files(files)
        assert read.chart is None and read.seam is None
        assert any("dropped" in warning for warning in warnings)

    @pytest.mark.parametrize("text", ["?", "AAAA", "eJxjYGBgAAAABAAB", "eJwDAAAAAAE="])
    @pytest.mark.parametrize("field", ["charts", "seams"])
    def test_damaged_side_data_is_dropped_with_a_warning(self, field: str, text: str) -> None:
        files = omage_files(random_omage())
        header = json.loads(files[HEADER_FILE])
        read, warnings = read_files(files | {HEADER_FILE: json.dumps(header | {field: text}).encode()})
        if field == "seams" and text == "eJwDAAAAAAE=":
            assert (read.seam == -1).all()  # no pairs: a valid text that names no pixel
            return
        assert read.chart is None and read.seam is None
        assert "damaged" in warnings[0]

    def test_painted_pixels_join_the_chart_they_touch_and_islands_become_charts(self) -> None:
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


class TestHostileFiles:
    def refused(self, files: dict[str, bytes]) -> OmagenError:
        with pytest.raises(OmagenError) as refusal:
            read_files(files)
        assert refusal.value.code is ErrorCode.INPUT
        assert refusal.value.remedy
        return refusal.value

    @pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.99])
    @pytest.mark.parametrize("file", PICTURE_FILES)
    def test_truncated_pictures_are_refused(self, file: str, part: float) -> None:
        files = omage_files(random_omage())
        cut = files[file][: int(len(files[file]) * part)]
        assert file in self.refused(files | {file: cut}).message.lower()

    def picture(self, width: int, height: int, rows: bytes) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        return png.SIGNATURE + b"".join(
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )

    @pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 1), (4097, 4097), (0, 64)])
    def test_sizes_beyond_the_limit_are_refused_before_decoding(self, size: tuple[int, int]) -> None:
        self.refused({GEOMETRY_FILE: self.picture(*size, bytes(100))})

    @pytest.mark.parametrize("side", [31, 16])
    def test_pictures_that_are_too_small_are_refused(self, side: int) -> None:
        self.refused({GEOMETRY_FILE: png.encode_png(np.full((side, side, 4), 65535, np.uint16))})

    def test_a_picture_that_holds_fewer_pixels_than_it_says_is_refused(self) -> None:
        self.refused({GEOMETRY_FILE: self.picture(4096, 4096, bytes(100))})

    def test_a_picture_that_unpacks_to_more_than_it_says_costs_no_memory(self) -> None:
        rows = np.full((64, 64 * 8 + 1), 255, np.uint8)
        rows[:, 0] = 0
        read, _ = read_files({GEOMETRY_FILE: self.picture(64, 64, rows.tobytes() + bytes(2**26))})
        assert read.occupancy.all()

    def test_a_compressed_text_bomb_beside_the_pixels_is_not_unpacked(self) -> None:
        data = omage_files(random_omage())[GEOMETRY_FILE]
        bomb = b"note\0\0" + zlib.compress(bytes(2**26), 9)
        chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
        read_files({GEOMETRY_FILE: data[:33] + chunk + data[33:]})

    @pytest.mark.parametrize("shape", [(32, 64, 4), (32, 32)], ids=["not square", "grey"])
    def test_geometry_of_another_shape_is_refused(self, shape: tuple[int, ...]) -> None:
        self.refused({GEOMETRY_FILE: png.encode_png(np.full(shape, 65535, np.uint16))})

    def test_a_picture_with_nothing_in_it_is_refused(self) -> None:
        error = self.refused({GEOMETRY_FILE: png.encode_png(np.zeros((32, 32, 4), np.uint16))})
        assert "no occupied pixel" in error.message

    @pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
    def test_what_is_no_picture_is_refused(self, data: bytes) -> None:
        self.refused({GEOMETRY_FILE: data})

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_damaged_file_is_read_or_refused(self, data: st.DataObject) -> None:
        files = omage_files(random_omage())
        name = data.draw(st.sampled_from(sorted(files)))
        content = bytearray(files[name])
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        with suppress(OmagenError):
            read, _ = read_files(files | {name: bytes(content)})
            assert np.isfinite(read.position).all()

    @pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100)])
    def test_files_that_are_no_omage_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "cup.omage").write_bytes(content)
        with pytest.raises(OmagenError, match=r"cup\.omage"):
            read_omage(tmp_path / "cup.omage")

    def test_a_missing_file_and_an_empty_folder_are_refused(self, tmp_path: Path) -> None:
        for path in (tmp_path / "absent.omage", tmp_path):
            with pytest.raises(OmagenError, match=r"no omage|no geometry"):
                read_omage(path)


class TestWriting:
    def test_rewriting_a_folder_keeps_foreign_files_and_drops_maps_that_are_gone(self, tmp_path: Path) -> None:
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
    def test_a_full_disk_is_an_error_that_leaves_the_old_omage(self, tmp_path: Path, name: str) -> None:
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

    def test_a_file_in_the_folders_place_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "cup").write_bytes(b"mine")
        with pytest.raises(OmagenError, match="cannot be written"):
            write_omage(random_omage(), tmp_path / "cup")
        assert (tmp_path / "cup").read_bytes() == b"mine"

    def test_the_archive_is_the_folder(self, tmp_path: Path) -> None:
        omage = random_omage()
        write_omage(omage, tmp_path / "cup.omage")
        assert (tmp_path / "cup.omage").read_bytes() == pack(omage_files(omage))
