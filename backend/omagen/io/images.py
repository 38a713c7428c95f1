"""Pictures and masks in, PNG out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from omagen.io.decoding import decode_image, file_title
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Picture

MIN_SIDE: Final = 16
MAX_ASPECT: Final = 20.0


def read_picture(path: Path) -> Picture:
    """The picture at `path`, upright and in sRGB. Beyond 4096 pixels a side it is scaled down, with a warning.

    Raises `OmagenError` (input): not an image, damaged, too large, too small (16 pixels), too elongated (20:1) or fully
    transparent.
    """
    title = file_title(path, "picture")
    decoded = decode_image(path, title, photo=True, check=lambda size: _check_shape(size, title))
    alpha = decoded.rgba[..., 3]
    lowest, highest = int(alpha.min()), int(alpha.max())
    if highest == 0:
        raise OmagenError(
            ErrorCode.INPUT,
            f"There is no object in {title}: it is fully transparent.",
            "Choose a picture in which the object is visible.",
        )
    return Picture(decoded.rgba, has_alpha=lowest != highest, warnings=decoded.warnings)


def read_mask(path: Path) -> np.ndarray:
    """(H, W) float32, 0 to 1: brightness times opacity of the image at `path`. White is the object.

    Raises `OmagenError` (input) as `read_picture` does, and if the mask is black all over.
    """
    title = file_title(path, "mask")
    rgba = decode_image(path, title, photo=True, check=lambda size: _check_shape(size, title)).rgba
    grey = cv2.multiply(cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY), rgba[..., 3], scale=1 / 255)
    if not grey.any():
        raise OmagenError(
            ErrorCode.INPUT, f"There is no object in {title}: it is black all over.", "Paint the object white."
        )
    return grey.astype(np.float32) / np.float32(255)


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG file of `pixels`: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, grey / RGB / RGBA, top row first.

    Deflate level 1 with the Sub filter: 0.15 s for a 2048² texture where level 6 takes 1 s, and at most 25 % larger.
    """
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(f"pixels must be uint8 or uint16 (H, W[, 3 or 4]), not {pixels.dtype} {pixels.shape}")
    if pixels.ndim == 3:
        if pixels.shape[2] not in (3, 4):
            raise ValueError(f"pixels must have 3 or 4 channels, not {pixels.shape[2]}")
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    settings = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 0]
    settings += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
    encoded, data = cv2.imencode(".png", pixels, settings)
    if not encoded:
        raise OSError(f"the PNG encoder failed on {pixels.dtype} {pixels.shape}")
    return data.tobytes()


def _check_shape(size: tuple[int, int], title: str) -> None:
    width, height = size
    if min(size) < MIN_SIDE and max(size) < MIN_SIDE * MAX_ASPECT:
        problem = f"is too small ({width} x {height})"
    elif max(size) > MAX_ASPECT * min(size):
        problem = f"is too elongated ({width} x {height})"
    else:
        return
    raise OmagenError(
        ErrorCode.INPUT,
        f"{title[0].upper()}{title[1:]} {problem}.",
        f"Use one of at least {MIN_SIDE} x {MIN_SIDE} pixels and at most {MAX_ASPECT:g} times as long as wide.",
    )
