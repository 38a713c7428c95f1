"""The few array operations of the solver that numpy and torch spell differently; all else is written once for both."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

MAX_TURN = 1.1
"""Radians; targets further away are followed so far only: steeper ones would have faces turn over"""
Array = Any
"""A float64 or int64 array of numpy, or a tensor of torch on one device"""


class Arrays:
    """Arrays on a device: numpy on `cpu`, torch elsewhere (`cuda`, `cuda:1`) or where `torch` says so."""

    def __init__(self, device: str = "cpu", *, torch: bool = False) -> None:
        self.device = device
        self.torch: Any = None
        if torch or device.startswith("cuda"):
            import torch as torch_module  # pyright: ignore[reportMissingImports]  # of the extra `cuda`

            self.torch = torch_module

    def floats(self, values: np.ndarray) -> Array:
        array = np.ascontiguousarray(values, np.float64)
        return array if self.torch is None else self.torch.from_numpy(array).to(self.device)

    def indices(self, values: np.ndarray) -> Array:
        array = np.ascontiguousarray(values, np.int64)
        return array if self.torch is None else self.torch.from_numpy(array).to(self.device)

    def numpy(self, array: Array) -> np.ndarray:
        return array if self.torch is None else array.cpu().numpy()

    def sums(self, rows: np.ndarray, count: int) -> Array:
        """A matrix (`count`, N) that, applied to (N, C), adds up the rows that go to the same of `count` places."""
        order = np.argsort(rows, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
        ones = np.ones(len(rows))
        if self.torch is None:
            from scipy.sparse import csr_array

            return csr_array((ones, order, starts), shape=(count, len(rows)))
        index = [self.torch.from_numpy(np.ascontiguousarray(i, np.int64)).to(self.device) for i in (starts, order)]
        with warnings.catch_warnings():  # torch calls these matrices a beta, once
            warnings.simplefilter("ignore", UserWarning)
            return self.torch.sparse_csr_tensor(*index, self.floats(ones), size=(count, len(rows)))

    def scattered(self, rows: Array, values: Array, count: int) -> Array:
        """(`count`,): the sums of `values` (N,) that go to the same of `count` places, `rows` (N,)"""
        if self.torch is None:
            return np.bincount(rows, values, count)
        return self.torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, rows, values)

    def empty_like(self, array: Array) -> Array:
        return np.empty_like(array) if self.torch is None else self.torch.empty_like(array)

    def contiguous(self, array: Array) -> Array:
        return np.ascontiguousarray(array) if self.torch is None else array.contiguous()

    def spread(self, values: Array) -> Array:
        """(F, 3, C) of `values` (F, C)"""
        shape = (values.shape[0], 3, values.shape[1])
        return np.broadcast_to(values[:, None], shape) if self.torch is None else values[:, None].expand(shape)

    def join(self, a: Array, b: Array) -> Array:
        """The columns of both"""
        return np.concatenate([a, b], 1) if self.torch is None else self.torch.cat([a, b], 1)

    def turn(self, sine: Array, cosine: Array, share: Array) -> tuple[Array, Array]:
        """Sine and cosine of `share` of an angle"""
        functions = np if self.torch is None else self.torch
        angle = (functions.arctan2(sine, cosine) * share).clip(-MAX_TURN, MAX_TURN)
        return functions.sin(angle), functions.cos(angle)

    def where(self, condition: Array, a: Array, b: Array | float) -> Array:
        return np.where(condition, a, b) if self.torch is None else self.torch.where(condition, a, b)


def dot(a: Array, b: Array) -> Array:
    """Along the last axis, which stays with length 1 and may be 3 only: three products are faster than a sum."""
    return a[..., :1] * b[..., :1] + a[..., 1:2] * b[..., 1:2] + a[..., 2:] * b[..., 2:]


def cross(a: Array, b: Array) -> Array:
    result = a * 1.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        result[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return result


def unit(vectors: Array) -> Array:
    """`vectors` (..., 3) with length 1; zero stays zero."""
    return vectors / (dot(vectors, vectors) ** 0.5).clip(1e-300)
