"""Numba loops that count pairs of packed hashes by distance."""

from functools import reduce

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from finhash.hamming.kernels.distances import GROUP, TILE, distance, group, measure
from finhash.hamming.kernels.masks import LANES, bit_counts, in_each_lane
from finhash.jit import kernel

DELAY = 8
"""Steps whose cells ``histogram_rows`` keeps, the current one and those not counted yet."""


@intrinsic
def _write_cells(typingctx, words, i, j, exact, side, tables, cells):
    """Write the table cells of rows ``i .. i + 4`` in the columns ``j .. j + LANES``.

    Each ``uint64`` of ``cells`` has a column's cell of rows ``i`` and ``i + 1`` in its lower half
    and that of rows ``i + 2`` and ``i + 3`` in its upper half. The halves of ``tables`` are ORed to
    them. The loop over so few columns is written as vector instructions of LLVM, which does not
    vectorise it reliably.
    """
    lane = ir.IntType(64)
    vector = ir.VectorType(lane, LANES)

    def codegen(context, builder, signature, args):
        i, j, side, tables = args[1], args[2], args[4], args[5]
        words, cells = (
            context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 6)
        )
        constant = builder.module.add_metadata([])
        count_bits = bit_counts(builder)

        def load(word, column, kind):
            row = builder.mul(builder.extract_value(words.shape, 1), lane(word))
            place = builder.gep(words.data, [builder.add(row, column)])
            loaded = builder.load(builder.bitcast(place, kind.as_pointer()), align=8)
            loaded.set_metadata("invariant.load", constant)  # increments do not change the words
            return loaded

        def repeat(value):
            return in_each_lane(builder, value, LANES)

        def distance(row):
            counts = (
                builder.call(count_bits, [builder.xor(load(word, j, vector), repeat(own))])
                for word in range(len(exact))
                for own in [load(word, builder.add(i, lane(row)), lane)]
            )
            return reduce(builder.add, counts)

        def cell(row):
            return builder.add(builder.mul(distance(row), repeat(side)), distance(row + 1))

        both = builder.or_(cell(0), builder.shl(cell(2), vector([32] * LANES)))
        place = builder.bitcast(cells.data, vector.as_pointer())
        builder.store(builder.or_(both, repeat(tables)), place, align=8)
        return context.get_dummy_value()

    word = types.uint64
    return types.void(words, types.int64, types.int64, exact, word, word, cells), codegen


@kernel
def _increment_cells(tables, cells):
    """Increment the two cells in each word of ``cells``."""
    for lane in range(np.uint64(LANES)):
        tables[cells[lane] & np.uint64(0xFFFFFFFF)] += np.uint32(1)
        tables[cells[lane] >> np.uint64(32)] += np.uint32(1)


@kernel
def _count_each(words, ends, row, start, stop, exact, counts):
    """Count the distances from a row to the columns ``start .. stop``, one by one."""
    for j in range(start, stop):
        counts[int(j >= ends[row]), distance(words, row, words, j, exact)] += 1


