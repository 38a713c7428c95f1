"""Runs files one after the other through the queue, shows how far they are, and puts the results where they belong."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omagen.bundle import pack
from omagen.commands.outputs import copy_result
from omagen.commands.progress import ProgressLine
from omagen.commands.text import write_json
from omagen.devices import choose_device
from omagen.jobs.queue import Queue
from omagen.jobs.store import Store
from omagen.protocol import EngineInfo, ErrorCode, InputKind, Job, JobState, Json, OmagenError, Request, Value

_CANCEL_WAIT_S = 5.0


@dataclass(frozen=True)
class Item:
    """One file to work on."""

    info: EngineInfo
    source: str
    """As the user wrote it."""
    inputs: Mapping[str, str]
    """Input id -> path for files, else words."""
    parameters: Mapping[str, Value]
    seed: int
    name: str
    output: Path


@dataclass(frozen=True)
class Outcome:
    item: Item
    job: Job | None
    """None where it never came to a job."""
    error: OmagenError | None

    def to_json(self) -> Json:
        job = self.job
        return {
            "input": self.item.source,
            "output": None if self.error else str(self.item.output),
            "job": job.id if job else None,
            "state": job.state.value if job else JobState.FAILED.value,
            "warnings": list(job.warnings) if job else [],
            "error": self.error.to_json() if self.error else None,
            "result": dict(job.result) if job and job.result else None,
        }

    @property
    def sentence(self) -> str:
        """The result in a few words."""
        result = (self.job and self.job.result) or {}
        report = result.get("report", {})
        facts = []
        if "triangles" in report:
            facts += [f"{report['triangles']:,} triangles", "watertight" if report.get("watertight") else "open"]
        if "width" in report:
            facts.append(f"{report['width']} x {report['height']}")
        facts.append(f"{result.get('seconds', {}).get('total', 0):.1f} s")
        return f"{self.item.output}: {', '.join(facts)}"


class Batch:
    """A queue of this process alone. Use it as a context manager: its worker ends with the block."""

    def __init__(self, data: Path, device: str, *, quiet: bool, json: bool) -> None:
        self._data, self._device = data, choose_device(device)
        self._quiet, self._json = quiet, json
        self._store = Store(data)
        self._queue = Queue(self._store, [self._device])

    def __enter__(self) -> Batch:
        self._queue.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._queue.stop()
        self._store.close()

    def run(self, item: Item) -> Outcome:
        """Work on one file. Ctrl-C cancels the job and goes on upwards."""
        job: Job | None = None
        error: OmagenError | None = None
        try:
            job = self._follow(item, self._queue.submit(self._request(item)))
            error = job.error
            if job.state is JobState.SUCCEEDED:
                copy_result(self._data, job, item.output)
            elif error is None:
                error = OmagenError(ErrorCode.CANCELLED, f"The job was {job.state.value}.")
        except OmagenError as problem:
            error = problem
        outcome = Outcome(item, job, error)
        if self._json:
            write_json(outcome.to_json())
        elif error is None and not self._quiet:
            sys.stdout.write(outcome.sentence + "\n")
        return outcome

    def _request(self, item: Item) -> Request:
        inputs = {}
        for spec in item.info.inputs:
            if spec.id in item.inputs:
                given = item.inputs[spec.id]
                inputs[spec.id] = self._upload(given, spec.kind) if spec.kind.is_file else given
        request = Request(item.info.id, inputs, dict(item.parameters), item.seed, self._device, item.name)
        return Request.from_json(request.to_json()).checked(item.info)

    def _upload(self, file: str, kind: InputKind) -> str:
        try:
            path = Path(file).expanduser()
            return self._store.blobs.add(pack(path) if kind is InputKind.MESH else path)
        except OSError as error:
            raise OmagenError(
                ErrorCode.INPUT, f"{Path(file).name} cannot be read: {error.strerror or error}."
            ) from error

    def _follow(self, item: Item, job: Job) -> Job:
        with ProgressLine(Path(item.source).name or item.source, silent=self._quiet) as line:
            unsubscribe = self._queue.subscribe(lambda event: line.show(event) if event.job == job.id else None)
            try:
                while not job.state.ended:
                    job = self._queue.wait(job.id, timeout=0.5)  # Windows delivers Ctrl-C between waits only
            except KeyboardInterrupt:
                self._queue.cancel(job.id)
                self._queue.wait(job.id, timeout=_CANCEL_WAIT_S)
                raise
            finally:
                unsubscribe()
        return job
