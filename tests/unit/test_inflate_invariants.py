"""What every inflated object is, whatever its silhouette: closed, manifold, outward, even, as many triangles as asked
for.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from inflated_shape import angles, check, front_count
from omagen.engines.inflate.engine import InflateEngine
from omagen.engines.inflate.inflation import inflate
from omagen.foreground import Cutout
from omagen.shapes import Mesh

DEFAULTS = {p.id: p.default for p in InflateEngine().describe().parameters}


class Listener:
    """A `RunProgress` that remembers."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def make(alpha: np.ndarray, **parameters: object) -> tuple[Mesh, Listener]:
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    rgb = np.stack([x % 256, y % 256, (x + y) % 256], 2).astype(np.uint8)
    listener = Listener()
    cutout = Cutout(rgb, alpha.astype(np.float32), mixed=False)
    return inflate(cutout, DEFAULTS | {"faces": 3000} | parameters, listener, "test"), listener


def disc(size: int = 160, radius: float = 60, centre: tuple[float, float] | None = None) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    cx, cy = centre or (size / 2, size / 2)
    return np.clip(radius - np.hypot(x - cx, y - cy) + 0.5, 0, 1)


@st.composite
def silhouettes(draw: st.DrawFn) -> np.ndarray:
    """Discs and bars, added and cut out: parts, holes, necks, tips."""
    size = draw(st.integers(48, 200))
    alpha = disc(size, size * draw(st.floats(0.12, 0.4)))
    y, x = np.mgrid[:size, :size]
    for _ in range(draw(st.integers(0, 5))):
        cx, cy = draw(st.floats(0, size)), draw(st.floats(0, size))
        turn, length = draw(st.floats(0, np.pi)), draw(st.floats(0, 0.4)) * size
        along = np.clip((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), -length, length)
        distance = np.hypot(x - cx - along * np.cos(turn), y - cy - along * np.sin(turn))
        bar = np.clip(draw(st.floats(0.6, 0.15 * size)) - distance + 0.5, 0, 1)
        alpha = np.minimum(alpha, 1 - bar) if draw(st.booleans()) and draw(st.booleans()) else np.maximum(alpha, bar)
    return alpha if (alpha > 0.9).sum() > 60 else disc(size, size / 4)


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
@given(silhouettes(), st.sampled_from(["round", "flat"]), st.floats(0, 1), st.integers(1500, 3500))
def test_any_silhouette_becomes_a_closed_even_object(alpha: np.ndarray, back: str, relief: float, faces: int) -> None:
    mesh, listener = make(alpha, back=back, relief=relief, faces=faces)
    check(mesh)
    assert listener.warnings or abs(len(mesh.faces) - faces) <= 0.02 * faces
    assert np.percentile(angles(mesh), 2) > 15


@pytest.mark.parametrize("faces", [500, 5000, 40000])
def test_the_number_of_triangles_is_as_asked_for(faces: int) -> None:
    mesh, listener = make(disc(), faces=faces)
    assert abs(len(mesh.faces) - faces) <= 0.02 * faces
    assert not listener.warnings
    assert angles(mesh).min() > 15


def test_the_same_picture_gives_the_same_mesh() -> None:
    first, second = make(disc())[0], make(disc())[0]
    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.faces, second.faces)


def test_a_hole_and_a_second_part_are_kept() -> None:
    alpha = np.maximum(np.minimum(disc(200, 60), 1 - disc(200, 25)), disc(200, 12, (185, 185)))
    mesh, _ = make(alpha)
    check(mesh)
    edges = len(mesh.faces) * 3 // 2
    assert len(mesh.vertices) - edges + len(mesh.faces) == 0 + 2, "a torus and a sphere"


def test_a_line_of_one_pixel_survives() -> None:
    alpha = disc(200, 30)
    alpha[100, 20:180] = 1.0
    mesh, _ = make(alpha)
    check(mesh)
    width = np.ptp(mesh.vertices[:, 0]) / np.ptp(mesh.vertices[:, 1])
    assert width == pytest.approx(160 / 61, rel=0.05)


def test_touching_corners_give_a_manifold() -> None:
    alpha = np.kron(np.indices((6, 6)).sum(0) % 2, np.ones((16, 16)))
    check(make(alpha)[0])


def test_an_object_at_the_border_is_closed_there() -> None:
    check(make(np.ones((90, 120)))[0])


def test_specks_are_dropped() -> None:
    alpha = disc(200, 50)
    alpha[5:7, 5:7] = 1
    mesh, _ = make(alpha)
    edges = len(mesh.faces) * 3 // 2
    assert len(mesh.vertices) - edges + len(mesh.faces) == 2, "one sphere"


def test_more_parts_than_are_made_are_reported() -> None:
    alpha = np.zeros((320, 320))
    for row, column in np.ndindex(16, 16):
        size = 8 + (row < 2)
        alpha[20 * row + 4 : 20 * row + 4 + size, 20 * column + 4 : 20 * column + 12] = 1
    mesh, listener = make(alpha, faces=20000)
    check(mesh)
    assert "56" in listener.warnings[0]


def test_the_outline_is_followed_within_a_third_of_a_pixel() -> None:
    mesh, _ = make(disc(400, 150), faces=20000, relief=0.0)
    rim = np.abs(mesh.vertices[:, 2]) < 1e-7
    radius = np.linalg.norm(mesh.vertices[rim, :2], axis=1) * 300
    assert np.abs(radius - 150).max() < 0.34


@pytest.mark.parametrize("gap", [1, 3, 8])
def test_no_slivers_are_left_at_notches_and_gaps(gap: int) -> None:
    alpha = disc(400, 160)
    for turn in np.radians([0, 50, 110, 200, 290]):
        y, x = np.mgrid[:400, :400] - 199.5
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        wedge = np.clip(gap * np.clip(along - 90, 0, None) / 70 - np.abs(across) + 0.5, 0, 1) * (along > 90)
        alpha = np.minimum(alpha, 1 - wedge)
    mesh, _ = make(alpha, faces=10000, relief=0.0)
    check(mesh)
    assert angles(mesh).min() > 10


def test_a_flat_back_is_a_plane() -> None:
    mesh, _ = make(disc(), back="flat")
    check(mesh)
    lowest = mesh.vertices[:, 2].min()
    front = front_count(mesh)
    assert np.allclose(mesh.vertices[mesh.faces[front:], 2], lowest, atol=1e-6)


def test_depth_stays_below_its_limit() -> None:
    mesh, _ = make(np.ones((200, 200)), depth_limit=0.2, relief=0.0)
    assert 0.15 < np.ptp(mesh.vertices[:, 2]) < 0.201


def test_relief_raises_bright_spots() -> None:
    alpha = disc(200, 80)
    rgb = np.full((200, 200, 3), 60, np.uint8)
    rgb[disc(200, 6) > 0.5] = 255
    settings_ = DEFAULTS | {"faces": 8000}
    flat, raised = (
        inflate(Cutout(rgb, alpha.astype(np.float32), False), settings_ | {"relief": relief}, Listener(), "")
        for relief in (0, 1)
    )
    assert raised.vertices[:, 2].max() - raised.vertices[:, 2].min() > np.ptp(flat.vertices[:, 2]) + 0.005
    assert raised.materials[0].normal_texture is not None


def test_progress_rises_to_the_end() -> None:
    _, listener = make(disc())
    assert listener.fractions == sorted(listener.fractions)
    assert len(listener.fractions) > 20
