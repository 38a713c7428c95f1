"""Finishing, refining and texturing objects in Blender, through the installed extension and the real backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from in_blender import BLENDERS, build_extension, checks_in, run

FILE = Path(__file__).parent / "mesh_checks.py"


@pytest.fixture(scope="session", params=BLENDERS)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each check said, in one process of one Blender; empty where it holds."""
    folder = tmp_path_factory.mktemp("mesh")
    build_extension(folder / "omagen.zip")
    return run(request.param, FILE, folder)


@pytest.mark.parametrize("check", checks_in(FILE))
def test_mesh(outcomes: Mapping[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
