"""Distances of feature sets against their definitions, worked out another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from omagen.evaluate.frechet import frechet_distance, kernel_distance
from scipy.linalg import sqrtm

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(60, 5)) @ RANDOM.normal(size=(5, 5))
B = RANDOM.normal(size=(80, 5)) @ RANDOM.normal(size=(5, 5)) + 0.5


def test_the_frechet_distance_is_that_of_its_definition() -> None:
    cov_a, cov_b = np.cov(A, rowvar=False), np.cov(B, rowvar=False)
    root = np.trace(np.real(sqrtm(cov_a @ cov_b)))
    expected = ((A.mean(0) - B.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * root
    assert frechet_distance(A, B) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_a_shifted_copy_is_the_squared_shift() -> None:
    assert frechet_distance(A, A + np.array([3, 0, 4, 0, 0])) == pytest.approx(25)
    assert frechet_distance(A, A) == pytest.approx(0, abs=1e-9)


def test_fewer_features_than_dimensions_are_exact() -> None:
    """Two features in 30 dimensions vary along one line; along the same line only their spreads differ."""
    line = np.zeros((2, 30))
    line[1, 4] = 1
    value = frechet_distance(line, 3 * line)  # means 1 apart, standard deviations sqrt(0.5) and 3 sqrt(0.5)
    assert value == pytest.approx(1 + 0.5 + 4.5 - 2 * 1.5)


def test_the_kernel_distance_is_that_of_its_definition() -> None:
    a, b = A[:20], B[:20]

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / 5 + 1) ** 3

    within = sum(kernel(s[i], s[j]) for s in (a, b) for i in range(20) for j in range(20) if i != j) / (20 * 19)
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_distance(a, b, 1) == pytest.approx(within - 2 * across)


def test_the_kernel_distance_of_subsets_is_the_mean_over_them_and_follows_the_seed() -> None:
    value = kernel_distance(A, B, 200, 30)
    assert value == kernel_distance(A, B, 200, 30)
    assert value != kernel_distance(A, B, 200, 30, seed=1)
    assert value == pytest.approx(kernel_distance(A, B, 1, 60), rel=0.2)


def test_the_kernel_distance_of_one_distribution_is_around_nought() -> None:
    values = [kernel_distance(*pair, subsets=1) for pair in RANDOM.normal(size=(200, 2, 100, 5))]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < kernel_distance(A, B)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize("bad", [A[:1], A[:, :3], A[0], np.where(A > 2, np.nan, A)])
def test_what_cannot_be_compared_is_refused(distance: Callable[..., float], bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"cannot be compared|not finite"):
        distance(bad, B)
