"""Pictures in a folder are found by their names, however they are written."""

# pyright: reportMissingImports=false
# The extension becomes importable by its package name only in conftest.py.

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omagen_extension.addon.scene import omage_folder, png
from omagen_extension.backend.omagen.omage_layout import Header
from omagen_extension.backend.omagen.protocol import OmagenError


def picture(channels: int = 4) -> bytes:
    return png.encode([np.zeros((32, 32, channels), np.uint16)], 32, 32)


def laid(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def found(path: Path) -> dict[str, str]:
    """File of an omage -> the name of the picture that was taken for it."""
    return {name: data.decode() for name, data in omage_folder.read_folder(path).items()}


def test_the_plain_names_count_and_other_files_do_not(tmp_path: Path) -> None:
    laid(tmp_path, "geometry.png", "albedo.png", "omage.json", "notes.txt", "preview.png")
    expected = {name: name for name in ("geometry.png", "albedo.png", "omage.json")}
    assert found(tmp_path) == found(tmp_path / "omage.json") == found(tmp_path / "albedo.png") == expected
    assert omage_folder.title_of(tmp_path) == tmp_path.name


def test_pictures_with_a_common_beginning_belong_together(tmp_path: Path) -> None:
    laid(tmp_path, "Chair geometry.tif", "chair_Albedo.PNG", "Table_geometry.png", "Table_normal.png")
    chair = {"geometry.png": "Chair geometry.tif", "albedo.png": "chair_Albedo.PNG"}
    assert found(tmp_path / "Chair geometry.tif") == found(tmp_path / "chair_Albedo.PNG") == chair
    assert omage_folder.title_of(tmp_path / "Chair geometry.tif") == "Chair"
    with pytest.raises(OmagenError):
        found(tmp_path)  # which of the two?
    (tmp_path / "Table_geometry.png").unlink()
    assert found(tmp_path) == chair


def test_the_format_that_loses_least_counts(tmp_path: Path) -> None:
    laid(tmp_path, "geometry.jpg", "geometry.png", "geometry.tif")
    assert found(tmp_path) == {"geometry.png": "geometry.png"}


def test_a_picture_of_any_other_name_is_the_geometry(tmp_path: Path) -> None:
    laid(tmp_path, "generated.png", "unrelated.png")
    assert found(tmp_path / "generated.png") == {"geometry.png": "generated.png"}
    assert omage_folder.title_of(tmp_path / "generated.png") == "generated"


def test_a_missing_geometry_is_named(tmp_path: Path) -> None:
    laid(tmp_path, "Chair_albedo.png")
    with pytest.raises(OmagenError, match="Chair_geometry"):
        found(tmp_path / "Chair_albedo.png")


def test_only_pictures_that_blender_can_paint_on_are_ready() -> None:
    header = Header(32).encoded()
    assert omage_folder.is_ready({"omage.json": header, "geometry.png": picture(), "albedo.png": picture(3)})
    assert not omage_folder.is_ready({"geometry.png": picture()})
    assert not omage_folder.is_ready({"omage.json": header, "geometry.png": picture(3)})
    assert not omage_folder.is_ready({"omage.json": header, "geometry.png": picture(), "albedo.png": b"\xff\xd8jpeg"})
