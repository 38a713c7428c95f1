"""Users' files through the real operator, the installed extension and the real backend, all in one Blender process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from in_blender import BLENDERS, build_extension, checks_in, run
from places import SHARED

CHECKS_FILE = Path(__file__).with_name("file_checks.py")
MALFORMED = sorted(path.name for path in (SHARED / "assets" / "malformed").glob("*"))
MERELY_ODD = {
    *("gray16.png", "gray_alpha.png", "palette_transparent.png", "cmyk.jpg", "exif_rotated_6.jpg"),
    *("animated.webp", "animated.gif", "png_named.jpg", "glb_corrupt_texture.glb"),
}
"""Files that must give an object."""


@pytest.fixture(scope="session", params=BLENDERS)
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, assets: Path
) -> Mapping[str, Any]:
    """What became of each malformed file, and what each check said (empty where it holds)."""
    folder = tmp_path_factory.mktemp("files")
    build_extension(folder / "omagen.zip")
    (folder / "assets").symlink_to(assets)
    return run(request.param, CHECKS_FILE, folder)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_gives_an_object_or_a_clear_error(outcomes: Mapping[str, Any], name: str) -> None:
    outcome = outcomes["files"][name]
    if outcome["made"]:
        assert outcome["triangles"] > 0
        return
    assert name not in MERELY_ODD, outcome
    assert outcome["left"] == {}, "a failure left data behind"
    error = outcome["error"]
    assert error["code"] in {"input", "geometry"}, outcome
    assert error["message"]
    assert error["remedy"]
    assert error["message"] in outcome["reported"]
    assert error["remedy"] in outcome["reported"]
    assert "Traceback" not in outcome["reported"]


def test_the_backend_outlives_all_malformed_files(outcomes: Mapping[str, Any]) -> None:
    assert outcomes["backend"]["pid_before"] == outcomes["backend"]["pid_after"]
    assert outcomes["backend"]["state"] == "running"


@pytest.mark.parametrize("check", checks_in(CHECKS_FILE))
def test_mesh_files(outcomes: Mapping[str, Any], check: str) -> None:
    assert not outcomes["checks"][check], outcomes["checks"][check]
