"""What the add-on knows of the backend while it is enabled.

Used on the main thread only; the session's thread does the talking.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

from ..backend.omagen.protocol import EngineInfo, ErrorCode, Job, JobState, Json, OmagenError
from .client.api import Client
from .client.backend import Backend
from .client.session import Call, Session
from .task import Delivery, Task

T = TypeVar("T")
log = logging.getLogger(__name__)
POLL_S: Final = 0.01
KEPT_TASKS: Final = 20


class Runtime:
    """Engines, jobs and models as the backend last described them, and the tasks under way."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.session = Session(backend)
        self.engines: dict[str, EngineInfo] = {}
        self.jobs: dict[str, Job] = {}
        """Newest first."""
        self.models: list[Json] = []
        self.health: Json = {}
        self.tasks: list[Task] = []
        """Newest last."""
        self.error: OmagenError | None = None
        """The last failure that belongs to no task."""
        self.listeners: list[Callable[[], None]] = []
        """Called after every change that a user could see."""

    @property
    def busy(self) -> bool:
        """Whether anything is under way that `pump` will have to deliver."""
        return not self.session.idle

    @property
    def active(self) -> Task | None:
        """The task whose progress is worth showing: the one running, else the oldest that waits."""
        return self.foremost(self.tasks)

    @staticmethod
    def foremost(tasks: list[Task]) -> Task | None:
        """The same among some tasks; None where all have ended."""
        waiting = [task for task in tasks if not task.ended]
        running = [task for task in waiting if task.job and task.job.state is not JobState.QUEUED]
        return next(iter(running or waiting), None)

    def uses_seed(self, engine: str) -> bool:
        """Whether another seed gives another result; an engine that is not known might."""
        return engine not in self.engines or self.engines[engine].uses_seed

    def produces(self, engine: str) -> str:
        """What an engine makes: `mesh`, `picture` or `omage`; `mesh` for one that is not known."""
        return self.engines[engine].produces if engine in self.engines else "mesh"

    def call(
        self, work: Callable[[Client], T], done: Callable[[T], None], failed: Callable[[OmagenError], None]
    ) -> Call:
        """Run `work` on the network thread and hand its outcome to `done` or `failed` in a later `pump`."""

        def finished(outcome: T | OmagenError) -> None:
            if isinstance(outcome, OmagenError):
                failed(outcome)
            else:
                done(outcome)
            self.changed()

        return self.session.call(work, finished)

    def pump(self) -> None:
        self.session.pump()

    def changed(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def fail(self, error: OmagenError) -> None:
        log.error("%s", error)
        self.error = error

    def refresh(self) -> None:
        """Ask for everything that the panels show; starts the backend where none runs."""

        def ask(client: Client) -> tuple[Json, list[EngineInfo], list[Job], list[Json]]:
            return client.health(), client.engines(), client.jobs(), client.models()

        def done(answer: tuple[Json, list[EngineInfo], list[Job], list[Json]]) -> None:
            self.health, engines, jobs, self.models = answer
            self.engines = {engine.id: engine for engine in engines}
            self.jobs = {job.id: job for job in jobs}
            self.error = None
            for job in jobs:
                if not job.state.ended and not any(task.job and task.job.id == job.id for task in self.tasks):
                    self.session.follow(job.id, self._watch)

        self.call(ask, done, self.fail)

    def submit(
        self, title: str, send: Callable[[Client], Job], delivery: Delivery, engine: str = "", subject: int = 0
    ) -> Task:
        """Start a task: `send` uploads and submits on the network thread, `delivery` follows when it has succeeded.

        A task about the same `subject`, the session UID of an object, that is still under way is cancelled.
        """
        for older in self.tasks:
            if subject and older.subject == subject and not older.ended:
                self.cancel(older)
        task = Task(title, delivery, engine=engine, subject=subject)
        self.tasks = [*self.tasks[-KEPT_TASKS:], task]
        self.error = None

        def submitted(job: Job) -> None:
            task.transfer = None
            self._update(task, job)
            if task.cancel_wanted:
                self.cancel_job(job.id)
            self.session.follow(job.id, lambda job: self._update(task, job))

        task.transfer = self.call(send, submitted, task.end)
        self.changed()
        return task

    def cancel(self, task: Task) -> None:
        """Have the task end as soon as it can, wherever it is; one that has ended is left as it is."""
        task.cancel_wanted = True
        if task.transfer is not None:
            self.session.abandon(task.transfer)
        if task.job is not None and not task.job.state.ended:
            self.cancel_job(task.job.id)
        self.changed()

    def cancel_job(self, id: str) -> None:
        """Cancel a job that may belong to another Blender."""

        def answered(outcome: Job | OmagenError) -> None:
            if isinstance(outcome, OmagenError):
                self.fail(outcome)
            else:
                self.remember(outcome)
            self.changed()

        self.session.cancel(id, answered)

    def deliver(self, title: str, job: Job, delivery: Delivery) -> Task:
        """Start a task that only fetches the result of a job that has already succeeded."""
        task = Task(title, delivery, job, engine=job.request.engine)
        self.tasks = [*self.tasks[-KEPT_TASKS:], task]
        self._ended(task, job)
        self.changed()
        return task

    def forget(self, id: str) -> None:
        """Delete an ended job and its files; `error` says why where that fails."""
        self.error = None
        self.call(lambda client: client.delete(id), lambda _: self._drop(id), self.fail)

    def save_result(self, id: str, name: str, path: Path) -> None:
        """Write one file of a job's result to `path`, and wait for it. Raises `OmagenError` where that fails."""
        outcome: list[OmagenError | None] = []
        self.call(lambda client: client.download_to(id, name, path), lambda _: outcome.append(None), outcome.append)
        self.wait(lambda: bool(outcome))
        if outcome[0] is not None:
            raise outcome[0]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Pump until `condition` holds: for background mode, where no timer fires, and operators that must block."""
        while not condition():
            self.pump()
            time.sleep(POLL_S)

    def remember(self, job: Job) -> None:
        """Take over the newest state of a job."""
        if job.id not in self.jobs:
            self.jobs = {job.id: job, **self.jobs}
        self.jobs[job.id] = job

    def download_model(self, id: str) -> None:
        """Let the backend fetch a model's weights; `refresh_models` tells how far it is."""
        self.call(lambda client: (client.download_model(id), client.models())[1], self._take_models, self.fail)

    def delete_model(self, id: str) -> None:
        self.call(lambda client: (client.delete_model(id), client.models())[1], self._take_models, self.fail)

    def refresh_models(self) -> None:
        self.call(lambda client: client.models(), self._take_models, self.fail)

    def close(self) -> None:
        self.listeners.clear()
        self.session.close()

    def stop_backend(self) -> None:
        """End the server, also for other Blenders that use the same data folder."""

        def stopped(outcome: OmagenError | None) -> None:
            self.health = {}
            self.error = outcome
            self.changed()

        self.session.stop_backend(stopped)

    def _watch(self, job: Job) -> None:
        """A job that another Blender started, or this one before it was closed: shown, not delivered."""
        self.remember(job)
        self.changed()

    def _take_models(self, models: list[Json]) -> None:
        self.models = models

    def _drop(self, id: str) -> None:
        self.jobs.pop(id, None)

    def _update(self, task: Task, job: Job) -> None:
        """Take in a job's new state; at its end, deliver."""
        before, task.job = task.job, job
        self.remember(job)
        if not (before is not None and before.state.ended) and job.state.ended:
            self._ended(task, job)
        self.changed()

    def _ended(self, task: Task, job: Job) -> None:
        if job.state is not JobState.SUCCEEDED:
            task.end(job.error or _ending(job.state))
            return

        def fetched(result: Any) -> None:
            if task.cancel_wanted:
                task.end(_ending(JobState.CANCELLED))
                return
            try:
                task.end(made=task.delivery.apply(job, result))
            except OmagenError as error:
                task.end(error)
            except Exception as error:  # a task that never ends would block whoever waits for it
                log.exception("The result of job %s could not be imported", job.id)
                task.end(OmagenError(ErrorCode.ENVIRONMENT, f"The import failed unexpectedly: {error!r}."))

        task.transfer = self.call(lambda client: task.delivery.fetch(client, job), fetched, task.end)


def _ending(state: JobState) -> OmagenError:
    if state is JobState.CANCELLED:
        return OmagenError(ErrorCode.CANCELLED, "The job was cancelled.")
    return OmagenError(ErrorCode.ENVIRONMENT, "The job was interrupted.", "Run it again from the job list.")


_current: Runtime | None = None
_make_backend: Callable[[], Backend] | None = None
_opened: list[Callable[[Runtime], None]] = []


def peek() -> Runtime | None:
    """The runtime if anything has needed one yet."""
    return _current


def current() -> Runtime:
    """The runtime, created on first use. Starts no process by itself."""
    global _current
    if _current is None:
        if _make_backend is None:
            raise RuntimeError("Omagen is not registered.")
        _current = Runtime(_make_backend())
        for opened in _opened:
            opened(_current)
    return _current


def close() -> None:
    """End the network thread and forget everything; the next use begins anew. The backend itself goes on."""
    global _current
    if _current is not None:
        _current.close()
        _current = None


def on_open(opened: Callable[[Runtime], None], stack: ExitStack) -> None:
    """Call `opened` with every new runtime until `stack` is closed."""
    _opened.append(opened)
    stack.callback(_opened.remove, opened)


def install(make_backend: Callable[[], Backend], stack: ExitStack) -> None:
    """Use `make_backend` for every new runtime until `stack` is closed, which ends the last one too."""
    global _make_backend
    _make_backend = make_backend
    stack.callback(_uninstall)


def _uninstall() -> None:
    global _make_backend
    close()
    _make_backend = None
