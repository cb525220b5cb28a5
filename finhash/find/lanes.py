"""Vector operations on the bytes of arrays, for compiled code.

Numba's compiler does not find these operations in loops, so they are written in LLVM's intermediate
language. LLVM compiles it for the processor at hand. The functions read and write from the first
byte of an array on, and do not check whether they stay within the array.

Changing any module in this folder recompiles its kernels (see ``finhash.jit``).
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32
"""Bytes per vector."""

SQUARE = 16
"""Rows and columns of the blocks that are transposed."""

FRACTION = 22
"""Fractional bits of the weights of ``weigh``."""

BYTES, WORDS = (ir.VectorType(ir.IntType(bits), LANES) for bits in (8, 32))
"""Vectors of one value per lane."""


@intrinsic
def transpose_square(typing, source, target):
    """Transpose the first ``SQUARE`` x ``SQUARE`` bytes of a matrix into another.

    Interleaving the first half of the rows with the second half rotates the bits of a byte's index,
    row and column together, by one. After four times row and column have changed places.
    """
    vector = ir.VectorType(ir.IntType(8), SQUARE)
    half = SQUARE // 2
    order = [k // 2 + SQUARE * (k % 2) for k in range(SQUARE)]
    masks = [_constant([k + offset for k in order]) for offset in (0, half)]

    def generate(context, builder, signature, arguments):
        def pointers(number):
            array = _array(context, builder, signature, arguments, number)
            stride = builder.extract_value(array.strides, 0)
            for r in range(SQUARE):
                place = builder.gep(array.data, [builder.mul(stride, stride.type(r))])
                yield builder.bitcast(place, vector.as_pointer())

        rows = [builder.load(pointer, align=1) for pointer in pointers(0)]
        for _ in range(SQUARE.bit_length() - 1):
            pairs = zip(rows[:half], rows[half:], strict=True)
            rows = [builder.shuffle_vector(*pair, mask) for pair in pairs for mask in masks]
        for row, pointer in zip(rows, pointers(1), strict=True):
            builder.store(row, pointer, align=1)
        return context.get_dummy_value()

    return types.void(source, target), generate


@intrinsic
def mean(typing, source, step, count, rows, multiplier, half, target):
    """Write the rounded mean of a block of bytes in each lane.

    The block in lane ``k`` has ``count`` x ``rows`` bytes. Its rows begin at byte ``k`` of
    ``source`` and every ``LANES`` bytes from there; the bytes of a row are ``step`` bytes apart.
    ``half`` is half the size of each lane's block, and ``multiplier`` is ``2**24`` over the size,
    both rounded down.
    """
    signature = types.void(source, types.int64, types.int64, types.int64, multiplier, half, target)

    def generate(context, builder, signature, arguments):
        _, step, count, rows, _, _, _ = arguments
        origin, multiplier, half, target = (
            _array(context, builder, signature, arguments, number).data for number in (0, 4, 5, 6)
        )
        total = cgutils.alloca_once_value(builder, _load(builder, half, WORDS))
        with cgutils.for_range(builder, count) as outer:
            place = builder.gep(origin, [builder.mul(outer.index, step)])
            with cgutils.for_range(builder, rows) as inner:
                offset = builder.mul(inner.index, inner.index.type(LANES))
                value = _load(builder, builder.gep(place, [offset]), BYTES)
                builder.store(builder.add(builder.load(total), builder.zext(value, WORDS)), total)
        product = builder.mul(builder.load(total), _load(builder, multiplier, WORDS))
        _store_bytes(builder, builder.lshr(product, _constant([24] * LANES)), target)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def weigh(typing, source, step, weights, target):
    """Write the weighted sum of bytes in each lane, rounded and clipped to 0..255.

    The bytes in lane ``k`` begin at byte ``k`` of ``source`` and are ``step`` bytes apart. There
    are as many as ``weights``.
    """

    def generate(context, builder, signature, arguments):
        step = arguments[1]
        source, weights, target = (
            _array(context, builder, signature, arguments, number) for number in (0, 2, 3)
        )
        half, zero, most = (_constant([v] * LANES) for v in (1 << FRACTION - 1, 0, 255))
        total = cgutils.alloca_once_value(builder, half)
        with cgutils.for_range(builder, builder.extract_value(weights.shape, 0)) as loop:
            place = builder.gep(source.data, [builder.mul(loop.index, step)])
            value = builder.zext(_load(builder, place, BYTES), WORDS)
            weight = builder.load(builder.gep(weights.data, [loop.index]))
            single = builder.insert_element(zero, weight, ir.IntType(32)(0))
            product = builder.mul(value, builder.shuffle_vector(single, zero, zero))
            builder.store(builder.add(builder.load(total), product), total)
        result = builder.ashr(builder.load(total), _constant([FRACTION] * LANES))
        for sign, bound in ("<", zero), (">", most):
            result = builder.select(builder.icmp_signed(sign, result, bound), bound, result)
        _store_bytes(builder, result, target.data)
        return context.get_dummy_value()

    return types.void(source, types.int64, weights, target), generate


def _array(context, builder, signature, arguments, number):
    """Return an argument that is an array, with its fields ``data``, ``shape`` and ``strides``."""
    return context.make_array(signature.args[number])(context, builder, arguments[number])


def _load(builder, pointer, vector):
    """Return the vector at a place in an array."""
    return builder.load(
        builder.bitcast(pointer, vector.as_pointer()), align=vector.element.width // 8
    )


def _store_bytes(builder, words, pointer):
    """Write the lowest byte of each lane."""
    pointer = builder.bitcast(pointer, BYTES.as_pointer())
    builder.store(builder.trunc(words, BYTES), pointer, align=1)


def _constant(values):
    """Return a constant vector of 32-bit integers."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(values)), values)
