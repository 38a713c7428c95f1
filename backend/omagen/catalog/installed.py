"""Where weights lie: `models/<id>/` in the data folder, or a folder that the user named instead."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from omagen.catalog.fetch import part_path
from omagen.catalog.models import MODELS, FileModel, HubModel, Model
from omagen.protocol import ErrorCode, OmagenError, default_data_folder

_RECORD: Final = "installed.json"
_SNAPSHOT: Final = "snapshot"
_OWN: Final = "folder.json"


def find(model_id: str) -> Path | None:
    """The weights of a model in this process's data folder ($OMAGEN_DATA), or None where they are not installed.

    A file for a model that is one, a folder laid out as the repository is for one of the hub.
    """
    for model in MODELS:
        if model.id == model_id:
            data = default_data_folder()
            path = own_folder(data, model) or model_path(data, model)
            return path if is_installed(data, model) else None
    return None


def model_path(data: Path, model: Model) -> Path:
    """Where a model's file, or its repository's files, are or would be when downloaded."""
    place = model_place(data, model)
    return place / model.file if isinstance(model, FileModel) else snapshot_folder(place)


def model_place(data: Path, model: Model) -> Path:
    """The folder that holds all that Omagen keeps about a model."""
    return data / "models" / model.id


def snapshot_folder(place: Path) -> Path:
    return place / _SNAPSHOT


def is_installed(data: Path, model: Model) -> bool:
    """Whether all of it is there. Hashes were verified before files got their names."""
    if own_folder(data, model):
        return True
    path = model_path(data, model)
    if isinstance(model, FileModel):
        return _has_size(path, model.size)
    record = Record.read(model_place(data, model))
    if record is None or record.repository != model.repository or model.revision not in {"", record.revision}:
        return False
    return all(_has_size(path / name, size) for name, (size, _) in record.files.items())


def bytes_present(data: Path, model: Model) -> int:
    """How much of a download is there, for showing it."""
    path = model_path(data, model)
    if isinstance(model, FileModel):
        part = part_path(path)
        return part.stat().st_size if part.exists() else 0
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def use_folder(data: Path, model: Model, folder: Path) -> Path:
    """Let `folder` stand in for the download of a hub's model. Raises `OmagenError` (input) for one that lacks files.

    Nothing in it is copied, changed or ever deleted.
    """
    if not isinstance(model, HubModel):
        raise OmagenError(
            ErrorCode.INPUT,
            f"{model.title} is a single file, not a folder.",
            f"Put it into {model_path(data, model)}.",
        )
    folder = folder.expanduser().resolve()
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
    if not any(name.endswith(".safetensors") for name in names):
        raise OmagenError(
            ErrorCode.INPUT,
            f"{folder} holds no weights (*.safetensors).",
            f"It should be laid out as {model.repository} is: {', '.join(model.files)}.",
        )
    place = model_place(data, model)
    place.mkdir(parents=True, exist_ok=True)
    _write(place / _OWN, {"folder": str(folder)})
    return folder


def own_folder(data: Path, model: Model) -> Path | None:
    """The folder that the user named for a model, while it exists."""
    found = _read(model_place(data, model) / _OWN)
    folder = found.get("folder") if found else None
    return Path(folder) if isinstance(folder, str) and Path(folder).is_dir() else None


def remove(data: Path, model: Model) -> None:
    """Delete what was downloaded of a model, and forget the folder that the user named."""
    place, path = model_place(data, model), model_path(data, model)
    for file in (place / _OWN, place / _RECORD):
        file.unlink(missing_ok=True)
    if isinstance(model, HubModel):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
        part_path(path).unlink(missing_ok=True)


@dataclass(frozen=True)
class Record:
    """What was fetched from a repository; written when all of it is there."""

    repository: str
    revision: str
    files: dict[str, tuple[int, str]]
    """Name -> size in bytes, the hash that was verified."""

    @classmethod
    def read(cls, place: Path) -> Record | None:
        found = _read(place / _RECORD)
        try:
            files = {str(name): (int(size), str(digest)) for name, (size, digest) in found["files"].items()}
            return cls(found["repository"], found["revision"], files)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def write(self, place: Path) -> None:
        _write(place / _RECORD, asdict(self))


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _read(path: Path) -> dict:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, data: dict) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(data, indent=1), "utf-8")
    fresh.replace(path)
