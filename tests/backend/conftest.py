"""A queue with real worker processes over a data folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_engines
import pytest
from omagen.jobs.store import Store
from running_queue import RunningQueue


@pytest.fixture(scope="session", autouse=True)
def prepared_kernels() -> None:
    """Compiled here, once, rather than by every worker that a test starts. Quick unless the code has changed."""
    subprocess.run([sys.executable, "-m", "omagen", "prepare", "--quiet"], capture_output=True, check=False)


@pytest.fixture(autouse=True)
def fake_engine_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fake_engines.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[RunningQueue]:
    store = Store(tmp_path / "data")
    running = RunningQueue(store)
    running.start()
    yield running
    running.stop()
    store.close()
