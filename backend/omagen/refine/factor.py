"""A Cholesky factor of a sparse matrix: made once, then each solution costs as much as a few products."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.arrays import Array, Arrays

try:
    import cholespy
except ImportError:  # no wheel for this system, e.g. Linux on ARM
    cholespy: Any = None


class Factor:
    """Solves A x = b for a symmetric positive definite A (n, n); by cholespy, or where that is missing by scipy.

    Raises `OmagenError` (geometry) where A is not positive definite.
    """

    def __init__(self, matrix: csc_array, arrays: Arrays) -> None:
        if not np.isfinite(matrix.data).all():
            raise _unsolvable()
        try:
            self._solver = _Cholespy(matrix, arrays) if cholespy is not None else _Scipy(matrix, arrays)
        except (RuntimeError, ValueError) as error:
            raise _unsolvable() from error

    def solve(self, b: Array) -> Array:
        """x (n, C) for `b` (n, C), float64."""
        return self._solver.solve(b)


def _unsolvable() -> OmagenError:
    return OmagenError(
        ErrorCode.GEOMETRY,
        "The mesh's shape gives no solvable equations.",
        "Clean it: omagen finish, or Mesh > Finish.",
    )


class _Cholespy:
    def __init__(self, matrix: csc_array, arrays: Arrays) -> None:
        self._arrays = arrays
        parts = [matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data.astype(np.float64)]
        if arrays.torch is not None:
            parts = [arrays.torch.from_numpy(part).to(arrays.device) for part in parts]
        kind = cholespy.MatrixType.CSC
        self._solver = cholespy.CholeskySolverD(len(matrix.indptr) - 1, *parts, kind)

    def solve(self, b: Array) -> Array:
        b = self._arrays.contiguous(b)
        x = self._arrays.empty_like(b)
        self._solver.solve(b, x)
        return x


class _Scipy:
    def __init__(self, matrix: csc_array, arrays: Arrays) -> None:
        self._arrays = arrays
        self._lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def solve(self, b: Array) -> Array:
        return self._arrays.floats(self._lu.solve(self._arrays.numpy(b)))
