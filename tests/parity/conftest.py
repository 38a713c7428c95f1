"""One test per parity fixture that is found."""

from __future__ import annotations

import pytest
from parity import craftsman_refiner, omages_codec, omages_geo2mat, omages_null2geo  # noqa: F401 - registers their adapters
from parity.fixtures import find_fixtures


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fixture_path" in metafunc.fixturenames:
        paths = find_fixtures(metafunc.config.getoption("--parity") or [])
        metafunc.parametrize("fixture_path", paths, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
