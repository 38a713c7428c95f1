"""Where a patch lies in the image, as sines and cosines."""

from __future__ import annotations

import numpy as np


def position_table(width: int, side: int) -> np.ndarray:
    """(side * side, width) float64, patches in rows; the first half of the width tells the column, the other the row.

    Either half holds the sines of the place at width / 4 frequencies from 1 to nearly 1/10000, then the cosines.
    """
    quarter = width // 4
    frequencies = 10000.0 ** (-np.arange(quarter) / quarter)
    angles = np.arange(side)[:, None] * frequencies
    line = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.concatenate([np.tile(line, (side, 1)), np.repeat(line, side, axis=0)], axis=1)
