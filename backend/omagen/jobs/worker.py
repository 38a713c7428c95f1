"""The process that does the work: `python -m omagen.jobs.worker`. Warm between jobs; may be killed at any moment."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from omagen import __version__
from omagen.engines import create_engine
from omagen.engines.base import Engine
from omagen.jobs import result
from omagen.jobs.failures import out_of_memory, unexpected
from omagen.jobs.parent_death import die_with_parent
from omagen.jobs.wire import Wire, messages
from omagen.kernels.waiting import Preparation
from omagen.protocol import ErrorCode, OmagenError, Request

log = logging.getLogger(__name__)

_ENGINE_SHARE = 0.85
"""Part of the progress bar that is the engine's; the rest is finishing."""
_PREPARING_SHARE = 0.7
"""Part of the bar for compiling kernels, in the one job that has to wait for that."""
_IDLE_S = 3.0
"""After so long without a job the worker looks whether kernels are to be compiled."""
_NICENESS = 10
_SAMPLE_S = 0.05


class Reporter:
    """The running engine's `RunProgress`: sends reports up and turns a cancellation into an exception."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._cancelled = threading.Event()
        self._start, self._share = 0.0, _ENGINE_SHARE
        self._reached = 0.0
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        if self._cancelled.is_set():
            raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")
        overall = self._reached = self._start + min(max(fraction, 0.0), 1.0) * self._share
        self._wire.send({"progress": {"stage": stage, "fraction": round(overall, 4)}})

    def warn(self, message: str) -> None:
        log.warning("%s", message)
        self.warnings.append(message)
        self._wire.send({"warning": message})

    def begin_preparing(self) -> None:
        self._share = _PREPARING_SHARE

    def begin_engine(self) -> None:
        """Where kernels had to be compiled first, the engine gets what the bar has left."""
        self._start = self._reached
        self._share = _ENGINE_SHARE - self._start

    def begin_finish(self) -> None:
        self._start, self._share = _ENGINE_SHARE, 1 - _ENGINE_SHARE

    def cancel(self) -> None:
        self._cancelled.set()


class Worker:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._inbox: queue.SimpleQueue[tuple[dict[str, Any], Reporter]] = queue.SimpleQueue()
        self._engines: dict[tuple[str, str], Engine] = {}
        self._kernels = Preparation()

    def listen(self, stream: Any) -> None:
        """Take messages until the input ends, which means that nobody wants this process any more."""
        job, reporter = "", Reporter(self._wire)
        for message in messages(stream):
            if "run" in message:
                job, reporter = message["run"]["job"], Reporter(self._wire)
                self._inbox.put((message["run"], reporter))
            elif message.get("cancel") == job:
                reporter.cancel()
        os._exit(0)

    def work(self) -> None:
        self._wire.send({"ready": os.getpid()})
        while True:
            order, reporter = self._next()
            try:
                outcome = {"done": self._run(order, reporter)}
            except OmagenError as error:
                if error.code is not ErrorCode.CANCELLED:
                    log.exception("job %s failed", order["job"])
                outcome = {"error": error.to_json()}
            except MemoryError as error:
                log.exception("job %s ran out of memory", order["job"])
                outcome = {"error": out_of_memory(error).to_json()}
            except Exception as error:
                log.exception("job %s failed unexpectedly", order["job"])
                outcome = {"error": unexpected(error).to_json()}
            self._wire.send(outcome)

    def _next(self) -> tuple[dict[str, Any], Reporter]:
        """Wait for an order. While there is none, kernels are compiled that later ones will need."""
        try:
            return self._inbox.get(timeout=_IDLE_S)
        except queue.Empty:
            self._kernels.begin()
            return self._inbox.get()

    def _run(self, order: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        from omagen.finish.writing import write_shape

        request = Request.from_json(order["request"])
        files = {id: Path(path) for id, path in order["files"].items()}
        folder = Path(order["folder"])
        tempfile.tempdir = str(folder)  # whatever a library writes goes when the job goes
        seconds: dict[str, float] = {}
        with _job_log(folder), _PeakMemory() as memory:
            begin = time.perf_counter()
            reporter("Loading", 0.0)
            engine = self._engine(request)
            info = engine.describe()
            if getattr(engine, "needs_kernels", False):
                reporter.begin_preparing()
                self._kernels.wait(reporter)
                reporter.begin_engine()
            seconds["load"] = time.perf_counter() - begin
            made = engine.run(request, files, reporter)
            shape, making = made if isinstance(made, tuple) else (made, {})
            seconds["run"] = time.perf_counter() - begin - seconds["load"]
            reporter.begin_finish()
            name = request.name or getattr(shape, "name", "") or info.title
            if shape is not None and hasattr(shape, "name"):
                shape = replace(shape, name=name)
            provenance = {
                "engine": request.engine,
                "version": __version__,
                "seed": request.seed,
                "request": request.to_json(),
                "licence": info.licence,
                "weights": [],
            }
            report = write_shape(shape, folder, provenance, reporter) | making
            seconds["total"] = time.perf_counter() - begin
            seconds["finish"] = seconds["total"] - seconds["load"] - seconds["run"]
        outcome = {
            "engine": request.engine,
            "name": name,
            "produces": info.produces,
            "seed": request.seed,
            "device": request.device,
            "version": __version__,
            "seconds": {key: round(value, 3) for key, value in seconds.items()},
            "peak_memory_mb": memory.peak_mb,
            "report": report,
            "warnings": reporter.warnings,
            "weights": [],
            "licence": info.licence,
        }
        result.write_json(folder / result.REQUEST_FILE, request.to_json())
        result.write_json(folder / result.RESULT_FILE, outcome)
        return outcome

    def _engine(self, request: Request) -> Engine:
        key = (request.engine, request.device)
        if key not in self._engines:
            engine = create_engine(request.engine)
            engine.load(request.device)
            self._engines[key] = engine
        return self._engines[key]


class _PeakMemory:
    """The process's largest resident size while the block runs, sampled: no system-independent counter can be reset."""

    peak_mb = 0

    def __enter__(self) -> _PeakMemory:
        import psutil

        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, round(self._process.memory_info().rss / 2**20))
            if self._ended.wait(_SAMPLE_S):
                return


@contextlib.contextmanager
def _job_log(folder: Path) -> Iterator[None]:
    """Write what is logged during the block to the job's `log.txt` as well."""
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def main() -> None:
    die_with_parent()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the owner decides what it means
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.captureWarnings(True)
    # Whatever a library prints must not end up between the messages: they get the real output, everyone else the log.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = Worker(Wire(output))
    threading.Thread(target=worker.listen, args=(sys.stdin.buffer,), daemon=True).start()
    worker.work()


if __name__ == "__main__":
    main()
