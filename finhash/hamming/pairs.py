"""Pairs of hashes as 64-bit keys, and their order.

A key holds the first row, the second row and the distance, from its highest bits to its lowest.
Sorting keys therefore sorts their pairs.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finhash.hamming.kernels import keys as kernels
from finhash.hamming.words import Pairs, threads

FEW = 2**14
"""Number of keys below which NumPy sorts them, which has no tables to clear."""


class Shifts(NamedTuple):
    """Number of the lowest bit of the first row and of the second row in a key."""

    first: int
    second: int


def shifts(n: int, m: int, bits: int) -> Shifts:
    """Return the place of the rows in the keys of pairs of ``n`` and ``m`` hashes.

    Raises
    ------
    ValueError
        If a key would need more than 64 bits.

    Examples
    --------
    >>> shifts(1000, 5000, 256)
    Shifts(first=22, second=9)
    """
    second = int(bits).bit_length()
    first = second + int(m).bit_length()
    if first + int(n).bit_length() > 64:
        raise ValueError(
            f"{n} and {m} hashes are too many for one join; join them in blocks, as "
            "finhash.jobs.pairs does"
        )
    return Shifts(first, second)


def unpack(keys: NDArray[np.uint64], where: Shifts) -> Pairs:
    """Decode keys into pairs.

    Examples
    --------
    >>> i, j, distance = unpack(np.array([3 << 22 | 7 << 9 | 60], np.uint64), Shifts(22, 9))
    >>> i.tolist(), j.tolist(), distance.tolist()
    ([3], [7], [60])
    """
    i, j, distance = _empty(len(keys))
    kernels.unpack(keys, where, i, j, distance)
    return i, j, distance


def ordered(blocks: list[NDArray[np.uint64]], n: int, where: Shifts, workers: int) -> Pairs:
    """Return the pairs of blocks of keys, sorted by first row, then by second row.

    Takes up to 26 bytes per pair beside the blocks, which may be overwritten.

    Parameters
    ----------
    blocks : list of ndarray of uint64
        Keys, in any order.
    n : int
        Number of first rows.
    where : Shifts
        Place of the rows in the keys.
    workers : int
        Threads.

    Examples
    --------
    >>> where = shifts(4, 4, 64)
    >>> keys = [np.array([2 << 10 | 3 << 7 | 5, 1 << 10 | 2 << 7 | 9], np.uint64)]
    >>> i, j, distance = ordered(keys, 4, where, workers=1)
    >>> i.tolist(), j.tolist(), distance.tolist()
    ([1, 2], [2, 3], [9, 5])
    """
    number = sum(map(len, blocks))
    if number < FEW:
        return unpack(np.sort(np.concatenate([*blocks, np.empty(0, np.uint64)])), where)
    blocks = [block for block in blocks if len(block)]
    ends = [kernels.first_row_range(block, where) for block in blocks]
    if any(last >= first for (_, last), (first, _) in pairwise(ends)):
        top = where.first + max(0, int(n).bit_length() - (kernels.BUCKETS - 1).bit_length())
        blocks = _in_buckets(blocks, number, top)
    else:  # as from a comparison of all pairs
        top = where.first + max(int(first ^ last) for first, last in ends).bit_length()
    pairs = _empty(number)
    stops = np.cumsum([len(block) for block in blocks])

    def sort(block: NDArray[np.uint64], stop: int) -> None:
        kernels.sort(block, where, top, *(column[stop - len(block) : stop] for column in pairs))

    with threads(workers) as each:
        list(each(sort, blocks, stops.tolist()))
    return pairs


def _in_buckets(
    blocks: list[NDArray[np.uint64]], number: int, top: int
) -> list[NDArray[np.uint64]]:
    """Return the keys of all blocks, divided by their bits from ``top`` on."""
    counts = np.sum([kernels.count(block, top) for block in blocks], axis=0)
    stops = np.cumsum(counts)
    keys, place = np.empty(number, np.uint64), stops - counts
    for block in blocks:
        kernels.distribute(block, top, place, keys)
    return np.split(keys, stops[:-1])


def _empty(number: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16]]:
    """Return arrays for the rows and distances of pairs."""
    return np.empty(number, np.int32), np.empty(number, np.int32), np.empty(number, np.uint16)
