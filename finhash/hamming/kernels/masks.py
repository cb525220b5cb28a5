"""Masks of columns, for compiled code: which columns lie within a distance.

Bit ``k`` of a mask stands for column ``j + k``. Numba's compiler does not make masks of comparisons
in loops. The comparisons are therefore written in LLVM's intermediate language, and LLVM compiles
them for the processor at hand. They read all columns of a mask without checking that the array has
them.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from finhash.jit import kernel

COLUMNS = 64
"""Columns per mask. Arrays of columns are padded so that 64 columns can be read from any."""

LANES = 8
"""64-bit words per vector."""

WORD = ir.IntType(64)
INDEX = ir.IntType(32)


@intrinsic
def within(typing, left, i, right, j, limit, groups):
    """Return the mask of the columns ``j .. j + 64`` of ``right`` within a distance of row ``i``.

    ``groups`` holds the words of a hash in order, each in a group of its own for the Hamming
    distance. The words of larger groups are ORed, which gives a lower bound (see
    ``kernels.word_groups``).
    """
    signature = types.uint64(left, types.int64, right, types.int64, types.int64, groups)

    def generate(context, builder, signature, arguments):
        return _compare_columns(context, builder, signature, arguments, arguments[4:5], groups)[0]

    return signature, generate


@intrinsic
def within_both(typing, left, i, right, j, near, far, groups):
    """Return the masks of the columns within two distances, as from ``within``."""
    masks = types.UniTuple(types.uint64, 2)
    both = types.int64, types.int64
    signature = masks(left, types.int64, right, types.int64, *both, groups)

    def generate(context, builder, signature, arguments):
        found = _compare_columns(context, builder, signature, arguments, arguments[4:6], groups)
        return context.make_tuple(builder, masks, found)

    return signature, generate


@intrinsic
def within_few(typing, left, i, blocks, place, stride, limit, groups):
    """Return the mask of ``LANES`` columns of a block within a distance of row ``i``.

    Word ``k`` of the first column is at ``blocks[place + k * stride]``.
    """
    parts = types.int64, types.int64, types.int64
    signature = types.uint64(left, types.int64, blocks, *parts, groups)

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[2])(context, builder, arguments[2])
        place, stride, limit = arguments[3:6]
        words = [
            builder.gep(array.data, [builder.add(place, builder.mul(stride, WORD(word)))])
            for word in range(sum(map(len, groups)))
        ]
        row = _row(context, builder, signature, arguments, len(words))
        return _compare(builder, row, words, [limit], groups, LANES)[0]

    return signature, generate


def _compare_columns(context, builder, signature, arguments, limits, groups):
    """Return the masks of ``COLUMNS`` columns of an array within each of the limits."""
    if any(signature.args[number].layout != "C" for number in (0, 2)):
        raise TypingError("the words of a hash must be rows of C-contiguous arrays")
    count = sum(map(len, groups))
    words = [_place(context, builder, signature, arguments, 2, word) for word in range(count)]
    row = _row(context, builder, signature, arguments, count)
    return _compare(builder, row, words, limits, groups, COLUMNS)


def _row(context, builder, signature, arguments, count):
    """Return the words of row ``i``, each in all lanes of a vector."""
    places = (_place(context, builder, signature, arguments, 0, word) for word in range(count))
    return [in_each_lane(builder, builder.load(place), LANES) for place in places]


def _compare(builder, row, words, limits, groups, columns):
    """Return the masks of columns whose distance from the row is at most each of the limits."""
    vector = ir.VectorType(WORD, LANES)
    count = bit_counts(builder)
    limits = [in_each_lane(builder, limit, LANES) for limit in limits]
    words = [builder.bitcast(place, vector.as_pointer()) for place in words]
    masks = [WORD(0) for _ in limits]
    for part in range(columns // LANES):
        word, total = 0, ir.Constant(vector, [0] * LANES)
        for group in groups:
            differing = ir.Constant(vector, [0] * LANES)
            for _ in group:
                values = builder.load(builder.gep(words[word], [INDEX(part)]), align=8)
                differing = builder.or_(differing, builder.xor(row[word], values))
                word += 1
            total = builder.add(total, builder.call(count, [differing]))
        for k, limit in enumerate(limits):
            near = builder.icmp_unsigned("<=", total, limit)
            bits = builder.zext(builder.bitcast(near, ir.IntType(LANES)), WORD)
            masks[k] = builder.or_(masks[k], builder.shl(bits, WORD(part * LANES)))
    return masks


@intrinsic
def at_most(typing, values, j, limit):
    """Return the mask of the ``uint16`` values ``j .. j + 64`` that are at most a limit."""
    signature = types.uint64(values, types.int64, types.uint16)

    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.IntType(16), COLUMNS)
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        loaded = builder.load(builder.bitcast(place, vector.as_pointer()), align=2)
        limit = in_each_lane(builder, arguments[2], COLUMNS)
        return builder.bitcast(builder.icmp_unsigned("<=", loaded, limit), WORD)

    return signature, generate


@intrinsic
def lowest(typing, mask):
    """Return the number of the lowest set bit of a mask; 64 if no bit is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


@kernel
def between(first, stop):
    """Return the mask of the bits ``first .. stop``, where either may lie outside ``0 .. 64``."""
    mask = ~np.uint64(0)
    if first > 0:
        mask = mask << np.uint64(first) if first < COLUMNS else np.uint64(0)
    if stop < COLUMNS:
        mask &= (np.uint64(1) << np.uint64(max(0, stop))) - np.uint64(1)
    return mask


@intrinsic
def count_columns(typing, mask):
    """Return the number of columns in a mask."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@kernel
def write_columns(mask, j, places, count):
    """Write the columns of a mask into ``places`` from ``count`` on, and return their end.

    Columns are written in fours, because a branch per column would be mispredicted too often. Up to
    three entries after the end are overwritten.
    """
    end = count + count_columns(mask)
    while count < end:
        for k in range(4):
            places[count + k] = j + lowest(mask)
            mask &= mask - np.uint64(1)
        count += 4
    return end


def _place(context, builder, signature, arguments, number, word):
    """Return the address of a word of a hash; argument ``number + 1`` is the hash's column."""
    array = context.make_array(signature.args[number])(context, builder, arguments[number])
    stride = builder.extract_value(array.strides, 0)
    start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    row = builder.gep(start, [builder.mul(stride, stride.type(word))])
    return builder.gep(builder.bitcast(row, WORD.as_pointer()), [arguments[number + 1]])


def bit_counts(builder):
    """Return LLVM's function that counts the one bits in each of ``LANES`` words."""
    vector = ir.VectorType(WORD, LANES)
    kind = ir.FunctionType(vector, [vector])
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{LANES}i64")


def in_each_lane(builder, value, lanes):
    """Return a vector that holds the value in each lane."""
    empty = ir.Constant(ir.VectorType(value.type, lanes), [0] * lanes)
    single = builder.insert_element(empty, value, INDEX(0))
    return builder.shuffle_vector(
        single, empty, ir.Constant(ir.VectorType(INDEX, lanes), [0] * lanes)
    )
