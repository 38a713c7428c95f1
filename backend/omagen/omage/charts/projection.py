"""The charts that always work: pieces seen along one of the six axes, halved until none covers itself."""

from __future__ import annotations

import numpy as np

from omagen.omage.charts.topology import connected_faces, inner_half_edges

_AXES = np.array([[[0, 1, 0], [0, 0, 1]], [[0, 0, 1], [1, 0, 0]], [[1, 0, 0], [0, 1, 0]]], np.float64)
"""For the x, y and z axis: the two directions that become u and v, seen against the axis."""


def box_projection(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`side` (F,) int32 0..5, the axis that each face looks along most, and `uv` (F, 3, 2), its view along that axis.

    `corners` (F, 3, 3) float64. Faces with an area come out counter-clockwise.
    """
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.argmax(np.abs(normal), axis=1)
    looks_back = np.take_along_axis(normal, axis[:, None], axis=1)[:, 0] < 0
    uv = np.einsum("fcx,fux->fcu", corners, _AXES[axis])
    uv[looks_back, :, 0] *= -1
    return (2 * axis + looks_back).astype(np.int32), uv


def halve(corners: np.ndarray, chart: np.ndarray, charts: int) -> np.ndarray:
    """(F,) bool: the half of its chart that each face is in, split across the chart's longest side.

    Charts of two faces or more always get two halves. `corners` (F, 3, D) float64, `chart` (F,) int32.
    """
    middle = corners.mean(axis=1)
    dimensions = middle.shape[1]
    low, high = np.full((charts, dimensions), np.inf), np.full((charts, dimensions), -np.inf)
    np.minimum.at(low, chart, middle)
    np.maximum.at(high, chart, middle)
    axis = np.argmax(high - low, axis=1)[chart][:, None]
    along = np.take_along_axis(middle, axis, axis=1)[:, 0]
    order = np.lexsort((along, chart))
    size = np.bincount(chart, minlength=charts)
    rank = np.empty(len(chart), np.int64)
    rank[order] = np.arange(len(chart)) - np.repeat(np.cumsum(size) - size, size)
    return rank >= (size[chart] + 1) // 2


def connected_charts(opposite: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, int]:
    """Charts (F,) int32 and their number: faces of the same `label` (F,) that are joined over edges."""
    return connected_faces(inner_half_edges(opposite, label))
