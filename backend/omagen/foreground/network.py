"""Background removal by a network, through rembg, when it is installed and one of its models is on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import cv2
import numpy as np

from omagen import catalog
from omagen.protocol import ErrorCode, OmagenError

MODELS = ("birefnet-general-lite", "isnet-general-use", "u2net", "silueta", "u2netp")
"""Best edges first. Nothing is ever fetched here: the catalogue downloads when the user asks for it."""
LARGEST = 1024
"""Longest side of what the network is shown; it works at less than that itself."""

log = logging.getLogger(__name__)
Find = Callable[[np.ndarray, Callable[[float], None]], np.ndarray]


def installed_network() -> Find | None:
    """A function from (H, W, 3) uint8 sRGB to (H, W) float32 opacity, or None where nothing is installed that could."""
    for model in MODELS:
        path = catalog.find(model)
        if path is not None:
            try:
                return _rembg(model, str(path.parent))
            except ImportError:
                log.info("the model %s is installed, rembg is not", model)
                return None
    return None


def _rembg(model: str, folder: str) -> Find:
    """`model` out of `folder`, where rembg expects it as `<model>.onnx`; with the file there it downloads nothing."""
    os.environ["U2NET_HOME"] = folder
    os.environ["MODEL_CHECKSUM_DISABLED"] = "1"
    import rembg
    from PIL import Image

    def find(rgb: np.ndarray, report: Callable[[float], None]) -> np.ndarray:
        report(0.0)
        scale = min(1.0, LARGEST / max(rgb.shape[:2]))
        small = Image.fromarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        try:
            session = rembg.new_session(model, providers=["CPUExecutionProvider"])
            report(0.4)
            mask = rembg.remove(small, session=session, only_mask=True)
        except OmagenError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base
            log.exception("the model %s failed", model)
            raise OmagenError(
                ErrorCode.MODEL, f"The background-removal model {model} could not be run: {error}",
                "Delete it and download it again, or supply a mask.",
            ) from error  # fmt: skip
        report(1.0)
        return np.asarray(mask, np.float32) / 255

    return find
