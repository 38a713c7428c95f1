"""The published array file: exact both ways, and closed to whatever else calls itself .npz."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage.files import read_omage, write_omage
from omagen.protocol import OmagenError


def published(seed: int = 0, side: int = 32, channels: int = 12) -> np.ndarray:
    array = np.random.default_rng(seed).integers(0, 65536, (side, side, channels), np.uint16)
    array[..., 3] = np.where(array[..., 3] > 20000, 65535, 0)
    return array


def write(path: Path, array: np.ndarray) -> Path:
    np.savez_compressed(path, array)
    return path


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(32, 70))
def test_published_data_comes_back_exactly(seed: int, side: int) -> None:
    array = published(seed, side)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "in.npz", array)
        omage, warnings = read_omage(path)
        write_omage(omage, Path(folder) / "out.npz")
        with np.load(Path(folder) / "out.npz") as out:
            assert list(out) == ["arr_0"]
            np.testing.assert_array_equal(out["arr_0"], array)
    assert warnings == ()


def test_channels_and_rows_are_where_the_published_layout_has_them(tmp_path: Path) -> None:
    array = published()
    omage, _ = read_omage(write(tmp_path / "cup.npz", array))
    unit = array / 65535
    np.testing.assert_allclose(omage.position, unit[..., :3] * 2 - 1, atol=1e-6)
    np.testing.assert_array_equal(omage.occupancy, unit[..., 3] > 0.5)
    assert omage.normal is not None and omage.albedo is not None
    np.testing.assert_allclose(omage.normal, unit[..., 4:7] * 2 - 1, atol=1e-6)
    np.testing.assert_allclose(omage.albedo, unit[..., 7:10], atol=1e-6)
    assert omage.name == "cup"


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8", ">u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_number_types_and_orders_are_read(tmp_path: Path, kind: str, order: Any) -> None:
    array = published()
    values = array / 65535 if "f" in kind else array
    path = write(tmp_path / "cup.npz", np.asarray(values, kind, order=order))
    tolerance = 2e-3 if kind == "<f2" else 2e-6
    np.testing.assert_allclose(read_omage(path)[0].position, array[..., :3] / 65535 * 2 - 1, atol=tolerance)


@pytest.mark.parametrize("channels", [4, 9])
def test_geometry_alone_and_geometry_with_material_are_read_and_kept(tmp_path: Path, channels: int) -> None:
    array = published(channels=channels)
    omage, _ = read_omage(write(tmp_path / "cup.npz", array))
    assert omage.normal is None
    assert (omage.albedo is None) == (channels == 4)
    write_omage(omage, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as file:
        out = file["arr_0"]
    np.testing.assert_array_equal(out[..., :4], array[..., :4])
    assert out.shape[2] == (4 if channels == 4 else 12)
    if channels == 9:
        np.testing.assert_array_equal(out[..., 7:], array[..., 4:])


def test_eight_bits_are_read_with_a_warning(tmp_path: Path) -> None:
    omage, warnings = read_omage(write(tmp_path / "cup.npz", (published() >> 8).astype(np.uint8)))
    assert omage.occupancy.any()
    assert "8 bits" in warnings[0]


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "cup.npz"
    np.savez(path, np.array([{"a": 1}], object))
    with pytest.raises(OmagenError, match="pickled"):
        read_omage(path)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((32, 32), "u2"), ((32, 33, 12), "u2"), ((32, 32, 7), "u2"), ((8, 8, 12), "u2"), ((32, 32, 12), "i8")],
)
def test_other_layouts_are_refused(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(OmagenError, match=r"shape|type"):
        read_omage(write(tmp_path / "cup.npz", np.ones(shape, kind)))


@pytest.mark.parametrize("value", [-1.0, 2.0, np.nan, np.inf])
def test_values_outside_the_range_are_refused(tmp_path: Path, value: float) -> None:
    array = (published() / 65535).astype(np.float32)
    array[5, 5, 0] = value
    with pytest.raises(OmagenError, match="outside 0 to 1"):
        read_omage(write(tmp_path / "cup.npz", array))


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<u2", "fortran_order": False, "shape": (4096, 4096, 12)})
    with zipfile.ZipFile(tmp_path / "cup.npz", "w") as file:
        file.writestr("arr_0.npy", buffer.getvalue() + b"\xff" * 1000)
    with pytest.raises(OmagenError, match="fewer values"):
        read_omage(tmp_path / "cup.npz")


def test_an_empty_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmagenError, match="no occupied pixel"):
        read_omage(write(tmp_path / "cup.npz", np.zeros((32, 32, 12), np.uint16)))


def test_several_arrays_of_other_names_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "cup.npz", a=published(), b=published())
    with pytest.raises(OmagenError, match="arr_0"):
        read_omage(tmp_path / "cup.npz")
