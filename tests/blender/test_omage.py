"""Objects to omages and back in Blender, through the installed extension and the real backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from in_blender import BLENDERS, build_extension, checks_in, run

HERE = Path(__file__).parent
FILES = ("omage_checks.py", "omage_source_checks.py", "omage_file_checks.py")
CHECKS = [(file, check) for file in FILES for check in checks_in(HERE / file)]


@pytest.fixture(scope="session", params=BLENDERS)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping]:
    """What each check of each file said, in one process per file of one Blender; empty where it holds."""
    found = {}
    for file in FILES:
        folder = tmp_path_factory.mktemp(Path(file).stem)
        build_extension(folder / "omagen.zip")
        found[file] = run(request.param, HERE / file, folder)
    return found


@pytest.mark.parametrize(("file", "check"), CHECKS)
def test_omage(outcomes: Mapping[str, Mapping[str, str]], file: str, check: str) -> None:
    assert not outcomes[file][check], outcomes[file][check]
