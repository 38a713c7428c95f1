"""A queue with real worker processes over a data folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fake_engines
from omagen.engines import describe_engine
from omagen.jobs.queue import Queue
from omagen.jobs.store import Store
from omagen.protocol import Job, Request


@pytest.fixture(autouse=True)
def fake_engine_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fake_engines.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


class RunningQueue(Queue):
    """A queue with a shortcut for submitting a fake job."""

    def fake(self, behaviour: str = "finish", engine: str = "fake", **parameters: float) -> Job:
        request = Request(engine, {}, {"behaviour": behaviour, **parameters})
        return self.submit(request.checked(describe_engine(engine)))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[RunningQueue]:
    store = Store(tmp_path / "data")
    running = RunningQueue(store)
    running.start()
    yield running
    running.stop()
    store.close()
