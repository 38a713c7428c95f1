"""What every inflated mesh must be: closed, manifold, outward, with charts that do not overlap."""

from __future__ import annotations

import numpy as np
from omagen.shapes import Mesh


def angles(mesh: Mesh) -> np.ndarray:
    """Smallest angle of each triangle in degrees."""
    corners = mesh.vertices[mesh.faces].astype(float)
    smallest = np.full(len(corners), 180.0)
    for k in range(3):
        u, v = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        cosine = np.sum(u * v, 1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
        np.minimum(smallest, np.degrees(np.arccos(np.clip(cosine, -1, 1))), out=smallest)
    return smallest


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def check(mesh: Mesh) -> None:
    assert np.isfinite(mesh.vertices).all()
    assert (np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices)) > 0).all(), "unused vertices"
    directed = np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)]).astype(np.int64)
    forward = directed[:, 0] * len(mesh.vertices) + directed[:, 1]
    backward = directed[:, 1] * len(mesh.vertices) + directed[:, 0]
    assert len(np.unique(forward)) == len(forward), "an edge is used twice in one direction"
    assert np.array_equal(np.sort(forward), np.sort(backward)), "an edge lacks its other side"
    assert volume(mesh) > 0
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0).max(), 1.0, rtol=1e-5)
    assert mesh.normals is not None
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=2), 1.0, atol=1e-5)
    check_charts(mesh)


def check_charts(mesh: Mesh) -> None:
    """Two charts inside the unit square, a gutter apart, no triangle turned over: straight projections cannot overlap
    then.
    """
    assert mesh.uv is not None
    assert mesh.uv.min() >= 0 and mesh.uv.max() <= 1
    a, b, c = (mesh.uv[:, k].astype(float) for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert (area > 0).mean() > 0.999, "only rounding to float32 may flatten a triangle"
    assert area.min() > -1e-7
    texture = mesh.materials[0].base_color_texture
    assert texture is not None
    front, back = (mesh.uv[part].reshape(-1, 2) for part in np.split(np.arange(len(mesh.faces)), [front_count(mesh)]))
    apart = (
        (back.min(0) - front.max(0)) * texture.pixels.shape[1::-1],
        (front.min(0) - back.max(0)) * texture.pixels.shape[1::-1],
    )
    assert max(gap.max() for gap in apart) >= 8


def front_count(mesh: Mesh) -> int:
    """How many faces the front has; they come first. A flat back is where all corners are at the bottom."""
    bottom = (mesh.vertices[mesh.faces, 2] < mesh.vertices[:, 2].min() + 1e-6).all(1)
    return int(np.argmax(bottom)) if bottom.any() else len(mesh.faces) // 2
