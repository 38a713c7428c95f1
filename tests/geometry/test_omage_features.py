"""Samples on edges, corners and seams of the mesh, or off curved surfaces: results nearer than the pixels are fine."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.geometry.distance import surface_distance
from omagen.geometry.sampling import face_normals, sample_points
from omagen.omage import fitting
from omagen.omage.decode import decode
from omagen.omage.encode import encode
from omagen.shapes import Mesh


def folded_sheet(turn: float) -> Mesh:
    """Two squares at a right angle in one chart, the crease at an angle of `turn` to the pixels' columns."""
    flat = np.array([[x, y] for x in (-0.7, 0.03, 0.9) for y in (-0.5, 0.5)])
    bent = np.stack([np.minimum(flat[:, 0], 0.03), flat[:, 1], np.maximum(flat[:, 0] - 0.03, 0)], 1)
    cosine, sine = np.cos(turn), np.sin(turn)
    uv = flat @ np.array([[cosine, sine], [-sine, cosine]]) * 0.4 + 0.5
    faces = np.array([[0, 2, 1], [1, 2, 3], [2, 4, 3], [3, 4, 5]], np.int32)
    return Mesh(bent.astype(np.float32), faces, uv=uv.astype(np.float32)[faces])


def ball(rings: int = 90) -> Mesh:
    """A closed sphere of many triangles."""
    n = 2 * rings
    polar, around = np.meshgrid(np.pi * np.arange(1, rings) / rings, 2 * np.pi * np.arange(n) / n, indexing="ij")
    points = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(
        -1, 3
    )
    index = np.arange(len(points)).reshape(rings - 1, n)
    a, b, c, d = index[:-1], index[1:], np.roll(index, -1, 1)[1:], np.roll(index, -1, 1)[:-1]
    body = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    top, bottom = np.full(n, len(points)), np.full(n, len(points) + 1)
    caps = [
        np.stack([top, index[0], np.roll(index[0], -1)], 1),
        np.stack([bottom, np.roll(index[-1], -1), index[-1]], 1),
    ]
    vertices = np.concatenate([points, [[0, 0, 1], [0, 0, -1]]]).astype(np.float32)
    return Mesh(vertices, np.concatenate([body, *caps]).astype(np.int32))


@pytest.mark.parametrize("turn", [0.0, 0.2, 0.6, np.pi / 4])
def test_a_crease_between_pixels_comes_back_sharp(turn: float) -> None:
    mesh = folded_sheet(turn)
    decoded, _ = decode(encode(mesh, 64, uv="keep")[0])
    found = surface_distance(mesh, decoded, samples=20_000)
    pixel = np.sqrt(1.6 / 1300) / 1.6
    assert found["chamfer"] < 0.002 * pixel
    assert found["p99"] < 0.05 * pixel


def test_no_triangle_is_turned_over_by_the_move() -> None:
    mesh = folded_sheet(0.4)
    decoded, _ = decode(encode(mesh, 64, uv="keep")[0])
    assert decoded.normals is not None
    agreement = np.einsum("fk,fck->fc", face_normals(decoded.vertices, decoded.faces), decoded.normals)
    assert agreement.max(axis=1).min() > 0


def test_few_samples_of_a_ball_lie_around_it_not_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def error() -> tuple[float, float]:
        decoded, _ = decode(encode(ball(), 64)[0])
        points = sample_points(decoded.vertices, decoded.faces, 20_000).position
        off = np.linalg.norm(points, axis=1) - 1
        return float(off.mean()), float(np.abs(off).mean())

    bias, mean = error()
    monkeypatch.setattr(fitting, "approximated", lambda points, *_: points)
    plain_bias, plain_mean = error()
    assert plain_bias < 0
    assert abs(bias) < 0.5 * abs(plain_bias)
    assert mean < 0.7 * plain_mean


def test_nothing_leaves_the_bounding_box() -> None:
    omage, _ = encode(ball(), 64)
    assert np.abs(omage.position[omage.occupancy]).max() <= 0.99996


def test_seams_pass_through_the_meshs_vertices_on_them() -> None:
    rng = np.random.default_rng(0)
    corners = np.linspace(0, 2 * np.pi, 41)[:-1]
    outline = (0.7 + 0.2 * rng.random(40))[:, None] * np.stack([np.cos(corners), np.sin(corners)], 1)
    vertices = np.concatenate([np.column_stack([outline, np.zeros(40)]), [[0, 0, 0.3], [0, 0, -0.3]]]).astype(
        np.float32
    )
    i = np.arange(40)
    j = (i + 1) % 40
    faces = np.concatenate([np.stack([i, j, np.full(40, 40)], 1), np.stack([j, i, np.full(40, 41)], 1)]).astype(
        np.int32
    )
    flat = vertices[:, :2] * 0.24
    uv = np.concatenate([flat[faces[:40]] + [0.25, 0.5], flat[faces[40:]] * [-1, 1] + [0.75, 0.5]]).astype(np.float32)
    decoded, _ = decode(encode(Mesh(vertices, faces, uv=uv), 256)[0])
    distance = np.linalg.norm(decoded.vertices[None] - vertices[:40, None], axis=2).min(axis=1)
    assert np.median(distance) < 1e-5
    assert distance.max() < 0.01