@kernel
def histogram_rows(words, ends, exact, lo, hi):
    """Return counts by distance of the pairs of rows ``lo .. hi`` with all later rows.

    The result is ``int64 [2, bits + 1]``: pairs within a family, then pairs from different
    families. ``ends`` holds the row after the last of each row's family.

    Two rows' distances to a column index a cell of a square table, so that one increment counts two
    pairs of hashes. Successive increments of one cell would wait for each other; in a square table
    they are rare. Four rows are compared with the columns at a time. Each step computes the cells
    of ``LANES`` columns, then increments those of an earlier step. The CPU overlaps the vector
    instructions with the increments, and no increment waits until its cell has been stored.
    """
    n, bins = words.shape[1], 64 * len(exact) + 1
    # Each table row fills whole cache lines. Its length is not a power of two, because the rows
    # would then be mapped to the same cache sets.
    side = bins + 15
    # Tables begin at multiples of a power of two, so that ORing moves a cell to another table.
    size = 1
    while size < side * side:
        size *= 2
    # A cell is incremented at most (hi - lo) / 2 * n times, which uint32 must hold.
    tables = np.zeros(3 * size, np.uint32)
    # The first steps increment the last cell of a square. No pair has it, as side exceeds bins.
    unused = np.uint64(side * side - 1)
    space = np.full((DELAY + 1) * LANES, unused | unused << np.uint64(32))
    first = (-space.ctypes.data) % 64 // space.itemsize  # each step's cells fill one cache line
    cells = space[first : first + DELAY * LANES].reshape(DELAY, LANES)
    step = np.uint64(0)
    counts = np.zeros((2, bins), np.int64)
    last = hi - (hi - lo) % 4
    for start in range(lo, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, min(last, stop), 4):
            # Hashes are sorted by family. Columns before the first row's end belong to the family
            # of all four rows; columns from there to the second row's end belong to the family of
            # the last three, and so on. Two rows that share a cell have one table for columns of
            # both rows' family, one for columns of the second row's only, and one for the others.
            at = max(start, i + 4)
            for others in range(5):
                end = min(stop, ends[i + others] if others < 4 else n)
                if end <= at:
                    continue
                rest = end - (end - at) % LANES
                lower, upper = size * min(others, 2), size * max(others - 2, 0)
                both = np.uint64(lower) | np.uint64(upper) << np.uint64(32)
                for j in range(at, rest, LANES):
                    _write_cells(words, i, j, exact, np.uint64(side), both, cells[step])
                    step = (step + np.uint64(1)) % np.uint64(DELAY)
                    _increment_cells(tables, cells[step])
                if rest < end:
                    for row in range(i, i + 4):
                        _count_each(words, ends, row, rest, end, exact, counts)
                at = end
    for _ in range(DELAY - 1):  # all steps' cells but those of the oldest are still to be counted
        step = (step + np.uint64(1)) % np.uint64(DELAY)
        _increment_cells(tables, cells[step])
    # Pairs of rows that were compared together, and all pairs of the rows after ``last``.
    for i in range(lo, hi):
        stop = i + 4 - (i - lo) % 4 if i < last else n
        _count_each(words, ends, i, i + 1, stop, exact, counts)
    for table in range(3):
        square = tables[table * size : table * size + side * side].reshape(side, side)
        square = square[:bins, :bins].astype(np.int64)
        counts[int(table > 0)] += square.sum(axis=1)  # by the distance of the first of two rows
        counts[int(table > 1)] += square.sum(axis=0)
    return counts


@kernel
def query_rows(left, right, firsts, ends, exact, lo, hi):
    """Return counts by distance for each of the rows ``lo .. hi``, as two arrays.

    The first counts all columns, the second those that share the row's label. Both arrays are
    ``int32 [hi - lo, bits + 1]``. The columns ``firsts[row] .. ends[row]`` share the row's label.
    """
    n, bins = right.shape[1], 64 * len(right) + 1
    # The last group can extend beyond the block; the extra rows take its surplus counts.
    total = np.zeros((hi - lo + GROUP, bins), np.int32)
    same = np.zeros((hi - lo, bins), np.int32)
    distances = np.empty((GROUP, TILE), np.uint16)
    for start in range(0, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, hi, GROUP):
            measure(left, group(i, hi), right, start, stop, exact, distances)
            # Column by column, so that successive increments go to different rows' counts and do
            # not wait for each other.
            for j in range(stop - start):
                for r in range(GROUP):
                    total[i - lo + r, distances[r, j]] += 1
            for r in range(min(GROUP, hi - i)):
                for j in range(max(start, firsts[i + r]), min(stop, ends[i + r])):
                    same[i - lo + r, distances[r, j - start]] += 1
    return total[: hi - lo], same
