"""One device's worker process seen from outside: started, given jobs, watched, replaced when it dies or hangs."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omagen.jobs import result
from omagen.jobs.failures import disk_refused, interrupted, unexpected, worker_death
from omagen.jobs.store import Store
from omagen.jobs.wire import Wire, messages
from omagen.protocol import Event, Job, JobState, OmagenError, Progress

log = logging.getLogger(__name__)

_GRACE_S = 0.4
"""How long a cancelled job may take to end by itself before its worker is replaced; the user waits a second at most."""
_REPORT_EVERY_S = 0.1
_TICK_S = 0.05
_ESTIMATE_AFTER = 0.05
"""Fraction of a job that must be done before the time left is estimated."""
_RETRY_S = 1.0
_LOG_LIMIT = 4 * 2**20


class Lane:
    """A thread that takes queued jobs for one device, and the worker process it drives."""

    def __init__(self, store: Store, device: str, publish: Callable[[Event], None]) -> None:
        self.device = device
        self.state = "stopped"
        self._store = store
        self._publish = publish
        self._wake = threading.Event()
        self._stopping = False
        self._cancel: str | None = None
        self._job: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._exit_code: int | None = None
        self._wire: Wire | None = None
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f"lane {device}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """End the worker, whatever it does, and the thread. A job that was running is left as interrupted."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def cancel(self, job_id: str) -> None:
        """Stop `job_id` if it is the job of this lane; it has been moved to `cancelling` already."""
        if self._job == job_id:
            self._cancel = job_id

    # The lane's own thread

    def _loop(self) -> None:
        try:
            self._start_worker()
            while not self._stopping:
                job = self._next()
                if job:
                    self._run(job)
                    # Only here: a worker that cannot start at all must not be started over and over.
                    if self._process is None and not self._stopping:
                        self._start_worker()
                elif self.state == "starting":
                    self._await_ready()
                else:
                    self._wake.wait()
                    self._wake.clear()
        finally:
            self._kill()

    def _next(self) -> Job | None:
        """Take the oldest job that this lane may run."""
        try:
            job = self._store.next(self.device)
            if job is None:
                return None
            self._job = job.id
            self._publish(self._store.move(job.id, JobState.RUNNING))
            return job
        except ValueError:  # cancelled, or taken by another lane, since it was read
            log.debug("job %s is not waiting any more", self._job)
        except OmagenError:
            log.exception("no job can be taken from the list")
            time.sleep(_RETRY_S)
        self._job = None
        self._wake.set()
        return None

    def _run(self, job: Job) -> None:
        folder = result.part_folder(self._store.data, job.id)
        try:
            outcome = self._work(job, folder)
            if self._stopping:
                self._settle(job.id, JobState.INTERRUPTED, interrupted())
            elif self._cancel == job.id:
                self._settle(job.id, JobState.CANCELLED)
            else:
                result.publish(self._store.data, job.id)
                self._settle(job.id, JobState.SUCCEEDED, outcome=outcome)
        except OmagenError as error:
            if self._cancel == job.id:
                self._settle(job.id, JobState.CANCELLED)
            else:
                self._settle(job.id, JobState.FAILED, error)
        except OSError as error:
            self._settle(job.id, JobState.FAILED, disk_refused(error))
        except Exception as error:
            log.exception("job %s broke its lane", job.id)
            self._settle(job.id, JobState.FAILED, unexpected(error))
        finally:
            self._job = self._cancel = None
            if self.state == "busy":
                self.state = "idle"

    def _work(self, job: Job, folder: Path) -> dict[str, Any]:
        """Have the worker do `job`; returns the content of `result.json`. Raises the job's error."""
        self._ensure_worker()
        if self._cancel or self._stopping:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        order = self._order(job, folder)
        self._send(order)
        clock = _Clock()
        begun, deadline = False, None
        while True:
            message = self._receive()
            if self._stopping:
                return {}
            if self._cancel and deadline is None:
                self._send({"cancel": job.id})
                deadline = time.monotonic() + _GRACE_S
            if message is not None:
                begun = True
                if "done" in message:
                    return message["done"]
                if "error" in message:
                    raise OmagenError.from_json(message["error"])
                self._report(job.id, message, clock)
            elif self._process is None:
                if begun or self._cancel:
                    raise self._death()
                # It died while it was idle, before it saw the order. A second death is the job's own.
                begun = True
                self._ensure_worker()
                self._send(order)
            elif deadline is not None and time.monotonic() > deadline:
                log.info("job %s did not stop by itself; replacing the worker", job.id)
                self._kill()
                return {}

    def _order(self, job: Job, folder: Path) -> dict[str, Any]:
        """The message that has the worker do `job`."""
        from omagen.engines import describe_engine

        kinds = {spec.id: spec.kind for spec in describe_engine(job.request.engine).inputs}
        files = {
            id: str(self._store.blobs.path(blob))
            for id, blob in job.request.inputs.items()
            if blob and kinds[id].is_file
        }
        return {"run": {"job": job.id, "request": job.request.to_json(), "files": files, "folder": str(folder)}}

    def _report(self, job_id: str, message: dict[str, Any], clock: _Clock) -> None:
        try:
            if "warning" in message:
                self._publish(self._store.warn(job_id, message["warning"]))
            elif "progress" in message:
                progress = clock.progress(**message["progress"])
                if progress:
                    self._publish(self._store.progress(job_id, progress))
        except OmagenError:
            log.warning("a report of job %s was lost", job_id, exc_info=True)

    def _settle(
        self, job_id: str, state: JobState, error: OmagenError | None = None, outcome: dict[str, Any] | None = None
    ) -> None:
        """Store how a job ended, trying again for as long as the disk is full: an ended job must not look alive."""
        if state is not JobState.SUCCEEDED:
            result.discard(self._store.data, job_id)
        while True:
            try:
                self._publish(self._store.move(job_id, state, error=error, outcome=outcome))
                return
            except ValueError:
                if state is JobState.CANCELLED:
                    log.exception("job %s had ended already", job_id)
                    return
                # A cancel came in after the work was over: what the user was told counts.
                result.discard(self._store.data, job_id)
                state, error, outcome = JobState.CANCELLED, None, None
            except OmagenError as problem:
                log.warning("the end of job %s cannot be stored yet: %s", job_id, problem)
                if self._stopping:
                    return
                self._store.make_room()
                time.sleep(_RETRY_S)

    # The worker process

    def _ensure_worker(self) -> None:
        """Have a worker that is ready, a new one if the old one died while it was idle. Raises if none can be had."""
        if self._process and self._process.poll() is not None:
            self._bury()
        if self._process is None:
            self._start_worker()
        while self.state == "starting" and not (self._cancel or self._stopping):
            self._await_ready()
        if self._process is None:
            raise self._death()

    def _await_ready(self) -> None:
        message = self._receive()
        if message is not None and "ready" in message:
            self.state = "idle"

    def _start_worker(self) -> None:
        self.state = "starting"
        self._inbox = queue.SimpleQueue()
        log_path = self._store.data / "worker.log"
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT:
                log_path.replace(log_path.with_suffix(".old.log"))
            with log_path.open("ab") as stderr:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "omagen.jobs.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env={**os.environ, "OMAGEN_DATA": str(self._store.data)},
                    creationflags=flags,
                )
        except OSError:
            log.exception("the worker cannot be started")
            self._process, self.state = None, "stopped"
            return
        assert self._process.stdin and self._process.stdout
        self._wire = Wire(self._process.stdin)
        reader = threading.Thread(target=_read, args=(self._process.stdout, self._inbox), daemon=True)
        reader.start()

    def _send(self, message: dict[str, Any]) -> None:
        """Tell the worker; one that has just died is noticed by `_receive`."""
        self.state = "busy"
        with contextlib.suppress(OSError, ValueError):
            if self._wire:
                self._wire.send(message)

    def _receive(self) -> dict[str, Any] | None:
        """The worker's next message, or None after a short while. A worker that is gone is buried on the way."""
        if self._process is None:
            return None
        try:
            message = self._inbox.get(timeout=_TICK_S)
        except queue.Empty:
            return None
        if message is None:
            self._bury()
        return message

    def _kill(self) -> None:
        if self._process:
            self._bury()

    def _bury(self) -> None:
        assert self._process
        self._process.kill()
        self._exit_code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()
        self._process = self._wire = None
        self.state = "stopped"

    def _death(self) -> OmagenError:
        """Why the worker is gone, as far as its exit status tells."""
        code = self._exit_code
        log.error("the worker ended with status %s", code)
        return worker_death(code)


class _Clock:
    """Thins out progress reports and estimates the time left."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._last, self._stage = -1.0, ""

    def progress(self, stage: str, fraction: float) -> Progress | None:
        now = time.monotonic()
        if stage == self._stage and now - self._last < _REPORT_EVERY_S:
            return None
        self._last, self._stage = now, stage
        known = fraction >= _ESTIMATE_AFTER
        remaining = (now - self._begin) * (1 - fraction) / fraction if known else None
        return Progress(stage, fraction, None if remaining is None else round(remaining, 1))


def _read(stream: Any, inbox: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Pass a worker's messages on; None marks the end."""
    try:
        for message in messages(stream):
            inbox.put(message)
    except (OSError, ValueError):
        log.debug("the worker's output broke off", exc_info=True)
    inbox.put(None)
