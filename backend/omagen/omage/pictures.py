"""Planes of an omage as pictures of 8 and 16 bits and back, forgiving what image editors do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import cv2
import numba
import numpy as np

from omagen.geometry.color import to_linear, to_srgb
from omagen.omage_layout import (
    ALBEDO_FILE,
    EMISSION_FILE,
    GEOMETRY_FILE,
    MAX_RESOLUTION,
    METALNESS_FILE,
    MIN_RESOLUTION,
    NORMAL_FILE,
    ROUGHNESS_FILE,
)
from omagen.protocol import ErrorCode, OmagenError

Warn = Callable[[str], None]
Planes = dict[str, np.ndarray]
"""Field of `Omage` -> array."""


def pictures_of(planes: Mapping[str, np.ndarray | None]) -> tuple[dict[str, np.ndarray], float]:
    """The pictures of an omage by file name, upright, uint8 and uint16, and the strength of its emission.

    `planes` are fields of `Omage`. Positions and directions are rounded to 16 bits; what is None makes no picture.
    """
    position, occupancy = planes["position"], planes["occupancy"]
    assert position is not None and occupancy is not None
    geometry = np.empty((*occupancy.shape, 4), np.uint16)
    _write_geometry(np.ascontiguousarray(position).reshape(-1, 3), occupancy.reshape(-1), geometry.reshape(-1, 4))
    pictures: dict[str, np.ndarray] = {GEOMETRY_FILE: geometry}
    if (normal := planes.get("normal")) is not None:
        pictures[NORMAL_FILE] = _sixteen_bits(normal)
    albedo, opacity = planes.get("albedo"), planes.get("opacity")
    if albedo is not None or opacity is not None:
        color = np.full((*occupancy.shape, 3), 255, np.uint8) if albedo is None else _srgb_bytes(albedo)
        pictures[ALBEDO_FILE] = color if opacity is None else np.dstack([color, _bytes(opacity)])
    for file, field in ((METALNESS_FILE, "metalness"), (ROUGHNESS_FILE, "roughness")):
        if (plane := planes.get(field)) is not None:
            pictures[file] = _bytes(plane)
    strength = 1.0
    emission = planes.get("emission")
    if emission is not None and emission.max(initial=0) > 0:
        strength = max(float(emission.max()), 1.0)
        pictures[EMISSION_FILE] = _srgb_bytes(emission, strength)
    return {file: picture[::-1] for file, picture in pictures.items()}, strength


def planes_of(pictures: Mapping[str, np.ndarray], emission_strength: float, warn: Warn) -> Planes:
    """The fields of `Omage` that `pictures` hold: file name -> (H, W, C) uint8 or uint16, upright.

    geometry.png fixes the resolution; maps of another size are resampled in linear light. Raises `OmagenError` (input)
    where geometry.png is not a square of colours, or has nothing occupied.
    """
    geometry = pictures[GEOMETRY_FILE][::-1]
    planes = _geometry_planes(geometry, warn)
    resolution = geometry.shape[0]
    if NORMAL_FILE in pictures:
        normal = _fitted(_as_color(_unit(pictures[NORMAL_FILE][::-1])), resolution, NORMAL_FILE, warn)
        planes["normal"] = _unit_length(normal * np.float32(2) - np.float32(1))
    if ALBEDO_FILE in pictures:
        albedo = pictures[ALBEDO_FILE][::-1]
        planes["albedo"] = _fitted(_linear(_as_color(albedo)), resolution, ALBEDO_FILE, warn)
        if albedo.shape[2] == 4 and albedo[..., 3].min() < np.iinfo(albedo.dtype).max:
            planes["opacity"] = _fitted(_unit(albedo[..., 3]), resolution, ALBEDO_FILE, lambda message: None)
    for file, field in ((METALNESS_FILE, "metalness"), (ROUGHNESS_FILE, "roughness")):
        if file in pictures:
            planes[field] = _fitted(_unit(_as_grey(pictures[file][::-1], file, warn)), resolution, file, warn)
    if EMISSION_FILE in pictures:
        emission = _fitted(_linear(_as_color(pictures[EMISSION_FILE][::-1])), resolution, EMISSION_FILE, warn)
        planes["emission"] = emission * np.float32(emission_strength)
    return planes


def _geometry_planes(geometry: np.ndarray, warn: Warn) -> Planes:
    height, width, channels = geometry.shape
    if height != width or not MIN_RESOLUTION <= width <= MAX_RESOLUTION:
        raise _error(f"is {width} x {height}; it has to be a square of {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels")
    if channels < 3:
        raise _error("is grey; its red, green and blue have to be positions")
    if geometry.dtype == np.uint8:
        warn(f"{GEOMETRY_FILE} has 8 bits per channel: positions are rounded to 1/255 of the object's size.")
    occupancy = _occupancy(geometry, warn)
    if not occupancy.any():
        raise _error("has no occupied pixel, so there is no surface")
    steps = np.float32(np.iinfo(geometry.dtype).max)
    return {"position": geometry[..., :3] * (2 / steps) - np.float32(1), "occupancy": occupancy}


def _occupancy(geometry: np.ndarray, warn: Warn) -> np.ndarray:
    """At least half opaque. Without transparency, what is not black: editors like to flatten it onto black."""
    half = (np.iinfo(geometry.dtype).max + 1) // 2
    opaque = geometry[..., 3] >= half if geometry.shape[2] == 4 else np.ones(geometry.shape[:2], bool)
    if not opaque.all():
        return opaque
    black = np.logical_not(geometry[..., :3].any(axis=-1))
    if geometry.shape[2] == 3 or black.any():
        warn(f"{GEOMETRY_FILE} has no transparency: all of its pixels that are not black are taken as occupied.")
    return np.logical_not(black)


def _sixteen_bits(signed: np.ndarray) -> np.ndarray:
    """-1..1 to uint16, rounded."""
    words = np.empty(signed.shape, np.uint16)
    _write_scaled(np.ascontiguousarray(signed).reshape(-1), np.float32(32767.5), np.float32(32768), words.reshape(-1))
    return words


def _bytes(plane: np.ndarray) -> np.ndarray:
    """0..1 to uint8, rounded."""
    levels = np.empty(plane.shape, np.uint8)
    _write_scaled(np.ascontiguousarray(plane).reshape(-1), np.float32(255), np.float32(0.5), levels.reshape(-1))
    return levels


def _srgb_bytes(linear: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Linear light 0..`strength` to sRGB uint8 through a table of 2**16 steps, at most 0.03 of a step off."""
    levels = np.empty(linear.shape, np.uint8)
    scale = np.float32(65535 / strength)
    _write_looked_up(np.ascontiguousarray(linear).reshape(-1), scale, _srgb_table(), levels.reshape(-1))
    return levels


