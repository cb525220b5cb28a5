"""Distances of rows from columns, the constants of all kernels, and the layout of columns.

Kernels go through the columns tile by tile, so that a tile's words stay in the CPU's cache while
all rows of a block are compared with it.

The innermost loops run over columns, and LLVM turns them into vector instructions. Their column
indices are unsigned: a negative index would count from the end of the array, and Numba's check for
negative indices keeps a loop from being vectorised.
"""

from functools import cache

import numpy as np
from numba import types
from numba.core.extending import intrinsic

from finhash.jit import inlined, kernel

TILE = 512
"""Columns per tile. Their words fit the L1 cache."""

STRIP = 128
"""Columns scanned as one block when a tile may contain a match."""

GROUP = 3
"""Rows that are compared together, so that they share each load of a column's words.

With more rows, the words of long hashes would not fit the CPU's registers.
"""

LINE = 64
"""Bytes of a cache line."""

PADDING = 64
"""Columns that may be read beyond the last one (see ``masks``)."""

PROBES = 16
"""Groups of rows for which a tile tries the lower bound before it judges whether that pays."""


@cache
def word_groups(words: int, size: int = 1) -> tuple[tuple[int, ...], ...]:
    """Return the indices of a hash's words in groups of ``size``.

    The kernels take the groups as an argument, because tuples of different lengths have different
    types. LLVM therefore unrolls the loops over the groups and their words.

    >>> word_groups(4)
    ((0,), (1,), (2,), (3,))
    >>> word_groups(4, 2)
    ((0, 1), (2, 3))
    """
    return tuple(tuple(range(first, first + size)) for first in range(0, words, size))


@cache
def bounds(words: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Return the word groups of three lower bounds, from the distance itself to the cheapest.

    A kernel takes all three and the number of the one to use. Their types depend on ``words`` only,
    so the kernel is compiled once for all radii.

    >>> [len(groups) for groups in bounds(4)]
    [4, 2, 1]
    >>> [len(groups) for groups in bounds(1)]
    [1, 1, 1]
    """
    few = next((size for size in range(2, words) if words % size == 0), 1)
    return word_groups(words), word_groups(words, few), word_groups(words, words)


def cheapest_bound(words: int, radius: int) -> int:
    """Return the number of the cheapest bound that still exceeds ``radius`` for random hashes.

    The differing bits of two random hashes are random too. ORing ``f`` random words sets a share
    ``1 - 2**-f`` of the 64 bits, so the bound is about ``64 * words / f * (1 - 2**-f)``. The factor
    0.7 leaves room for its spread.
    """
    sizes = [len(groups[0]) for groups in bounds(words)]
    exceeding = (
        k for k, f in enumerate(sizes) if k and radius < 0.7 * 64 * words / f * (1 - 2**-f)
    )
    return max(exceeding, default=0)


@intrinsic
def bit_count(typingctx, word):
    """Count the one bits of an integer by LLVM's ``ctpop``, which can be vectorised."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return word(word), codegen if isinstance(word, types.Integer) else None


@kernel
def distance(left, i, right, j, groups):
    """Return the distance between row ``i`` and column ``j``, or a lower bound.

    With one word per group this is the Hamming distance. With several, the differences of a group's
    words are ORed before their bits are counted. As count(x | y) <= count(x) + count(y), the result
    is then a lower bound. It is cheaper: fewer words are counted and added, and AVX-512 computes
    x | (y ^ z) in one instruction.
    """
    total = np.uint64(0)
    for group in groups:
        differing = np.uint64(0)
        for word in group:
            differing |= left[word, i] ^ right[word, j]
        total += bit_count(differing)
    return total


@kernel
def group(i, hi):
    """Return the rows of the group at ``i``; row ``hi - 1`` replaces those beyond the block."""
    return i, min(i + 1, hi - 1), min(i + 2, hi - 1)


@inlined
def least(left, rows, right, start, stop, groups):
    """Return the least ``distance`` of any of the rows to any of the columns ``start .. stop``."""
    least = np.uint64(64 * len(left))
    for j in range(np.uint64(start), np.uint64(stop)):
        for row in rows:
            least = min(least, distance(left, row, right, j, groups))
    return least


@inlined
def least_bound(left, rows, right, start, stop, groupings, chosen):
    """Return the ``least`` lower bound, by one of three groupings of the words (see ``bounds``)."""
    if chosen == 0:
        return least(left, rows, right, start, stop, groupings[0])
    if chosen == 1:
        return least(left, rows, right, start, stop, groupings[1])
    return least(left, rows, right, start, stop, groupings[2])


@kernel
def measure(left, rows, right, start, stop, exact, distances):
    """Write the rows' distances to the columns ``start .. stop`` into ``distances``."""
    first = np.uint64(start)
    for j in range(first, np.uint64(stop)):
        for r in range(len(rows)):
            distances[r, j - first] = distance(left, rows[r], right, j, exact)


@kernel
def gather(rows, ids, words):
    """Write the words of some of the rows into columns."""
    for k in range(len(ids)):
        for word in range(len(words)):
            words[word, k] = rows[ids[k], word]
