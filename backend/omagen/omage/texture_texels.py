"""Adds up four texels by weight, all channels of a texel at once, with vector operations.

Numba runs LLVM without the pass that joins neighbouring channels to vectors, so these few operations, on which most of
the time of texture look-ups goes, are written for LLVM directly. Texels are read four channels at a time: of a texture
with three, the fourth sum is meaningless. Byte order is that of x86 and ARM.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

CHANNELS: Final = 4
FUSED: Final = ("contract",)
"""Lets LLVM use fused multiply-add where the processor has it."""
_BYTE: Final = ir.IntType(8)
_WORD: Final = ir.IntType(32)
_NUMBERS: Final = ir.VectorType(ir.FloatType(), CHANNELS)


@intrinsic
def add_bytes(typing: Any, total: Any, at: Any, texels: Any, last: Any, places: Any, weights: Any) -> Any:
    """Inside a kernel: add four texels of bytes, from 0 to 255, to `total` (N,) float32 from `at` on.

    `texels` (M,) uint8, of which `last`, M - 4, is the last place that four can be read from; `places`: where the four
    begin; `weights`: theirs, float32. Nothing is checked.
    """
    return _signature(total, at, texels, last, places, weights), _adding(_linear_bytes)


@intrinsic
def add_colors(typing: Any, total: Any, at: Any, texels: Any, last: Any, places: Any, weights: Any, table: Any) -> Any:
    """Like `add_bytes`, with the first three channels looked up in `table` (256,) float32."""
    return _signature(total, at, texels, last, places, weights, table), _adding(_colors)


@intrinsic
def add_words(typing: Any, total: Any, at: Any, texels: Any, last: Any, places: Any, weights: Any) -> Any:
    """Like `add_bytes` for `texels` uint16, from 0 to 65535; `last` is not used, there must be something behind."""
    return _signature(total, at, texels, last, places, weights), _adding(_words)


def _signature(total: Any, at: Any, texels: Any, last: Any, places: Any, weights: Any, *table: Any) -> Any:
    four = types.UniTuple(types.intp, CHANNELS)
    return types.void(total, types.intp, texels, types.intp, four, types.UniTuple(types.float32, CHANNELS), *table)


def _adding(read: Any) -> Any:
    """The code that adds what `read` finds at the four places."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, arguments[k]).data

        _, at, _, last, places, weights = arguments[:6]
        texels, table = data(2), data(6) if len(arguments) > 6 else None
        target = builder.bitcast(builder.gep(data(0), [at]), _NUMBERS.as_pointer())
        total = builder.load(target, align=4)
        for k in range(CHANNELS):
            texel = read(builder, texels, builder.extract_value(places, k), last, table)
            weight = _spread(builder, builder.extract_value(weights, k))
            total = builder.fadd(builder.fmul(texel, weight, flags=FUSED), total, flags=FUSED)
        builder.store(total, target, align=4)
        return context.get_dummy_value()

    return generate


def _four_bytes(builder: Any, texels: Any, place: Any, last: Any) -> Any:
    """The bytes from `place` on in one word; beyond the end zeros."""
    start = builder.select(builder.icmp_signed("<", place, last), place, last)
    word = builder.load(builder.bitcast(builder.gep(texels, [start]), _WORD.as_pointer()), align=1)
    beyond = builder.trunc(builder.sub(place, start), _WORD)
    return builder.lshr(word, builder.shl(beyond, ir.Constant(_WORD, 3)))


def _linear_bytes(builder: Any, texels: Any, place: Any, last: Any, table: Any) -> Any:
    word = _four_bytes(builder, texels, place, last)
    vector = builder.bitcast(word, ir.VectorType(_BYTE, CHANNELS))
    return builder.sitofp(builder.zext(vector, ir.VectorType(_WORD, CHANNELS)), _NUMBERS)


def _colors(builder: Any, texels: Any, place: Any, last: Any, table: Any) -> Any:
    word = _four_bytes(builder, texels, place, last)
    numbers = ir.Constant(_NUMBERS, ir.Undefined)
    for k in range(CHANNELS):
        byte = builder.and_(builder.lshr(word, ir.Constant(_WORD, 8 * k)), ir.Constant(_WORD, 255))
        if k < 3:
            number = builder.load(builder.gep(table, [builder.zext(byte, ir.IntType(64))]), align=4)
        else:
            number = builder.sitofp(byte, ir.FloatType())
        numbers = builder.insert_element(numbers, number, ir.Constant(_WORD, k))
    return numbers


def _words(builder: Any, texels: Any, place: Any, last: Any, table: Any) -> Any:
    short = ir.VectorType(ir.IntType(16), CHANNELS)
    vector = builder.load(builder.bitcast(builder.gep(texels, [place]), short.as_pointer()), align=2)
    return builder.sitofp(builder.zext(vector, ir.VectorType(_WORD, CHANNELS)), _NUMBERS)


def _spread(builder: Any, scalar: Any) -> Any:
    """`scalar` in every place of a vector."""
    undefined = ir.Constant(_NUMBERS, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_WORD, 0))
    zeros = ir.Constant(ir.VectorType(_WORD, CHANNELS), [0] * CHANNELS)
    return builder.shuffle_vector(first, undefined, zeros)
