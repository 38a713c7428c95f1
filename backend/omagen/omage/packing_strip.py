"""Places charts into a strip of fixed width, each as low as it can lie in any of its turns, holes included.

The occupancy is kept as bits, 64 pixels a word, in levels: bit x of level k tells whether any of the 2^k pixels from x
on is taken. A run of any length is then tested at all columns at once, with two shifted words per 64 columns. Where the
strip is full, the first few runs of a chart already leave no column.
"""

from __future__ import annotations

import numba
import numpy as np

MANY = 500
"""Among so many charts, one of the same height and width as an earlier one is not tried below it: small ones abound."""
KINDS = 64
"""Heights and widths, from 1 pixel, to which this applies."""
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def empty_line(width: int, longest: int) -> np.ndarray:
    """An empty row, all taken right of `width`, in the levels for runs up to `longest` pixels: (K, words) uint64."""
    words = 2 * ((width + 63) // 64) + 1
    taken = np.arange(64 * words) >= width
    line = [taken]
    for k in range(max(longest, 1).bit_length() - 1):
        taken = taken | np.append(taken[1 << k :], np.ones(1 << k, bool))
        line.append(taken)
    return np.packbits(np.stack(line), axis=1, bitorder="little").view("<u8").astype(np.uint64)


@numba.njit(cache=True, nogil=True)
def fill_strip(levels, words, run, start, height, width, order, lean, step, limit, turns, row, column):
    """Place the charts in `order` into an empty strip; (rows used, charts placed, word operations spent).

    Of a chart's turns the one with the least y + lean * height is taken. Ends early when a chart cannot be placed below
    row `limit`. Only rows at multiples of `step` are tried for a chart, which then sinks to where it rests.
    """
    flat, lines = levels.reshape(-1), levels.shape[1]
    top, spent = 0, 0
    taken = np.empty(words, np.uint64)
    kinds = KINDS if len(order) >= MANY else 0
    floor = np.zeros((kinds + 1, kinds + 1), np.int64)
    for place in range(len(order)):
        c = order[place]
        best_score, best_x, best_y, best_turn = np.inf, -1, -1, -1
        for turn in range(4):
            k = 4 * c + turn
            kind = min(height[k] - 1, kinds), min(width[k] - 1, kinds)
            y = floor[kind]
            while y <= top and y + height[k] <= limit and y + lean * height[k] <= best_score:
                x, cost = _first_column(flat, lines, words, run, start[k], start[k + 1], y, taken)
                spent += cost
                if x >= 0:
                    if max(kind) < kinds:
                        floor[kind] = y
                    for lower in range(y - 1, max(y - step, -1), -1):
                        sunk, cost = _first_column(flat, lines, words, run, start[k], start[k + 1], lower, taken)
                        spent += cost
                        if sunk < 0:
                            break
                        x, y = sunk, lower
                    score = y + lean * height[k]
                    if score < best_score or (score == best_score and x < best_x):
                        best_score, best_x, best_y, best_turn = score, x, y, turn
                    break
                y = min(y + step, top) if y < top else top + 1
        if best_turn < 0:
            return top, place, spent
        k = 4 * c + best_turn
        turns[c], row[c], column[c] = best_turn, best_y, best_x
        stamp(levels, words, run, start[k], start[k + 1], best_y, best_x)
        spent += len(levels) * height[k] * words
        top = max(top, best_y + height[k])
    return top, len(order), spent


@numba.njit(cache=True, nogil=True)
def _first_column(flat, lines, words, run, first, last, y, taken):
    """The first column where the runs fit with their lowest row at `y`, -1 if there is none; and the words read."""
    taken[:] = np.uint64(0)
    one, low = np.uint64(1), 63
    line, count = 2 * words + 1, np.uint64(words)  # unsigned indices cannot be negative: the inner loop vectorises
    for n in range(first, last):
        k, begin = run[n, 3], np.int64(run[n, 1])
        end = begin + run[n, 2] - (np.int64(1) << k)
        at = (k * lines + y + run[n, 0]) * line
        near, far = np.uint64(at + (begin >> 6)), np.uint64(at + (end >> 6))
        s, u = np.uint64(begin & low), np.uint64(end & low)
        t, v = np.uint64(low) - s, np.uint64(low) - u
        together = ALL
        for w in range(count):
            bits = taken[w] | (flat[near + w] >> s) | ((flat[near + w + one] << one) << t)
            bits |= (flat[far + w] >> u) | ((flat[far + w + one] << one) << v)
            taken[w] = bits
            together &= bits
        if together == ALL:
            return -1, (n - first + 1) * (words + 4)
    for w in range(words):
        if taken[w] != ALL:
            x = 0
            while (taken[w] >> np.uint64(x)) & one:
                x += 1
            return 64 * w + x, (last - first) * (words + 4)
    return -1, 0


@numba.njit(cache=True, nogil=True)
def stamp(levels, words, run, first, last, y, x):
    """Mark the runs as taken, the lower left pixel of their chart at column `x` of row `y`, in all levels."""
    low, high = y + (1 << 30), -1
    for n in range(first, last):
        i = y + run[n, 0]
        low, high = min(low, i), max(high, i)
        begin = x + run[n, 1]
        end = begin + run[n, 2]
        for w in range(begin >> 6, ((end - 1) >> 6) + 1):
            bits = ALL
            if w == begin >> 6:
                bits &= ALL << np.uint64(begin & 63)
            if w == (end - 1) >> 6:
                bits &= ALL >> np.uint64(63 - ((end - 1) & 63))
            levels[0, i, w] |= bits
    for k in range(1, len(levels)):
        q, s = (1 << (k - 1)) >> 6, np.uint64((1 << (k - 1)) & 63)
        t = np.uint64(63) - s
        for i in range(low, high + 1):
            below, line = levels[k - 1, i], levels[k, i]
            for w in range(words):
                line[w] = below[w] | (below[w + q] >> s) | ((below[w + q + 1] << np.uint64(1)) << t)
