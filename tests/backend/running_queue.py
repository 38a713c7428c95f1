"""The queue as the tests of jobs use it."""

from __future__ import annotations

from omagen.engines import describe_engine
from omagen.jobs.queue import Queue
from omagen.protocol import Job, Request


class RunningQueue(Queue):
    """A queue with a shortcut for submitting a fake job."""

    def fake(self, behaviour: str = "finish", engine: str = "fake", **parameters: float) -> Job:
        request = Request(engine, {}, {"behaviour": behaviour, **parameters})
        return self.submit(request.checked(describe_engine(engine)))
