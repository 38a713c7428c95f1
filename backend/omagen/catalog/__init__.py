"""Weights: which there are, where from, under which licence; downloads that resume and are verified."""

from omagen.catalog.downloads import Downloads, ModelState, ModelStatus
from omagen.catalog.installed import find, model_path
from omagen.catalog.models import MODELS, FileModel, HubModel, Model

__all__ = ["MODELS", "Downloads", "FileModel", "HubModel", "Model", "ModelState", "ModelStatus", "find", "model_path"]
