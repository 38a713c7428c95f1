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
    if len(bits) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys = _hashed(bits)
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], bits[order]
    is_new = np.ones(len(bits), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_new[1:])
    if ((rows[1:] != rows[:-1]).any(axis=1) & ~is_new[1:]).any():
        order = np.lexsort(bits.T)
        rows = bits[order]
        is_new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    group = np.cumsum(is_new) - 1
    first = order[is_new]  # both sorts are stable, so the first of a group is its first occurrence
    is_first = np.zeros(len(bits), bool)
    is_first[first] = True
    rank = np.cumsum(is_first) - 1
    inverse = np.empty(len(bits), np.int64)
    inverse[order] = rank[first][group]
    return np.flatnonzero(is_first), inverse


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
