"""Whether pairs of border points stand in order along both borders, as they do where two borders are one seam."""

from __future__ import annotations

import numba
import numpy as np

STRIDE = 6
"""Pairs further apart along a border do not support each other."""


@numba.njit(cache=True, nogil=True)
def keep_in_order(partner: np.ndarray, loop: np.ndarray, start: np.ndarray) -> None:
    """Undo, in place, pairs without support: whose neighbours along the border have partners elsewhere or out of order.

    `partner` (N,) int64: the other step of each step's pair or -1; `loop` (N,), `start` (L + 1,) as in `Loops`.
    """
    for index in range(len(start) - 1):
        low, high = start[index], start[index + 1]
        begin = low
        while begin < high:
            # A run: pairs in a row, not far apart, with partners on one loop that are not far apart either.
            while begin < high and partner[begin] < 0:
                begin += 1
            if begin == high:
                break
            last, turn, members = begin, 0, 1
            k = begin + 1
            while k < high and k - last <= STRIDE:
                if partner[k] >= 0:
                    move = _move(int(partner[last]), int(partner[k]), loop, start)
                    if move == 0 or abs(move) > 3 * (k - last) + 2:
                        break
                    turn += 1 if move > 0 else -1
                    members += 1
                    last = k
                k += 1
            if members < 2:
                _undo(partner, begin)
            else:
                _keep_one_way(partner, loop, start, begin, last, 1 if turn > 0 else -1)
            begin = last + 1


@numba.njit(cache=True, nogil=True)
def _keep_one_way(partner: np.ndarray, loop: np.ndarray, start: np.ndarray, begin: int, end: int, turn: int) -> None:
    """In a run of pairs, undo those that go against `turn`, the direction of most."""
    last = begin
    for k in range(begin + 1, end + 1):
        if partner[k] < 0 or partner[last] < 0:
            last = k if partner[last] < 0 else last
            continue
        if _move(int(partner[last]), int(partner[k]), loop, start) * turn > 0:
            last = k
        else:
            _undo(partner, k)


@numba.njit(cache=True, nogil=True)
def _move(p: int, q: int, loop: np.ndarray, start: np.ndarray) -> int:
    """Steps from p to q along their loop, the shorter way; 0 where they are on different loops."""
    if loop[p] != loop[q]:
        return 0
    length = int(start[loop[p] + 1] - start[loop[p]])
    move = int((q - p) % length)
    return move if 2 * move <= length else move - length


@numba.njit(cache=True, nogil=True)
def _undo(partner: np.ndarray, k: int) -> None:
    partner[partner[k]] = -1
    partner[k] = -1


@numba.njit(cache=True, nogil=True)
def run_opposite(
    first: np.ndarray, second: np.ndarray, loop: np.ndarray, start: np.ndarray, partner: np.ndarray
) -> np.ndarray:
    """(N,) int8 for each pair: 1 where both borders pass their pairs in opposite directions, as charts with the same
    winding do; -1 where in the same; 0 where no other pair is near."""
    opposite = np.zeros(len(first), np.int8)
    for n in range(len(first)):
        k, low, high = first[n], start[loop[first[n]]], start[loop[first[n]] + 1]
        for step in range(1, STRIDE + 1):
            ahead = low + (k - low + step) % (high - low)
            if partner[ahead] >= 0:
                move = _move(int(second[n]), int(partner[ahead]), loop, start)
                opposite[n] = 1 if move < 0 else -1 if move > 0 else 0
                break
    return opposite