@numba.njit(cache=True, nogil=True)
def _step(value: np.float32, scale: np.float32, shift: np.float32, most: np.float32) -> np.float32:
    """`value` * `scale` + `shift` between 0 and `most`; what is not a number is 0. Cut off, it is rounded."""
    step = value * scale + shift
    return min(step, most) if step > 0 else np.float32(0)


@numba.njit(cache=True, nogil=True)
def _write_scaled(numbers: np.ndarray, scale: np.float32, shift: np.float32, out: np.ndarray) -> None:
    most = np.float32(2 ** (8 * out.itemsize) - 1)
    for n in range(len(numbers)):
        out[n] = np.int32(_step(numbers[n], scale, shift, most))


@numba.njit(cache=True, nogil=True)
def _write_geometry(position: np.ndarray, occupancy: np.ndarray, out: np.ndarray) -> None:
    for n in range(len(out)):
        if not occupancy[n]:
            out[n] = 0
            continue
        for k in range(3):
            out[n, k] = np.int32(_step(position[n, k], np.float32(32767.5), np.float32(32768), np.float32(65535)))
        out[n, 3] = 65535


@numba.njit(cache=True, nogil=True)
def _write_looked_up(numbers: np.ndarray, scale: np.float32, table: np.ndarray, out: np.ndarray) -> None:
    for n in range(len(numbers)):
        out[n] = table[np.int32(_step(numbers[n], scale, np.float32(0.5), np.float32(65535)))]


@cache
def _srgb_table() -> np.ndarray:
    return np.round(to_srgb(np.arange(65536) / 65535) * 255).astype(np.uint8)


@cache
def _linear_table(steps: int) -> np.ndarray:
    return to_linear(np.arange(steps + 1) / steps).astype(np.float32)


def _linear(srgb: np.ndarray) -> np.ndarray:
    table = _linear_table(int(np.iinfo(srgb.dtype).max))
    return np.asarray(cv2.LUT(np.ascontiguousarray(srgb), table)) if srgb.dtype == np.uint8 else table[srgb]


def _unit(picture: np.ndarray) -> np.ndarray:
    return picture * np.float32(1 / np.iinfo(picture.dtype).max)


def _as_color(picture: np.ndarray) -> np.ndarray:
    return picture[..., :3] if picture.shape[2] >= 3 else np.repeat(picture[..., :1], 3, axis=2)


def _as_grey(picture: np.ndarray, file: str, warn: Warn) -> np.ndarray:
    """The first channel of grey pictures, the mean of colours."""
    red = picture[..., 0]
    if picture.shape[2] < 3 or ((red == picture[..., 1]) & (red == picture[..., 2])).all():
        return red
    warn(f"{file} has colours where grey is expected; their mean is taken.")
    return np.round(picture[..., :3].mean(axis=-1)).astype(picture.dtype)


def _fitted(plane: np.ndarray, resolution: int, file: str, warn: Warn) -> np.ndarray:
    """`plane` at R x R: averaged where it is larger, interpolated where it is smaller."""
    height, width = plane.shape[:2]
    if (height, width) == (resolution, resolution):
        return plane
    warn(f"{file} is {width} x {height}; resampled to the {resolution} x {resolution} of {GEOMETRY_FILE}.")
    method = cv2.INTER_AREA if min(height, width) >= resolution else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(plane), (resolution, resolution), interpolation=method)


_OFF_UNIT: Final = 1e-3
"""Squared lengths this near to 1 are a matter of rounding; left alone, so that files are read and written unchanged."""
_NO_DIRECTION: Final = 1e-3


def _unit_length(normal: np.ndarray) -> np.ndarray:
    """Unit vectors; what has no direction points up."""
    square = np.einsum("ijk,ijk->ij", normal, normal)
    off = np.abs(square - 1) > _OFF_UNIT
    if off.any():
        length = np.sqrt(square[off])
        normal[off] = np.where(
            (length < _NO_DIRECTION)[:, None],
            np.array([0, 0, 1], np.float32),
            normal[off] / np.maximum(length, _NO_DIRECTION)[:, None],
        )
    return normal


def _error(problem: str) -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT,
        f"{GEOMETRY_FILE} {problem}.",
        "Choose the geometry picture that Omagen wrote, or export it again.",
    )
