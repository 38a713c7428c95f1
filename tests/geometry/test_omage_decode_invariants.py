"""Whatever labels, seams and positions a picture has: what `build_surface` and the repairs must never do."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage.closing import close_seams
from omagen.omage.holes import fill_holes
from omagen.omage.outliers import remove_outliers
from omagen.omage.triangulate import Surface, build_surface

FEW = settings(max_examples=60, deadline=None)


@st.composite
def pictures(draw: st.DrawFn) -> dict[str, Any]:
    """Small pictures of charts in stripes or of noise, seams at random."""
    seed, size = draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, 12))
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, (size, size) if draw(st.booleans()) else (size, 1))
    labels = np.broadcast_to(labels, (size, size)).astype(np.int32)
    position = rng.uniform(-1, 1, (size, size, 3)).astype(np.float32)
    if draw(st.booleans()):  # on a coarse grid, so that positions coincide
        position = np.round(position * 2) / 2
    return {"labels": labels, "position": position, "seam": rng.integers(-size, size, (size, size)).astype(np.int32)}


def edge_table(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3F,) the number of each triangle's edges, and (3F,) how many triangles that edge has."""
    start, end = corners.reshape(-1), np.roll(corners, -1, axis=1).reshape(-1)
    edges = np.stack([np.minimum(start, end), np.maximum(start, end)], axis=1)
    _, number, counts = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    return number, counts[number]


def assert_sound(surface: Surface, size: int) -> None:
    faces = surface.faces
    assert np.isfinite(surface.vertices).all()
    if not len(faces):
        return
    assert faces.min() >= 0 and faces.max() < len(surface.vertices)
    assert (faces[:, [0, 1, 2]] != faces[:, [1, 2, 0]]).all()
    assert surface.pixels.min() >= 0 and surface.pixels.max() < size + len(surface.inserted)


@FEW
@given(pictures())
def test_edges_inside_charts_never_have_more_than_two_triangles(picture: dict[str, Any]) -> None:
    surface = build_surface(**picture)
    assert_sound(surface, picture["labels"].size)
    if len(surface.faces):
        _, welded = edge_table(surface.faces)
        _, apart = edge_table(surface.pixels)
        assert not ((welded > 2) & (apart == 2)).any()


@FEW
@given(pictures())
def test_triangles_stay_within_their_chart(picture: dict[str, Any]) -> None:
    surface, labels = build_surface(**picture), picture["labels"].reshape(-1)
    whole = surface.pixels[(surface.pixels < labels.size).all(axis=1)]
    assert (labels[whole] == labels[whole[:, :1]]).all() and (labels[whole] >= 0).all()
    assert (labels[surface.inserted] == labels[surface.inserted[:, :1]]).all()


@FEW
@given(pictures())
def test_repairs_add_no_edges_with_more_than_two_triangles(picture: dict[str, Any]) -> None:
    labels, position = picture["labels"], picture["position"]
    cleaned = remove_outliers(labels, position)
    closing = close_seams(cleaned.labels, cleaned.position)
    welded = build_surface(cleaned.labels, cleaned.position, closing.seam, None, closing.winding)
    filled = fill_holes(welded, cleaned.labels).surface
    assert_sound(filled, labels.size)
    if len(filled.faces):
        before = edge_table(welded.faces)[1].max(initial=0)
        assert edge_table(filled.faces)[1].max() <= max(before, 2)


@FEW
@given(pictures())
def test_every_seam_found_joins_at_least_two_pixels_of_charts(picture: dict[str, Any]) -> None:
    closing = close_seams(picture["labels"], picture["position"])
    joined = closing.seam >= 0
    assert (np.unique(closing.seam[joined], return_counts=True)[1] >= 2).all()
    assert (picture["labels"][joined] >= 0).all()
    assert joined.sum() == closing.joined + 2 * closing.pairs
