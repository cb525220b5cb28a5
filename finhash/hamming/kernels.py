"""The compiled loops over pairs of packed hashes."""

import numpy as np
from numba import njit, types
from numba.core.extending import intrinsic

TILE = 512
"""Columns compared at a time: their words stay in the L1 cache for all rows of a task."""


STRIP = 128
"""Columns of a near tile that are looked through together."""


PROBES = 16
"""Groups of rows on which each tile tries the lower bound, before it gives it up or not."""


GROUP = 3
"""Rows that share each load of a column's word; with more, long hashes exceed the registers."""


def word_groups(words: int, fold: int = 1) -> tuple[tuple[int, ...], ...]:
    """The words in parts of ``fold``, as ``_distance`` takes them.

    Only the lengths matter: they are part of a tuple's type, so the compiler unrolls what runs
    over them.
    """
    return ((0,) * fold,) * (words // fold)


def largest_fold(words: int, radius: int) -> int:
    """The most words to OR together so that the bound still keeps strangers beyond the radius."""
    # Of f random words ORed, a share 1 - 2**-f of the bits is set; 0.7 leaves room for the spread.
    folds = (f for f in range(2, words + 1) if words % f == 0)
    return max((f for f in folds if radius < 0.7 * 64 * words / f * (1 - 2**-f)), default=1)


@intrinsic
def _bit_count(typingctx, word):
    """Number of one bits of an integer, as LLVM's ``ctpop``, which vectorises."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return word(word), codegen if isinstance(word, types.Integer) else None


@njit(cache=True, nogil=True)
def _distance(left, i, right, j, parts):
    """Distance of row ``i`` to column ``j``; if parts have several words, a lower bound.

    For count(x | y) <= count(x) + count(y). The bound is cheaper: AVX-512 has x | (y ^ z) as one
    instruction, and only parts, not words, are counted and added.
    """
    total = np.uint64(0)
    for part in range(len(parts)):
        differing = np.uint64(0)
        for k in range(len(parts[0])):
            word = part * len(parts[0]) + k
            differing |= left[word, i] ^ right[word, j]
        total += _bit_count(differing)
    return total


@njit(cache=True, nogil=True)
def _group(i, hi):
    """Rows ``i .. i + GROUP``, row ``hi - 1`` in place of those after it."""
    return i, min(i + 1, hi - 1), min(i + 2, hi - 1)


@njit(cache=True, nogil=True)
def _least(left, rows, right, start, stop, parts):
    """The least ``_distance`` of any of the rows to any of the columns ``start .. stop``.

    Columns are unsigned: a signed index could count from the end, and the check for that would
    keep the loop from vectorising.
    """
    least = np.uint64(64 * len(left))
    for j in range(np.uint64(start), np.uint64(stop)):
        for row in rows:
            least = min(least, _distance(left, row, right, j, parts))
    return least


@njit(cache=True, nogil=True)
def _measure(left, rows, right, start, stop, exact, distances):
    """Put the rows' distances to the columns ``start .. stop`` into ``distances``."""
    first = np.uint64(start)
    for j in range(first, np.uint64(stop)):
        for r in range(len(rows)):
            distances[r, j - first] = _distance(left, rows[r], right, j, exact)


@njit(cache=True, nogil=True)
def join_rows(left, right, radius, itself, bound, exact, lo, hi):
    n = right.shape[1]
    distances = np.empty((GROUP, TILE), np.uint16)
    near = np.empty(STRIP, np.uint16)
    found = np.empty((1024, 3), np.int32)
    count = 0
    for start in range(lo // TILE * TILE if itself else 0, n, TILE):
        stop = min(n, start + TILE)
        probes, passed = 0, 0
        for i in range(lo, min(hi, stop) if itself else hi, GROUP):
            rows = _group(i, hi)
            # Among many near pairs the bound holds back little: then all are measured at once.
            if probes < PROBES or passed * 2 < probes:
                probes += 1
                if _least(left, rows, right, start, stop, bound) > radius:
                    continue
                passed += 1
            _measure(left, rows, right, start, stop, exact, distances)
            for r in range(min(GROUP, hi - i)):
                first = i + r + 1 if itself else 0
                for at in range(max(start, first // STRIP * STRIP), stop, STRIP):
                    end = min(stop, at + STRIP)
                    if _smallest(distances[r], at - start, end - start) > radius:
                        continue
                    if count + STRIP > len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    for k in range(_within(distances[r], at - start, end - start, radius, near)):
                        j = start + near[k]
                        if j >= first:
                            found[count, 0], found[count, 1] = i + r, j
                            found[count, 2] = distances[r, near[k]]
                            count += 1
    return _by_row(found[:count], lo, hi)


@njit(cache=True, nogil=True)
def _smallest(distances, start, stop):
    smallest = np.uint16(0xFFFF)
    for j in range(np.uint64(start), np.uint64(stop)):
        smallest = min(smallest, distances[j])
    return smallest


@njit(cache=True, nogil=True)
def _within(distances, start, stop, radius, near):
    """How many of ``start .. stop`` are within the radius; ``near`` begins with their places."""
    count = 0
    for j in range(np.uint64(start), np.uint64(stop)):
        near[count] = j  # no branch: which are near cannot be foreseen
        count += distances[j] <= radius
    return count


@njit(cache=True, nogil=True)
def _by_row(found, lo, hi):
    """The pairs in the order of their rows ``lo .. hi``; those of a row stay in theirs."""
    place = np.zeros(hi - lo + 1, np.int64)
    for pair in range(len(found)):
        place[found[pair, 0] - lo + 1] += 1
    place = np.cumsum(place)
    ordered = np.empty_like(found)
    for pair in range(len(found)):
        at = place[found[pair, 0] - lo]
        for column in range(3):
            ordered[at, column] = found[pair, column]
        place[found[pair, 0] - lo] += 1
    return ordered


@njit(cache=True, nogil=True)
def nearest_rows(left, right, k, bound, exact, lo, hi):
    n = right.shape[1]
    index = np.empty((hi - lo, k), np.int32)
    distances = np.full((hi - lo, k), 64 * len(left) + 1, np.uint16)
    for first in range(0, n, TILE):
        last = min(n, first + TILE)
        for i in range(lo, hi, GROUP):
            farthest = distances[i - lo : i - lo + GROUP, -1].max()
            if _least(left, _group(i, hi), right, first, last, bound) >= farthest:
                continue
            for row in range(i, min(hi, i + GROUP)):
                for start in range(first, last, STRIP):
                    stop = min(last, start + STRIP)
                    if _least(left, (row,), right, start, stop, exact) >= distances[row - lo, -1]:
                        continue
                    for j in range(start, stop):
                        distance = _distance(left, row, right, j, exact)
                        if distance < distances[row - lo, -1]:
                            _insert(distances[row - lo], index[row - lo], distance, j)
    return index, distances


@njit(cache=True, nogil=True)
def _insert(distances, index, distance, j):
    """Put ``j`` in its place after all that are as near, and drop the last."""
    at = len(distances) - 1
    while at > 0 and distances[at - 1] > distance:
        distances[at], index[at] = distances[at - 1], index[at - 1]
        at -= 1
    distances[at], index[at] = distance, j


@njit(cache=True, nogil=True)
def histogram_rows(words, ends, exact, lo, hi):
    """Counts ``[same or other, distance]`` of rows ``lo .. hi`` with all later rows.

    Two rows' distances to a column are one cell of a square table: a pair costs half an increment,
    and increments of the same cell, which wait for each other, are rare.
    """
    n, bins = words.shape[1], 64 * len(words) + 1
    side = bins + 15  # whole cache lines, yet no power of two, which would share cache sets
    # A cell counts at most 2 * ROWS * n: uint32 serves up to 8 million hashes.
    tables = np.zeros((3, side * side), np.uint32)
    cells = np.empty(TILE, np.uint64)
    for start in range(lo, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, min(hi, stop) - 1, 2):
            for j in range(np.uint64(start), np.uint64(stop)):
                first = _distance(words, i, words, j, exact)
                second = _distance(words, i + 1, words, j, exact)
                cells[j - np.uint64(start)] = first * np.uint64(side) + second
            # Up to the first row's end both find their family, up to the second's only that one.
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
    counts[0, 0] -= (hi - lo) // 2  # the column after the first row is the second itself
    return counts


@njit(cache=True, nogil=True)
def query_rows(left, right, firsts, ends, exact, lo, hi):
    n, bins = right.shape[1], 64 * len(right) + 1
    total = np.zeros((hi - lo + GROUP, bins), np.int32)
    same = np.zeros((hi - lo, bins), np.int32)
    distances = np.empty((GROUP, TILE), np.uint16)
    for start in range(0, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, hi, GROUP):
            rows = _group(i, hi)
            for j in range(np.uint64(start), np.uint64(stop)):
                for r in range(GROUP):
                    distances[r, j - np.uint64(start)] = _distance(left, rows[r], right, j, exact)
            # Row by row, increments of the same count would wait for each other.
            for j in range(stop - start):
                for r in range(GROUP):
                    total[i - lo + r, distances[r, j]] += 1
            for r in range(min(GROUP, hi - i)):
                for j in range(max(start, firsts[i + r]), min(stop, ends[i + r])):
                    same[i - lo + r, distances[r, j - start]] += 1
    return total[: hi - lo], same
