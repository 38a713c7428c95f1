"""Where weights lie: `models/<id>/<file>` in the data folder."""

from __future__ import annotations

from pathlib import Path

from omagen.catalog.models import MODELS, Model
from omagen.protocol import default_data_folder


def find(model_id: str) -> Path | None:
    """The weights of a model in this process's data folder ($OMAGEN_DATA), or None where they are not installed."""
    for model in MODELS:
        if model.id == model_id:
            path = model_path(default_data_folder(), model)
            return path if is_installed(path, model) else None
    return None


def model_path(data: Path, model: Model) -> Path:
    """Where a model's file is, or would be."""
    return data / "models" / model.id / model.file


def is_installed(path: Path, model: Model) -> bool:
    """Whether the whole file is there. Its hash was verified before it got its name."""
    try:
        return path.stat().st_size == model.size
    except OSError:
        return False
