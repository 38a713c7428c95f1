"""Spans to pixels on CUDA, in one pass without expanding them. Imports only where Triton is installed.

Checked with Triton's interpreter; not yet run on hardware.
"""

# pyright: reportMissingImports=false, reportIndexIssue=false

from __future__ import annotations

from typing import Final

import triton
import triton.language as tl
from torch import Tensor

BLOCK: Final = 64
"""Pixels that one program paints at a time"""


def paint_spans(face: Tensor, begin: Tensor, end: Tensor, picture: Tensor) -> None:
    """Raise the pixels `begin` to `end` (N,) int64 of `picture` (H * W,) int32 to the number of their `face` (N,)."""
    if len(face):
        _paint[(len(face),)](face, begin, end, picture, BLOCK)


@triton.jit
def _paint(face, begin, end, picture, block: tl.constexpr):
    """One program for each span; where spans overlap the face with the highest number stays, in whatever order."""
    number = tl.program_id(0)
    first = tl.load(begin + number)
    last = tl.load(end + number)
    value = tl.load(face + number).to(tl.int32)
    for start in range(first, last, block):
        pixel = start + tl.arange(0, block)
        tl.atomic_max(picture + pixel, value, mask=pixel < last)
