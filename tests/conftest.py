"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import SHARED, import_extension

import_extension()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity",
        action="append",
        default=[],
        metavar="DIR",
        help="folder of parity fixtures; repeatable (default: the shared references, else tests/parity/own)",
    )


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of shared test assets; tests that need it skip where it is not."""
    folder = SHARED / "assets"
    if not folder.is_dir():
        pytest.skip(f"the test assets are not on this machine ({folder})")
    return folder
