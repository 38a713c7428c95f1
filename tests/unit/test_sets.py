"""Scores of sets of point clouds against brute force, and where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.evaluate.sets import SetScores, chamfer_matrix, compare_sets, set_scores

RANDOM = np.random.default_rng(5)
GENERATED = RANDOM.normal(size=(6, 40, 3))
REFERENCES = RANDOM.normal(size=(9, 50, 3)) * 1.2


def brute_chamfer(a: np.ndarray, b: np.ndarray) -> float:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return float(squared.min(axis=1).mean() + squared.min(axis=0).mean())


def test_chamfer_distances_are_those_of_brute_force() -> None:
    expected = [[brute_chamfer(a, b) for b in REFERENCES] for a in GENERATED]
    np.testing.assert_allclose(chamfer_matrix(GENERATED, REFERENCES), expected, rtol=1e-12)
    np.testing.assert_allclose(chamfer_matrix(REFERENCES, GENERATED).T, expected, rtol=1e-12)


def test_scores_are_those_of_brute_force() -> None:
    across = [[brute_chamfer(a, b) for b in REFERENCES] for a in GENERATED]
    mmd = sum(min(row[number] for row in across) for number in range(9)) / 9
    cov = len({row.index(min(row)) for row in across}) / 9
    shapes = [*((cloud, True) for cloud in GENERATED), *((cloud, False) for cloud in REFERENCES)]
    agree = 0
    for number, (cloud, own) in enumerate(shapes):
        others = [(brute_chamfer(cloud, other), kind) for i, (other, kind) in enumerate(shapes) if i != number]
        agree += min(others)[1] == own
    scores = compare_sets(GENERATED, REFERENCES)
    assert scores.mmd == pytest.approx(mmd)
    assert scores.cov == pytest.approx(cov)
    assert scores.nna == pytest.approx(agree / 15)


def test_copies_of_all_references_match_and_cover_them() -> None:
    scores = compare_sets(REFERENCES, REFERENCES)
    assert scores == SetScores(mmd=0.0, cov=1.0, nna=0.0)  # the nearest other shape is always the copy


def test_one_shape_again_and_again_covers_little_and_is_told_apart() -> None:
    places = np.arange(10)[:, None, None] * 10.0
    references = RANDOM.normal(size=(10, 20, 3)) + places
    scores = compare_sets(np.repeat(references[:1] + 0.01, 10, axis=0), references)
    assert scores.cov == 0.1
    assert scores.nna == pytest.approx(19 / 20)  # all but the reference that was copied


def test_sets_of_one_distribution_cannot_be_told_apart() -> None:
    a, b = RANDOM.normal(size=(2, 60, 1, 3)) + RANDOM.normal(size=(1, 1, 16, 3)) * 0.1
    assert 0.3 < compare_sets(a, b).nna < 0.7


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        chamfer_matrix(GENERATED[0], REFERENCES)
    with pytest.raises(ValueError, match="not finite"):
        chamfer_matrix(GENERATED * np.inf, REFERENCES)
    with pytest.raises(ValueError, match="do not fit"):
        set_scores(np.ones((2, 3)), np.ones((2, 2)), np.ones((2, 2)))


def test_distances_within_a_set_are_those_across_its_copy() -> None:
    np.testing.assert_array_equal(chamfer_matrix(GENERATED, GENERATED), chamfer_matrix(GENERATED, GENERATED.copy()))
