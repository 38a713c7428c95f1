"""Several pictures of one size on one sheet, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

SHEET: Final = 4
"""Views on one sheet at most: two by two views of 512 pixels is what models of that size still draw well"""


def join(pictures: Sequence[np.ndarray], fill: float) -> np.ndarray:
    """One picture of all `pictures` (H, W) or (H, W, C), row by row, as near to square as it goes; gaps hold `fill`."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    sheet = np.full((rows * height, columns * width, *pictures[0].shape[2:]), fill, np.float32)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return sheet


def split(sheet: np.ndarray, count: int, shape: tuple[int, int]) -> list[np.ndarray]:
    """The `count` pictures of `shape` (height, width) that `join` put on `sheet`."""
    columns = sheet.shape[1] // shape[1]
    places = [divmod(i, columns) for i in range(count)]
    return [sheet[r * shape[0] : (r + 1) * shape[0], c * shape[1] : (c + 1) * shape[1]] for r, c in places]
