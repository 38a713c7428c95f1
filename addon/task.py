"""One thing the user asked for, from the click to the object in the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..backend.omagen.protocol import Job, JobState, OmagenError
from .client.api import Client
from .client.session import Call


@dataclass(frozen=True)
class Made:
    """What came into the scene, as the user will find it: the name of an object or image."""

    name: str
    warnings: tuple[str, ...] = ()
    """What the user should know of the import; the job's own warnings are not repeated."""
    following: Task | None = None
    """What the import has set off, e.g. the decoding of an omage whose images have just come."""


@dataclass(frozen=True)
class Delivery:
    """What becomes of a job's result: `fetch` runs on the network thread, `apply` on Blender's main thread."""

    fetch: Callable[[Client, Job], Any]
    apply: Callable[[Job, Any], Made]


@dataclass
class Task:
    """A job from this Blender together with its delivery. Changed on the main thread only."""

    title: str
    delivery: Delivery
    job: Job | None = None
    """None while the request is still on its way to the backend."""
    error: OmagenError | None = None
    made: str = ""
    """Name of the object or image in the scene; empty until there is one."""
    import_warnings: tuple[str, ...] = ()
    ended: bool = False
    cancel_wanted: bool = False
    following: Task | None = None
    engine: str = ""
    subject: int = 0
    """Session UID of the object that it is about: a newer task about the same one takes its place; 0: none"""
    transfer: Call | None = None
    """What carries the request to the backend or its result back, while that is under way."""

    @property
    def stage(self) -> str:
        """What is happening now, in a few words."""
        if self.cancel_wanted:
            return "Cancelling"
        if self.job is None:
            return "Sending"
        if self.job.state is JobState.QUEUED:
            return "Waiting for its turn"
        if self.job.state is JobState.CANCELLING:
            return "Cancelling"
        if self.job.state is JobState.SUCCEEDED:
            return "Importing"
        return self.job.progress.stage or "Starting"

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        if self.job is None:
            return 0.0
        return 1.0 if self.job.state is JobState.SUCCEEDED else min(max(self.job.progress.fraction, 0.0), 1.0)

    @property
    def remaining_s(self) -> float | None:
        running = self.job is not None and self.job.state is JobState.RUNNING
        return self.job.progress.remaining_s if running and self.job else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that the user should know of the result."""
        return (*(self.job.warnings if self.job else ()), *self.import_warnings)

    def end(self, error: OmagenError | None = None, made: Made | None = None) -> None:
        self.error, self.ended, self.transfer = error, True, None
        if made is not None:
            self.made, self.import_warnings, self.following = made.name, made.warnings, made.following
