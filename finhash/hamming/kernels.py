"""Numba loops that compare packed hashes, one call per block of rows.

The kernels take hashes as ``as_words`` lays them out, ``uint64 [words, n]``, and compare rows
``lo .. hi`` of one set with all columns of another. They go through the columns tile by tile, so
that a tile's words stay in the CPU's cache while all rows of the block are compared with it. Ranges
``lo .. hi`` include ``lo`` and exclude ``hi``.

The innermost loops run over columns, and LLVM turns them into vector instructions. Their column
indices are unsigned: a negative index would count from the end of the array, and Numba's check for
negative indices keeps a loop from being vectorised.
"""

from functools import cache

import numpy as np
from numba import njit, types
from numba.core.extending import intrinsic

TILE = 512
"""Columns per tile. Their words fit the L1 cache."""

STRIP = 128
"""Columns scanned as one block when a tile may contain a match."""

GROUP = 3
"""Rows that are compared together, so that they share each load of a column's words.

With more rows, the words of long hashes would not fit the CPU's registers.
"""

PROBES = 16
"""Groups of rows for which a tile tries the lower bound before it judges whether that pays."""


@cache
def word_groups(words: int, size: int = 1) -> tuple[tuple[int, ...], ...]:
    """Return the indices of a hash's words in groups of ``size``.

    The kernels take the groups as an argument, because tuples of different lengths have different
    types. Numba therefore compiles a kernel once per grouping, and LLVM unrolls the loops over the
    groups and their words.

    >>> word_groups(4)
    ((0,), (1,), (2,), (3,))
    >>> word_groups(4, 2)
    ((0, 1), (2, 3))
    """
    return tuple(tuple(range(first, first + size)) for first in range(0, words, size))


def largest_group(words: int, radius: int) -> int:
    """Return the largest group size whose lower bound still exceeds ``radius`` for random hashes.

    The differing bits of two random hashes are random too. ORing ``f`` random words sets a share
    ``1 - 2**-f`` of the 64 bits, so the bound is about ``64 * words / f * (1 - 2**-f)``. The factor
    0.7 leaves room for its spread.
    """
    sizes = (f for f in range(2, words + 1) if words % f == 0)
    return max((f for f in sizes if radius < 0.7 * 64 * words / f * (1 - 2**-f)), default=1)


@intrinsic
def _bit_count(typingctx, word):
    """Count the one bits of an integer by LLVM's ``ctpop``, which can be vectorised."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return word(word), codegen if isinstance(word, types.Integer) else None


@njit(cache=True, nogil=True)
def _distance(left, i, right, j, groups):
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
        total += _bit_count(differing)
    return total


@njit(cache=True, nogil=True)
def _group(i, hi):
    """Return the rows of the group at ``i``; row ``hi - 1`` replaces those beyond the block."""
    return i, min(i + 1, hi - 1), min(i + 2, hi - 1)


@njit(cache=True, nogil=True)
def _least(left, rows, right, start, stop, groups):
    """Return the least ``_distance`` of any of the rows to any of the columns ``start .. stop``."""
    least = np.uint64(64 * len(left))
    for j in range(np.uint64(start), np.uint64(stop)):
        for row in rows:
            least = min(least, _distance(left, row, right, j, groups))
    return least


@njit(cache=True, nogil=True)
def _measure(left, rows, right, start, stop, exact, distances):
    """Write the rows' distances to the columns ``start .. stop`` into ``distances``."""
    first = np.uint64(start)
    for j in range(first, np.uint64(stop)):
        for r in range(len(rows)):
            distances[r, j - first] = _distance(left, rows[r], right, j, exact)


