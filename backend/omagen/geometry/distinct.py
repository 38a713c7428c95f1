"""Finds equal rows in large tables, several times faster than sorting whole rows."""

from __future__ import annotations

import numpy as np


def distinct_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`first` (D,) int64, ascending: where each distinct row first occurs; and `inverse` (N,) int64: which one each is.

    `table` (N, C) of any 4-byte numbers, compared by value (0 equals -0); no NaN. Rows are sorted by a 64-bit hash and,
    should two different ones ever share it, by all their columns.
    """
    if table.dtype == np.float32:
        table = table + np.float32(0)  # turns -0 into 0
    bits = np.ascontiguousarray(table).view(np.uint32)
    first, inverse = _grouped(_hashed(bits))
    if any((column != column[first][inverse]).any() for column in bits.T):
        _, first, inverse = np.unique(bits, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
    rank = np.empty(len(first), np.int64)
    order = np.argsort(first)
    rank[order] = np.arange(len(first))
    return first[order], rank[inverse]


def _hashed(bits: np.ndarray) -> np.ndarray:
    """(N,) uint64: multiply and xorshift per column, with the constants of MurmurHash3's finaliser."""
    state = np.zeros(len(bits), np.uint64)
    for column in bits.T:
        state ^= column
        state *= np.uint64(0xFF51AFD7ED558CCD)
        state ^= state >> np.uint64(33)
        state *= np.uint64(0xC4CEB9FE1A85EC53)
        state ^= state >> np.uint64(33)
    return state


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first place of each distinct key, and for each place the group it is in."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_first = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    inverse = np.empty(len(keys), np.int64)
    inverse[order] = np.cumsum(is_first) - 1
    return order[is_first], inverse
