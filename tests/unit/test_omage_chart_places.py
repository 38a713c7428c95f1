"""Places of decoded triangles in the picture: none turned over, although seam points share pixels."""

from __future__ import annotations

import numpy as np
import pytest
from generated_meshes import torus, tube
from omagen.omage.chart_places import corner_places
from omagen.omage.encode import encode
from omagen.omage.patches import chart_labels
from omagen.omage.triangulate import build_surface
from omagen.shapes import Mesh, Omage
from sample_meshes import cube


def placed(omage: Omage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in pixels (F, 3, 2), 1 or -1 for how triangles should run, and corners' pixels; but for triangles that lie
    back to back."""
    labels = chart_labels(omage)
    surface = build_surface(labels, omage.position, omage.seam, omage.normal)
    chart = np.unique(surface.face_labels(labels), return_inverse=True)[1].astype(np.int32)
    uv, mirrored = corner_places(surface, labels, omage.seam, chart)
    _, same, count = np.unique(np.sort(surface.faces), axis=0, return_inverse=True, return_counts=True)
    alone = count[same.reshape(-1)] == 1
    return uv[alone] * omage.resolution, np.where(mirrored, -1.0, 1.0)[chart[alone]], surface.pixels[alone]


@pytest.mark.parametrize(
    "mesh",
    [cube(), torus(1, 0.5, (9, 8), 0.4), torus(7, 0.8, (5, 13), 0.1), tube(5, 0.3, 5, 6)],
    ids=["cube", "torus", "thin torus", "tube"],
)
@pytest.mark.parametrize("resolution", [48, 96, 192])
def test_no_triangle_is_turned_over_or_without_area(mesh: Mesh, resolution: int) -> None:
    uv, sign, _ = placed(encode(mesh, resolution)[0])
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    assert (sign * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).min() > 0


def test_triangles_lie_where_their_pixels_are() -> None:
    omage = encode(torus(1, 0.5, (9, 8), 0.4), 96)[0]
    uv, _, pixels = placed(omage)
    centres = np.stack([pixels % 96 + 0.5, pixels // 96 + 0.5], axis=-1)
    off = np.abs(uv - centres).max(axis=(1, 2))
    assert (off == 0).mean() > 0.9
    assert off.max() < 8
