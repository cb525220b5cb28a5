"""Numba loops that write, sort and read the keys of pairs."""

import numpy as np

from finhash.hamming.kernels.distances import distance
from finhash.hamming.kernels.masks import COLUMNS, lowest
from finhash.jit import kernel

BUCKETS = 256
"""Ranges of first rows that are sorted one by one, each small enough for the CPU's cache."""

DIGIT = 12
"""Largest number of bits by which one pass of the sort distinguishes keys."""

AS_GIVEN, SWAPPED, SMALLER = range(3)
"""Which number comes first in a key: the left hash's, the right one's, or the smaller one."""


@kernel
def append(mask, left, i, right, j, ids, exact, order, where, keys, count):
    """Append the keys of the pairs of row ``i`` with the columns of a mask.

    ``ids`` holds the number of row ``i`` and those of the columns. The smaller number comes first
    if ``order`` is ``SMALLER``, the row's if it is ``AS_GIVEN``, the column's if it is ``SWAPPED``.
    """
    own, others = np.uint64(ids[0]), ids[1]
    if count + COLUMNS > len(keys):
        keys = np.concatenate((keys, np.empty(max(1024, len(keys)), np.uint64)))
    while mask:
        k = j + lowest(mask)
        mask &= mask - np.uint64(1)
        other = np.uint64(others[k])
        if order == SMALLER:
            first, second = min(own, other), max(own, other)
        elif order == SWAPPED:
            first, second = other, own
        else:
            first, second = own, other
        key = first << np.uint64(where.first) | second << np.uint64(where.second)
        keys[count] = key | distance(left, i, right, k, exact)
        count += 1
    return keys, count


@kernel
def unpack(keys, where, i, j, distance):
    """Write the rows and distances of keys."""
    mask = (np.uint64(1) << np.uint64(where.second)) - np.uint64(1)
    second = (np.uint64(1) << np.uint64(where.first - where.second)) - np.uint64(1)
    for k in range(len(keys)):
        i[k] = keys[k] >> np.uint64(where.first)
        j[k] = (keys[k] >> np.uint64(where.second)) & second
        distance[k] = keys[k] & mask


@kernel
def first_row_range(keys, where):
    """Return the smallest and the largest first row of keys."""
    least, most = keys[0], keys[0]
    for key in keys:
        least, most = min(least, key), max(most, key)
    return np.int64(least >> np.uint64(where.first)), np.int64(most >> np.uint64(where.first))


@kernel
def count(keys, top):
    """Count the keys in each bucket, which the bits from ``top`` on number."""
    counts = np.zeros(BUCKETS, np.int64)
    for key in keys:
        counts[key >> np.uint64(top)] += 1
    return counts


@kernel
def distribute(keys, top, place, target):
    """Write each key at the next place of its bucket."""
    for key in keys:
        bucket = key >> np.uint64(top)
        target[place[bucket]] = key
        place[bucket] += 1


@kernel
def sort(keys, where, top, i, j, distance):
    """Sort keys that agree in the bits from ``top`` on, and write their pairs.

    The rows are sorted by a radix sort, from their lowest bits to their highest. The keys are
    overwritten.
    """
    passes = -(-(top - where.second) // DIGIT)
    width = -(-(top - where.second) // max(1, passes))
    places = np.empty(1 << width, np.int64)
    source, target = keys, np.empty_like(keys)
    for step in range(passes):
        low = np.uint64(where.second + step * width)
        mask = np.uint64((1 << min(width, top - where.second - step * width)) - 1)
        places[:] = 0
        for key in source:
            places[(key >> low) & mask] += 1
        before = 0
        for digit in range(len(places)):
            places[digit], before = before, before + places[digit]
        for key in source:
            digit = (key >> low) & mask
            target[places[digit]] = key
            places[digit] += 1
        source, target = target, source
    unpack(source, where, i, j, distance)
