"""From the frame of meshes to the frame of omages and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omagen.omage.frame import (
    LONGEST_SIDE,
    from_omage_frame,
    normalise_vertices,
    restore_vertices,
    to_omage_frame,
)
from omagen.protocol import ErrorCode, OmagenError


def test_up_becomes_z_and_the_front_becomes_minus_y() -> None:
    right, up, front = np.eye(3)
    np.testing.assert_array_equal(to_omage_frame(np.stack([right, up, front])), [[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def test_the_two_frames_undo_each_other_and_keep_handedness_and_type() -> None:
    points = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    there = to_omage_frame(points)
    assert there.dtype == np.float32
    np.testing.assert_array_equal(from_omage_frame(there), points)
    assert np.linalg.det(to_omage_frame(np.eye(3))) == pytest.approx(1)


@given(st.integers(0, 2**31), st.floats(-3, 6), st.floats(1e-3, 1e3), st.integers(2, 50))
def test_any_mesh_is_centred_fills_the_range_and_comes_back(seed: int, power: float, offset: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = (rng.normal(size=(count, 3)) * 10**power + rng.normal(size=3) * offset).astype(np.float32)
    extent = np.ptp(vertices.astype(np.float64), axis=0).max()
    if extent == 0:
        return
    position, centre, scale = normalise_vertices(vertices)
    assert position.dtype == np.float64
    assert np.ptp(position, axis=0).max() == pytest.approx(LONGEST_SIDE)
    assert np.abs(position.max(axis=0) + position.min(axis=0)).max() < 1e-9
    restored = restore_vertices(position, centre, scale)
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, vertices, rtol=2e-7, atol=extent * 1e-12)


@pytest.mark.parametrize(
    "vertices",
    [np.zeros((0, 3)), np.ones((4, 3)), np.array([[0, 0, 0], [1, np.nan, 0]]), np.array([[0, 0, 0], [np.inf, 0, 0]])],
    ids=["none", "one point", "nan", "infinite"],
)
def test_a_mesh_without_extent_is_refused(vertices: np.ndarray) -> None:
    with pytest.raises(OmagenError) as refusal:
        normalise_vertices(vertices.astype(np.float32))
    assert refusal.value.code is ErrorCode.GEOMETRY


def test_very_large_coordinates_do_not_overflow() -> None:
    vertices = np.array([[-3e38, 0, 0], [3e38, 1, 2]], np.float32)
    position, centre, scale = normalise_vertices(vertices)
    assert np.isfinite(position).all()
    np.testing.assert_allclose(restore_vertices(position, centre, scale)[:, 0], vertices[:, 0])
