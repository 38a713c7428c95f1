"""Triangles in a picture's plane -> pixels: which face is where, and whatever its corners carry.

One rule for all functions here: a face covers a pixel when it contains the pixel's sample point, by default its
centre. A point on a shared edge belongs to the face on its right, or above where the edge is level, so faces side by
side cover each pixel exactly once. Where faces overlap the last one wins; winding does not matter. Faces without area,
with undefined coordinates or with coordinates beyond 2^30 cover nothing.
"""

from __future__ import annotations

import numpy as np

from omagen.omage.raster_dilation import dilate
from omagen.omage.raster_kernels import bin_faces, count_faces, draw_faces, planes_kernel

__all__ = ["CENTRE", "count_overlap", "dilate", "raster_faces", "raster_planes"]

CENTRE = (0.5, 0.5)
"""Where in a pixel its sample point lies: u to the right, v up."""
BAND_BYTES = 500_000
"""Of the planes that are drawn at once; what stays in a processor's second cache."""
FACES_IN_BANDS = 64
"""Pixels in the picture per face from which sorting the faces by band pays."""


def raster_faces(
    uv: np.ndarray, height: int, width: int, sample: tuple[float, float] = CENTRE
) -> tuple[np.ndarray, np.ndarray]:
    """Which face covers each pixel, and where in the face the sample point lies.

    `uv`: (F, 3, 2) corners in pixels; pixel (i, j) has its centre at (j + 0.5, i + 0.5), row 0 at v = 0.
    Returns `face` (H, W) int32, -1 where there is none, and `bary` (H, W, 2) float32, the weights of corners 1 and 2,
    at least 0 and together at most 1; 0 where there is no face.
    """
    face = np.full((height, width), -1, np.int32)
    bary = np.zeros((height, width, 2), np.float32)
    draw_faces(_corners(uv), *sample, face, bary)
    return face, bary


def raster_planes(
    uv: np.ndarray,
    values: np.ndarray,
    height: int,
    width: int,
    *,
    corner: np.ndarray | None = None,
    sample: tuple[float, float] = CENTRE,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What the corners carry, interpolated over the pixels; all channels of a pixel lie side by side.

    `uv` as for `raster_faces`. `values`: (F, 3, C) float32, or (N, C) float32 with `corner` (F, 3) int32 naming the
    row of each corner. Returns `out` (H, W, C), 0 where there is no face, and `covered` (H, W) bool.
    `out`, C-contiguous, float32 or uint8, is filled in place of a new float32 array; for uint8 the values must lie
    within 0 and 1 and become 0 to 255, rounded.
    """
    uv = _corners(uv)
    if corner is None:
        corner = np.arange(len(uv) * 3, dtype=np.int32).reshape(-1, 3)
    channels = values.shape[-1]
    values = np.ascontiguousarray(values, np.float32).reshape(-1, channels)
    if out is None:
        out = np.empty((height, width, channels), np.float32)
    elif out.shape != (height, width, channels) or not out.flags.c_contiguous:
        raise ValueError(f"the planes are {out.shape}, not C-contiguous {(height, width, channels)}")
    if out.dtype == np.uint8:
        values = values.clip(0, 1) * np.float32(255) + np.float32(0.5)
    covered = np.zeros((height, width), np.bool_)
    order, start, rows = np.empty(0, np.int32), np.array([0, len(uv)]), height
    if len(uv) * FACES_IN_BANDS < height * width:
        rows = min(max(BAND_BYTES // max(out[:1].nbytes, 1), 1), max(height, 1))
        order, start = bin_faces(uv, sample[1], height, rows)
    draw = planes_kernel(channels)
    draw(uv, corner, values, *sample, out.reshape(-1), covered.reshape(-1), (height, width), order, start, rows)
    return out, covered


def count_overlap(uv: np.ndarray, height: int, width: int, sample: tuple[float, float] = CENTRE) -> np.ndarray:
    """(H, W) int32: how many faces cover each pixel; `uv` as for `raster_faces`."""
    count = np.zeros((height, width), np.int32)
    count_faces(_corners(uv), *sample, count)
    return count


def _corners(uv: np.ndarray) -> np.ndarray:
    if uv.ndim != 3 or uv.shape[1:] != (3, 2):
        raise ValueError(f"the corners are {uv.shape}, not (F, 3, 2)")
    return np.ascontiguousarray(uv, np.float64)
