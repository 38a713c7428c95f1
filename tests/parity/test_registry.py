"""No fixture passes unless something was compared with all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from parity.fixtures import OWN, find_fixtures, read_fixture
from parity.registry import check, is_begun, subject
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

SQUARE = OWN / "decode_square.safetensors"


def altered(folder: Path, **changes: str) -> Path:
    """A copy of the square's fixture with other metadata and, unless told otherwise, the same tensors."""
    with safe_open(SQUARE, "np") as file:
        metadata = file.metadata()
    path = folder / "altered.safetensors"
    save_file(load_file(SQUARE), path, metadata | changes)
    return path


@pytest.mark.parametrize("path", find_fixtures([OWN]), ids=lambda path: path.stem)
def test_our_own_fixtures_agree_with_us(path: Path) -> None:
    check(read_fixture(path))


def test_a_part_of_the_codec_without_an_adapter_fails(tmp_path: Path) -> None:
    fixture = read_fixture(altered(tmp_path, network="something_new"))
    assert is_begun(subject(fixture.system, fixture.network))
    with pytest.raises(AssertionError, match="no adapter for omages / something_new"):
        check(fixture)


def test_networks_and_codec_of_omages_are_two_subjects_and_other_systems_are_listed_as_not_begun() -> None:
    assert subject("omages", "Unet") != subject("omages", "meshing_objamage")
    assert is_begun(subject("omages", "Unet"))
    assert not is_begun(subject("xray", "vae"))


@pytest.mark.parametrize("name", ["output.full_vert", "output.full_face", "output.geo4_face"])
def test_a_value_that_differs_fails(tmp_path: Path, name: str) -> None:
    path = altered(tmp_path)
    tensors = load_file(path)
    tensors[name][0, 0] += 1
    with safe_open(path, "np") as file:
        save_file(tensors, path, file.metadata())
    with pytest.raises(AssertionError, match=name.partition(".")[2]):
        check(read_fixture(path))


def test_an_output_that_nothing_is_compared_with_fails(tmp_path: Path) -> None:
    path = altered(tmp_path)
    with safe_open(path, "np") as file:
        save_file(load_file(path) | {"output.news": np.zeros(1)}, path, file.metadata())
    with pytest.raises(AssertionError, match="nothing was compared with news"):
        check(read_fixture(path))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_fixtures([tmp_path / "absent"])
