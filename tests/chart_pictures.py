"""Analytic shapes as charts side by side in a picture, the way an encoder or a network makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    labels: np.ndarray
    """(R, R) int32, -1 between charts"""
    position: np.ndarray
    """(R, R, 3) float32"""
    normal: np.ndarray
    """(R, R, 3) float32"""

    def noisy(self, sigma: float, seed: int = 0) -> Picture:
        noise = np.random.default_rng(seed).normal(0, sigma, self.position.shape)
        return self._replace(position=(self.position + noise).astype(np.float32))


Chart = tuple[np.ndarray, np.ndarray]
"""Positions and normals, (h, w, 3) each"""


def side_by_side(charts: Sequence[Chart], gutter: int = 1) -> Picture:
    """The charts in rows, with at least `gutter` pixels between them and around."""
    height = max(position.shape[0] for position, _ in charts) + gutter
    width = max(position.shape[1] for position, _ in charts) + gutter
    columns = int(np.ceil(np.sqrt(len(charts) * height / width)))
    rows = -(-len(charts) // columns)
    resolution = max(columns * width, rows * height) + gutter
    labels = np.full((resolution, resolution), -1, np.int32)
    picture = Picture(labels, np.zeros((*labels.shape, 3), np.float32), np.zeros((*labels.shape, 3), np.float32))
    for number, (position, normal) in enumerate(charts):
        top, left = gutter + number // columns * height, gutter + number % columns * width
        place = np.s_[top : top + position.shape[0], left : left + position.shape[1]]
        picture.labels[place] = number
        picture.position[place] = position
        picture.normal[place] = normal
    return picture


def box_charts(side: int = 12, mirrored: Sequence[int] = (), sizes: Sequence[tuple[int, int]] = ()) -> list[Chart]:
    """The six sides of a box, wound outwards but for those `mirrored`; `sizes` in pixels where they differ."""
    charts: list[Chart] = []
    for axis in range(3):
        for sign in (1, -1):
            height, width = sizes[len(charts)] if sizes else (side, side)
            u, v = np.meshgrid(np.linspace(-0.9, 0.9, width), np.linspace(-0.9, 0.9, height))
            position, normal = np.zeros((height, width, 3)), np.zeros((height, width, 3))
            position[..., axis], normal[..., axis] = 0.9 * sign, sign
            position[..., (axis + 1) % 3], position[..., (axis + 2) % 3] = u, v
            if (sign < 0) != (len(charts) in mirrored):
                position = position[:, ::-1]
            charts.append((position, normal))
    return charts


def sphere_charts(side: int = 16) -> list[Chart]:
    """A ball of radius 0.9 in six charts."""
    charts = []
    for position, _ in box_charts(side):
        normal = position / np.linalg.norm(position, axis=-1, keepdims=True)
        charts.append((0.9 * normal, normal))
    return charts


def torus_charts(across: int = 14, along: int = 24) -> list[Chart]:
    """A ring in eight charts, four around it and two around its tube."""
    charts = []
    for quarter in range(4):
        for half in range(2):
            v, u = np.meshgrid(np.linspace(0, 1, along), np.linspace(0, 1, across))
            around, tube = (quarter + u) / 4 * 2 * np.pi, (half + v) / 2 * 2 * np.pi
            outward = np.stack([np.cos(around), np.sin(around), np.zeros_like(around)], -1)
            normal = outward * np.cos(tube)[..., None] + np.array([0, 0, 1]) * np.sin(tube)[..., None]
            charts.append((0.65 * outward + 0.25 * normal, normal))
    # Rows go around the ring and columns around its tube: mirrored against the outside, so turn them.
    return [(position[::-1], normal[::-1]) for position, normal in charts]


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Of a closed surface; negative when it is inside out."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