@njit(cache=True, nogil=True)
def join_rows(left, right, radius, itself, bound, exact, lo, hi):
    """Return the pairs within ``radius`` of rows ``lo .. hi``, as ``int32 [pairs, 3]``.

    Each result row holds a row of ``left``, a row of ``right`` and their distance. Result rows are
    sorted by the row of ``left``, then by that of ``right``. If ``itself`` is true, ``left`` and
    ``right`` are one set, and a row is paired only with later rows.
    ``bound`` and ``exact`` are word groups for the lower bound and for the distance.
    """
    n = right.shape[1]
    pairs, count = np.empty((1024, 3), np.int32), 0
    distances = np.empty((GROUP, TILE), np.uint16)
    near = np.empty(STRIP, np.uint16)
    for start in range(lo // TILE * TILE if itself else 0, n, TILE):
        stop = min(n, start + TILE)
        end = min(hi, stop) if itself else hi
        probes = passed = 0
        for i in range(lo, end, GROUP):
            rows = _group(i, hi)
            # If most groups of rows have a column within the bound, the bound saves no work in this
            # tile. The distances are then computed without it.
            if probes < PROBES or passed * 2 < probes:
                probes += 1
                if _least(left, rows, right, start, stop, bound) > radius:
                    continue
                passed += 1
            _measure(left, rows, right, start, stop, exact, distances)
            for r in range(min(GROUP, hi - i)):
                first = i + r + 1 if itself else 0
                pairs, count = _append_near(
                    distances[r], i + r, first, start, stop, radius, near, pairs, count
                )
    return _by_row(pairs[:count], lo, hi)


@njit(cache=True, nogil=True)
def _append_near(distances, row, first, start, stop, radius, near, pairs, count):
    """Append a row's pairs with the columns ``start .. stop`` that are not before ``first``."""
    for at in range(max(start, first // STRIP * STRIP), stop, STRIP):
        end = min(stop, at + STRIP)
        if _smallest(distances, at - start, end - start) > radius:
            continue
        if count + STRIP > len(pairs):
            pairs = np.concatenate((pairs, np.empty_like(pairs)))
        for k in range(_within(distances, at - start, end - start, radius, near)):
            j = start + near[k]
            if j >= first:
                pairs[count, 0], pairs[count, 1], pairs[count, 2] = row, j, distances[near[k]]
                count += 1
    return pairs, count


@njit(cache=True, nogil=True)
def _smallest(distances, start, stop):
    """Return the smallest of the distances ``start .. stop``."""
    smallest = np.uint16(0xFFFF)
    for j in range(np.uint64(start), np.uint64(stop)):
        smallest = min(smallest, distances[j])
    return smallest


@njit(cache=True, nogil=True)
def _within(distances, start, stop, radius, near):
    """Write the indices of the distances within the radius into ``near``, and return their number.

    Each index is written without a test, and overwritten by the next one if its distance exceeds
    the radius. A branch would be mispredicted too often.
    """
    count = 0
    for j in range(np.uint64(start), np.uint64(stop)):
        near[count] = j
        count += distances[j] <= radius
    return count


@njit(cache=True, nogil=True)
def _by_row(pairs, lo, hi):
    """Return the pairs sorted by their rows ``lo .. hi``, by a stable counting sort."""
    place = np.zeros(hi - lo + 1, np.int64)
    for pair in range(len(pairs)):
        place[pairs[pair, 0] - lo + 1] += 1
    place = np.cumsum(place)
    ordered = np.empty_like(pairs)
    for pair in range(len(pairs)):
        at = place[pairs[pair, 0] - lo]
        for column in range(3):
            ordered[at, column] = pairs[pair, column]
        place[pairs[pair, 0] - lo] += 1
    return ordered


@njit(cache=True, nogil=True)
def nearest_rows(left, right, k, bound, exact, lo, hi):
    """Return the ``k`` nearest columns of rows ``lo .. hi``, and their distances.

    Both arrays are ``[hi - lo, k]``, ``int32`` and ``uint16``, sorted by distance, then column.
    """
    n = right.shape[1]
    index = np.empty((hi - lo, k), np.int32)
    distances = np.full((hi - lo, k), 64 * len(left) + 1, np.uint16)
    for start in range(0, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, hi, GROUP):
            farthest = distances[i - lo : i - lo + GROUP, -1].max()
            if _least(left, _group(i, hi), right, start, stop, bound) >= farthest:
                continue
            for row in range(i, min(hi, i + GROUP)):
                _insert_nearer(
                    left, row, right, start, stop, exact, index[row - lo], distances[row - lo]
                )
    return index, distances


@njit(cache=True, nogil=True)
def _insert_nearer(left, row, right, start, stop, exact, index, distances):
    """Insert the columns ``start .. stop`` that are nearer than the row's farthest neighbour."""
    for first in range(start, stop, STRIP):
        last = min(stop, first + STRIP)
        if _least(left, (row,), right, first, last, exact) >= distances[-1]:
            continue
        for j in range(first, last):
            distance = _distance(left, row, right, j, exact)
            if distance < distances[-1]:
                _insert(distances, index, distance, j)


@njit(cache=True, nogil=True)
def _insert(distances, index, distance, j):
    """Insert ``j`` after all neighbours that are as near, and drop the last."""
    at = len(distances) - 1
    while at > 0 and distances[at - 1] > distance:
        distances[at], index[at] = distances[at - 1], index[at - 1]
        at -= 1
    distances[at], index[at] = distance, j


@njit(cache=True, nogil=True)
def histogram_rows(words, ends, exact, lo, hi):
    """Return counts by distance of the pairs of rows ``lo .. hi`` with all later rows.

    The result is ``int64 [2, bits + 1]``: pairs within a family, then pairs from different
    families. ``ends`` holds the row after the last of each row's family. ``hi - lo`` must be even
    unless ``hi`` is the number of rows.

    Each pair of rows is compared with the columns. The two distances to a column index a cell of a
    square table, so that one increment counts two pairs of hashes. Successive increments of one
    cell would wait for each other; in a square table they are rare.
    """
    n, bins = words.shape[1], 64 * len(words) + 1
    # Each table row fills whole cache lines. Its length is not a power of two, because the rows
    # would then be mapped to the same cache sets.
    side = bins + 15
    # A cell is incremented at most (hi - lo) / 2 * n times: uint32 serves up to 8 million hashes.
    tables = np.zeros((3, side * side), np.uint32)
    cells = np.empty(TILE, np.uint64)
    for start in range(lo, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, min(hi, stop) - 1, 2):
            for j in range(np.uint64(start), np.uint64(stop)):
                first = _distance(words, i, words, j, exact)
                second = _distance(words, i + 1, words, j, exact)
                cells[j - np.uint64(start)] = first * np.uint64(side) + second
            # Hashes are sorted by family. Columns before the first row's end belong to the family
            # of both rows; columns from there to the second row's end belong to the second row's
            # family only; the others belong to neither. Each of the three cases has its own table.
            at = max(start, i + 1)
            for table, end in enumerate((ends[i], ends[i + 1], n)):
                end = min(max(at, end), stop)
                for cell in cells[at - start : end - start]:
                    tables[table, cell] += 1
                at = end
    squares = tables.reshape(3, side, side)[:, :bins, :bins]
    first, second = squares.sum(axis=2), squares.sum(axis=1)
    counts = np.empty((2, bins), np.int64)
    counts[0] = first[0] + second[0] + second[1]
    counts[1] = first[1] + first[2] + second[2]
    counts[0, 0] -= (hi - lo) // 2  # the second row of each pair was compared with itself
    return counts


@njit(cache=True, nogil=True)
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
            _measure(left, _group(i, hi), right, start, stop, exact, distances)
            # Column by column, so that successive increments go to different rows' counts and do
            # not wait for each other.
            for j in range(stop - start):
                for r in range(GROUP):
                    total[i - lo + r, distances[r, j]] += 1
            for r in range(min(GROUP, hi - i)):
                for j in range(max(start, firsts[i + r]), min(stop, ends[i + r])):
                    same[i - lo + r, distances[r, j - start]] += 1
    return total[: hi - lo], same
