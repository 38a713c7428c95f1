"""Chart and seam numbers of an omage's pixels as compact text for `omage.json`.

Charts are runs of equal numbers in row-major order, from v = 0: (length, number - previous number). Seams are the
pixels that have a number: (index - previous index, number - previous number). Pairs of little-endian int32, their bytes
regrouped by significance (which halves the size), then zlib, then base64.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

import cv2
import numpy as np

MOST_PAIRS: Final = 2**22
"""What is read at most; bounds the memory that a hostile file can ask for. More is not stored."""


def encode_charts(chart: np.ndarray) -> str:
    """Text of `chart`, (R, R) int32, -1 where unoccupied; empty where there are too many runs to store."""
    flat = chart.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    return _encode(lengths, np.diff(flat[starts], prepend=0))


def decode_charts(text: str, resolution: int) -> np.ndarray:
    """(R, R) int32, at least -1. Raises `ValueError` where `text` is not what `encode_charts` makes for R."""
    pixels = resolution * resolution
    lengths, numbers = _decode(text, pixels)
    numbers = np.cumsum(numbers)
    if (lengths < 1).any() or lengths.sum() != pixels or (numbers < -1).any() or (numbers >= pixels).any():
        raise ValueError("the runs do not fill the picture")
    return np.repeat(numbers.astype(np.int32), lengths).reshape(resolution, resolution)


def encode_seams(seam: np.ndarray) -> str:
    """Text of `seam`, (R, R) int32, -1 where a pixel is on no seam; empty where there are too many to store."""
    flat = seam.ravel()
    pixels = np.flatnonzero(flat >= 0)
    return _encode(np.diff(pixels, prepend=0), np.diff(flat[pixels].astype(np.int64), prepend=0))


def decode_seams(text: str, resolution: int) -> np.ndarray:
    """(R, R) int32, at least -1. Raises `ValueError` where `text` is not what `encode_seams` makes for R."""
    count = resolution * resolution
    steps, numbers = _decode(text, count)
    pixels, numbers = np.cumsum(steps), np.cumsum(numbers)
    ordered = (steps[1:] > 0).all() and (steps[:1] >= 0).all()
    if not ordered or (pixels >= count).any() or (numbers < 0).any() or (numbers >= count).any():
        raise ValueError("the seam pixels are not in the picture")
    seam = np.full(count, -1, np.int32)
    seam[pixels] = numbers
    return seam.reshape(resolution, resolution)


def fit_charts(chart: np.ndarray, occupancy: np.ndarray) -> np.ndarray:
    """`chart` for an occupancy that may have been edited since: (R, R) int32, -1 exactly where not occupied.

    Pixels painted onto a chart's edge join the nearest chart; painted islands become charts of their own.
    """
    chart = np.where(occupancy, chart, np.int32(-1))
    added = occupancy & (chart < 0)
    if not added.any():
        return chart
    count, components = cv2.connectedComponents(occupancy.astype(np.uint8), connectivity=8)
    islands = np.asarray(components, np.int32)
    charted = np.zeros(count, bool)
    charted[islands[chart >= 0]] = True
    joining = added & charted[islands]
    if joining.any():
        free = (chart < 0).astype(np.uint8)
        _, sources = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        nearest = np.asarray(sources, np.int32)
        number = np.zeros(int(nearest.max()) + 1, np.int32)
        number[nearest[chart >= 0]] = chart[chart >= 0]
        chart[joining] = number[nearest[joining]]
    alone = added & ~joining
    chart[alone] = islands[alone] + (chart.max() + 1)
    return chart


def _encode(first: np.ndarray, second: np.ndarray) -> str:
    if len(first) > MOST_PAIRS:
        return ""
    pairs = np.concatenate([first, second]).astype("<i4")
    shuffled = pairs.view(np.uint8).reshape(-1, 4).T
    return base64.b64encode(zlib.compress(shuffled.tobytes(), 6)).decode("ascii")


def _decode(text: str, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    most_bytes = 8 * min(pixels, MOST_PAIRS)
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), most_bytes + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from error
    if len(data) % 8 or len(data) > most_bytes:
        raise ValueError("its length is wrong")
    pairs = np.frombuffer(data, np.uint8).reshape(4, -1).T.copy().view("<i4").ravel().astype(np.int64)
    return pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
