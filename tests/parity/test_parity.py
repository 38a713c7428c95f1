"""Our code against what the published systems computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from parity.fixtures import read_fixture
from parity.registry import check, is_begun, subject


def test_agrees_with_the_published_system(fixture_path: Path) -> None:
    fixture = read_fixture(fixture_path)
    name = subject(fixture.system, fixture.network)
    if not is_begun(name):
        pytest.skip(f"not begun: {name}")
    check(fixture)
