"""The models of one data folder: their state, and downloads that run in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from omagen.catalog import installed
from omagen.catalog.fetch import fetch
from omagen.catalog.hub import fetch_repository
from omagen.catalog.models import MODELS, FileModel, Model
from omagen.catalog.remote_file import RemoteFile
from omagen.protocol import ErrorCode, Json, OmagenError

log = logging.getLogger(__name__)


class ModelState(StrEnum):
    ABSENT = "absent"
    DOWNLOADING = "downloading"
    INSTALLED = "installed"
    FAILED = "failed"


@dataclass(frozen=True)
class ModelStatus:
    model: Model
    state: ModelState
    progress: float = 0.0
    """The part of it that is here, 0 to 1; a broken-off download goes on from there."""
    error: OmagenError | None = None
    folder: Path | None = None
    """The user's own, which stands in for a download"""

    def to_json(self) -> Json:
        return {
            **asdict(self.model),
            "state": self.state.value,
            "installed": self.state is ModelState.INSTALLED,
            "progress": round(self.progress, 4),
            "error": self.error.to_json() if self.error else None,
            "folder": str(self.folder) if self.folder else None,
        }


class Downloads:
    """Safe to call from any thread; nothing here waits for the network."""

    def __init__(self, data: Path, models: Sequence[Model] = MODELS) -> None:
        self._data = data
        self._models = {model.id: model for model in models}
        self._lock = threading.Lock()
        self._downloads: dict[str, _Download] = {}

    def models(self) -> list[ModelStatus]:
        return [self.status(id) for id in self._models]

    def status(self, id: str) -> ModelStatus:
        """Raises `OmagenError` (input) for an unknown model, as all methods do."""
        model = self._model(id)
        with self._lock:
            download = self._downloads.get(id)
        if download and download.running:
            return ModelStatus(model, ModelState.DOWNLOADING, download.progress)
        if installed.is_installed(self._data, model):
            return ModelStatus(model, ModelState.INSTALLED, 1.0, folder=installed.own_folder(self._data, model))
        have = min(1.0, installed.bytes_present(self._data, model) / model.size)
        if download and download.error:
            return ModelStatus(model, ModelState.FAILED, have, download.error)
        return ModelStatus(model, ModelState.ABSENT, have)

    def start(self, id: str) -> ModelStatus:
        """Begin or go on downloading; does nothing for a model that is here or on its way."""
        model = self._model(id)
        with self._lock:
            current = self._downloads.get(id)
            if not installed.is_installed(self._data, model) and not (current and current.running):
                self._downloads[id] = _Download(model, self._data, after=current)
        return self.status(id)

    def wait(self, id: str, timeout: float | None = None) -> ModelStatus:
        """The status once the download has ended, or after `timeout` seconds."""
        with self._lock:
            download = self._downloads.get(id)
        if download:
            download.thread.join(timeout)
        return self.status(id)

    def use(self, id: str, folder: Path) -> ModelStatus:
        """Let the user's own folder stand in for a download; raises `OmagenError` (input) where it cannot."""
        installed.use_folder(self._data, self._model(id), folder)
        return self.status(id)

    def delete(self, id: str) -> None:
        """Remove a model; a download is broken off and what has arrived of it is removed. A user's folder stays."""
        model = self._model(id)
        with self._lock:
            download = self._downloads.get(id)
            if download and download.running:
                download.cancel(discard=True)
            else:
                self._downloads.pop(id, None)
                installed.remove(self._data, model)

    def close(self) -> None:
        """Break off all downloads; they can be resumed."""
        with self._lock:
            for download in self._downloads.values():
                download.cancel(discard=False)

    def _model(self, id: str) -> Model:
        if id not in self._models:
            known = ", ".join(self._models)
            raise OmagenError(ErrorCode.INPUT, f"There is no model {id[:64]!r}.", f"Known models: {known}.")
        return self._models[id]


class _Download:
    """One download on its own thread."""

    def __init__(self, model: Model, data: Path, after: _Download | None) -> None:
        """`after`: a cancelled download of the same model, which must have let go of it first."""
        self.progress = 0.0
        self.error: OmagenError | None = None
        self._model, self._data, self._after = model, data, after
        self._cancelled = threading.Event()
        self._discard = False
        self.thread = threading.Thread(target=self._run, name=f"download {model.id}", daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        return self.thread.is_alive() and not self._cancelled.is_set()

    def cancel(self, discard: bool) -> None:
        self._discard = discard
        self._cancelled.set()

    def _run(self) -> None:
        if self._after:
            self._after.thread.join()
            self._after = None
        try:
            place = installed.model_place(self._data, self._model)
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(place / "download.lock", timeout=0):
                self._fetch(place)
        except OmagenError as error:
            if error.code is not ErrorCode.CANCELLED:
                log.exception("download of %s failed", self._model.id)
                self.error = error
        except Timeout:
            self.error = OmagenError(
                ErrorCode.ENVIRONMENT, f"Another program is downloading {self._model.title}.", "Wait for it to end."
            )
        except Exception as error:
            log.exception("download of %s failed unexpectedly", self._model.id)
            self.error = OmagenError(
                ErrorCode.ENVIRONMENT,
                f"{self._model.title} could not be downloaded: {type(error).__name__}.",
                "The backend's log has the details.",
            )
        if self._discard:
            installed.remove(self._data, self._model)

    def _fetch(self, place: Path) -> None:
        model = self._model
        if isinstance(model, FileModel):
            file = RemoteFile(model.title, model.file, model.url, model.size, "md5", model.md5)
            fetch(file, installed.model_path(self._data, model), self._on_progress)
        else:
            fetch_repository(model, place, self._on_progress)

    def _on_progress(self, have: int) -> None:
        self.progress = min(1.0, have / self._model.size)
        if self._cancelled.is_set():
            raise OmagenError(ErrorCode.CANCELLED, "The download was cancelled.")
