"""Fills a run of pixels, all channels of a pixel side by side, with vector operations.

Numba runs LLVM without the pass that joins neighbouring channels to vectors; of a loop along the row it makes scattered
writes, channel by channel. So the one loop that touches every number is written for LLVM directly.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

WIDTHS: Final = (8, 4, 2, 1)
FUSED: Final = ("contract",)
"""Lets LLVM use fused multiply-add where the processor has it."""


@intrinsic(prefer_literal=True)
def blend_span(
    typing: Any,
    out: Any,
    covered: Any,
    pixel: Any,
    count: Any,
    values: Any,
    corners: Any,
    weights: Any,
    slopes: Any,
    channels: Any,
) -> Any:
    """Inside a kernel: blend three rows of `values` (M, channels) float32 over `count` pixels from number `pixel` on.

    `out`: (N * channels,) float32, or uint8 where the fraction is cut off; `covered`: (N,) bool, set to True;
    `corners`: three row numbers; `weights`: those of corners 1 and 2 at the first pixel, `slopes`: by how much they
    grow from pixel to pixel, pairs of float32; `channels`: known when compiled. Nothing is checked.
    """
    index, pair = types.intp, types.UniTuple(types.float32, 2)
    corner_type = types.UniTuple(index, 3)
    signature = types.void(out, covered, index, index, values, corner_type, pair, pair, channels)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(signature.args[k])(context, builder, arguments[k]).data for k in (0, 1, 4)]
        _generate(builder, arrays, arguments, channels.literal_value, signature.args[0].dtype == types.uint8)
        return context.get_dummy_value()

    return signature, generate


def _generate(builder: Any, arrays: list[Any], arguments: Any, channels: int, to_bytes: bool) -> None:
    out, covered, values = arrays
    _, _, pixel, count, _, corners, weights, slopes, _ = arguments
    size = ir.Constant(pixel.type, channels)
    rows = [builder.gep(values, [builder.mul(builder.extract_value(corners, k), size)]) for k in range(3)]
    parts = []
    for first, width in _parts(channels):
        a, b, c = (_load(builder, row, first, width) for row in rows)
        edges = builder.fsub(b, a), builder.fsub(c, a)
        start = _blend(builder, weights, edges, a)
        step = _blend(builder, slopes, edges, None)
        parts.append((first, start, step))
    along = cgutils.alloca_once_value(builder, ir.Constant(ir.FloatType(), 0.0))
    builder.store(ir.Constant(ir.FloatType(), 0.0), along)
    with cgutils.for_range(builder, count) as loop:
        place = builder.add(pixel, loop.index)
        builder.store(ir.Constant(ir.IntType(8), 1), builder.gep(covered, [place]))
        target = builder.gep(out, [builder.mul(place, size)])
        distance = builder.load(along)
        for first, start, step in parts:
            moved = builder.fmul(_spread(builder, distance, step.type), step, flags=FUSED)
            _store(builder, builder.fadd(moved, start, flags=FUSED), target, first, to_bytes)
        builder.store(builder.fadd(distance, ir.Constant(ir.FloatType(), 1.0)), along)


def _parts(channels: int) -> list[tuple[int, int]]:
    """The first channel and the width of the vectors that make up a pixel, the widest first."""
    parts: list[tuple[int, int]] = []
    first = 0
    while first < channels:
        width = next(width for width in WIDTHS if width <= channels - first)
        parts.append((first, width))
        first += width
    return parts


def _load(builder: Any, row: Any, first: int, width: int) -> Any:
    start = builder.gep(row, [ir.Constant(ir.IntType(64), first)])
    vector = ir.VectorType(ir.FloatType(), width)
    return builder.load(builder.bitcast(start, vector.as_pointer()), align=4)


def _store(builder: Any, numbers: Any, target: Any, first: int, to_bytes: bool) -> None:
    if to_bytes:
        numbers = builder.fptoui(numbers, ir.VectorType(ir.IntType(8), numbers.type.count))
    start = builder.gep(target, [ir.Constant(ir.IntType(64), first)])
    builder.store(numbers, builder.bitcast(start, numbers.type.as_pointer()), align=1 if to_bytes else 4)


def _blend(builder: Any, weights: Any, edges: tuple[Any, Any], base: Any) -> Any:
    """The sum of two vectors by a pair of weights, and of `base` unless that is None."""
    for number, edge in enumerate(edges):
        weight = _spread(builder, builder.extract_value(weights, number), edge.type)
        term = builder.fmul(weight, edge, flags=FUSED)
        base = builder.fadd(term, base, flags=FUSED) if base is not None else term
    return base


def _spread(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    """`scalar` in every place of a vector."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, zeros)
