"""Distances between two sets of features: Frechet (p-FID of point clouds) and kernel (p-KID).

Heusel et al. 2017 (arXiv 1706.08500) and Binkowski et al. 2018 (arXiv 1801.01401). Features of published p-FID and
p-KID come from Point-E's PointNet (Nichol et al. 2022, arXiv 2212.08751); any other extractor's can be compared too.
"""

from __future__ import annotations

import numpy as np

SUBSETS = 100
SUBSET_SIZE = 1000


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between the normal distributions fitted to features `a` (N, D) and `b` (M, D); N and M at least 2.

    |mean_a - mean_b|² + tr(A + B - 2 (A B)^½) with covariances A and B over N - 1 and M - 1. The trace of the root is
    the sum of the singular values of F_a F_b^T where F^T F is a covariance, so no root of a matrix is taken: singular
    covariances (fewer features than dimensions) need no jitter and give no imaginary parts.
    Raises `ValueError` for other shapes or values that are not finite.
    """
    a, b = _features(a, b)
    factor_a, factor_b = _covariance_factor(a), _covariance_factor(b)
    root = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    difference = a.mean(axis=0) - b.mean(axis=0)
    value = difference @ difference + (factor_a**2).sum() + (factor_b**2).sum() - 2 * root
    return max(float(value), 0.0)


def kernel_distance(
    a: np.ndarray, b: np.ndarray, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = 0
) -> float:
    """Squared maximum mean discrepancy of features `a` (N, D) and `b` (M, D) under the kernel (x·y / D + 1)³.

    The mean over `subsets` pairs of random subsets, each of as many rows as the smaller set has, at most `subset_size`.
    Terms within a set leave out the diagonal; those across do not, so the estimate is unbiased and can be negative.
    Raises `ValueError` for other shapes or values that are not finite.
    """
    a, b = _features(a, b)
    size = min(len(a), len(b), subset_size)
    if size < 2 or subsets < 1:
        raise ValueError("the kernel distance needs at least one subset of at least two rows")
    random = np.random.default_rng(seed)
    values = [
        _discrepancy(*(rows[random.choice(len(rows), size, replace=False)] for rows in (a, b))) for _ in range(subsets)
    ]
    return float(np.mean(values))


def _discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    size, dim = a.shape

    def kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return (left @ right.T / dim + 1) ** 3

    within = sum((matrix.sum() - np.trace(matrix)) / (size * (size - 1)) for matrix in (kernel(a, a), kernel(b, b)))
    return float(within - 2 * kernel(a, b).mean())


def _covariance_factor(features: np.ndarray) -> np.ndarray:
    """(min(N, D), D) whose product with itself, transposed first, is the covariance of `features` (N, D)"""
    centred = features - features.mean(axis=0)
    return np.linalg.qr(centred, mode="r") / np.sqrt(len(features) - 1)


def _features(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"features of shapes {a.shape} and {b.shape} cannot be compared")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features hold values that are not finite")
    return a, b
