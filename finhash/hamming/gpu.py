"""Joins and histograms of 256-bit hashes on a GPU.

The functions give the results of ``finhash.hamming``, in the same order. They need what
``finhash.find.gpu`` needs.

Each thread keeps four rows in registers and compares them with tiles of columns, which its block of
threads loads into shared memory. Every distance is computed exactly, without the lower bound that
the CPU tries first. A GPU has fewer units that count bits than units for logic, so carry-save
adders first reduce the eight words of a difference to four that need counting. This is twice as
fast as counting the bits of all eight, and as fast as the lower bound.

Ranges ``lo .. hi`` include ``lo`` and exclude ``hi``.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from finhash.hamming.words import (
    Hashes,
    Pairs,
    Words,
    as_words,
    both_as_words,
    by_family,
    check_radius,
    check_rows,
    concatenate_blocks,
)

WORDS = 8
"""Words per hash, of 32 bits each, the width of a GPU's integer units."""

THREADS = 128
"""Threads per block."""

THREAD_ROWS = 4
"""Rows per thread. They share each load of a column."""

TILE = THREADS
"""Columns held in shared memory at a time. Each thread loads one."""

BLOCK_COLUMNS = 2048
"""Columns per block of threads.

With fewer, loading the rows would take a larger share of the time. With more, a few hashes would
give too few blocks to keep the GPU busy.
"""

LAUNCH_ROWS = 65_536
"""Most rows per kernel launch.

A running launch cannot be interrupted, so it must be short. The launch's rows must fit the 23 bits
that the sort key has for a row, and its pairs must fit the output.
"""

CAPACITY = 1 << 24
"""Number of pairs that the GPU's output holds per launch, 8 bytes each."""

BINS = 32 * WORDS + 1
"""Distances from 0 to 256."""

DISTANCE, COLUMN = np.uint64(9), np.uint64(32)
"""Bits of a pair's distance and column in its sort key. The row takes the bits above them."""


def join(a: Hashes, b: Hashes | None = None, *, radius: int) -> Pairs:
    """Return all pairs of 256-bit hashes within ``radius``, as ``finhash.hamming.join`` does.

    Parameters
    ----------
    a : ndarray of uint8, shape (n, 32), or Gallery
        Packed hashes.
    b : ndarray of uint8, shape (m, 32), or Gallery, optional
        Hashes to compare with ``a``. By default ``a`` is compared with itself, and each pair is
        returned once, with ``i < j``.
    radius : int
        Largest Hamming distance of a pair, in bits, inclusive.

    Returns
    -------
    i, j, distance : ndarrays of int32, int32 and uint16, shape (pairs,)
        Row of ``a``, row of ``b`` and Hamming distance in bits, sorted by ``i``, then ``j``.

    Raises
    ------
    ValueError
        If the hashes do not have 256 bits, or if ``radius`` is not between 0 and 256.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.hamming import gpu
    >>> hashes = np.array([[0] * 32, [1] + [0] * 31, [255] * 32], np.uint8)
    >>> i, j, distance = gpu.join(hashes, radius=4)
    >>> i.tolist(), j.tolist(), distance.tolist()
    ([0], [1], [1])
    """
    i, j, distance = concatenate_blocks(join_blocks(a, b, radius=radius))
    return i, j, distance


def join_blocks(
    a: Hashes,
    b: Hashes | None = None,
    *,
    radius: int,
    rows: int = LAUNCH_ROWS,
    capacity: int = CAPACITY,
) -> Iterator[Pairs]:
    """Yield the pairs of ``join`` in blocks of rows, so that they need not fit into memory.

    Parameters
    ----------
    a, b, radius
        As for ``join``.
    rows : int, default 65536
        Most rows of ``a`` per block. If a block has more pairs than the output holds, it and all
        later blocks are halved, repeatedly if necessary.
    capacity : int, default 2**24
        Number of pairs that the GPU's output holds, 8 bytes each; raised if necessary to the number
        of rows of ``b``, so that the pairs of one row always fit.

    Yields
    ------
    i, j, distance : ndarrays of int32, int32 and uint16, shape (pairs,)
        Pairs of the next rows of ``a``, as from ``join``.

    Raises
    ------
    ValueError
        As for ``join``, and if ``rows`` is less than 1.
    """
    left, right = both_as_words(a, b, np.uint32)
    _check_bits(left)
    check_radius(radius, 32 * WORDS)
    check_rows(rows)
    n, rows = left.shape[1], min(rows, LAUNCH_ROWS)
    on_left = cuda.to_device(left)
    on_right = on_left if b is None else cuda.to_device(right)
    found = cuda.device_array(max(capacity, right.shape[1]), np.uint64)
    count = cuda.device_array(1, np.int64)

    def start(lo: int) -> int:
        hi = min(n, lo + rows)
        count.copy_to_device(np.zeros(1, np.int64))
        if hi > lo and right.shape[1]:
            _join[_grid(hi - lo, right.shape[1]), THREADS](
                on_left, on_right, lo, hi, b is None, radius, count, found
            )
        return hi

    lo, hi = 0, start(0)
    while True:
        number = int(count.copy_to_host()[0])  # waits for the launch
        if number > len(found):
            rows = (hi - lo) // 2
            hi = start(lo)
            continue
        keys = found[:number].copy_to_host() if number else np.empty(0, np.uint64)
        first, lo = lo, hi
        if lo < n:
            hi = start(lo)  # the GPU computes while the CPU sorts
        yield _pairs(keys, first)
        if lo >= n:
            return


def pair_histogram(
    hashes: Hashes, families: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count all pairs of 256-bit hashes by distance, as ``finhash.hamming.pair_histogram`` does.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, 32), or Gallery
        Packed hashes.
    families : ndarray, shape (n,)
        Label of each hash's family.

    Returns
    -------
    same, other : ndarrays of int64, shape (257,)
        Number of pairs within a family, and of pairs from different families, at each distance in
        bits.

    Raises
    ------
    ValueError
        If the hashes do not have 256 bits, or if there is not one label per hash.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.hamming import gpu
    >>> hashes = np.array([[0] * 32, [1] + [0] * 31, [255] * 32], np.uint8)
    >>> same, other = gpu.pair_histogram(hashes, np.array([5, 5, 9]))
    >>> int(same[1]), int(other[255]), int(other[256])
    (1, 1, 1)
    """
    words, ends = by_family(as_words(hashes, np.uint32), families)
    _check_bits(words)
    n = words.shape[1]
    on_gpu, on_ends = cuda.to_device(words), cuda.to_device(ends.astype(np.int32))
    counts = cuda.to_device(np.zeros((2, BINS), np.uint64))
    for lo in range(0, n, LAUNCH_ROWS):
        hi = min(n, lo + LAUNCH_ROWS)
        _histogram[_grid(hi - lo, n), THREADS](on_gpu, on_ends, lo, hi, counts)
    same, other = counts.copy_to_host().astype(np.int64)
    return same, other


def _check_bits(words: Words) -> None:
    """Raise ``ValueError`` unless the hashes have 256 bits."""
    if len(words) != WORDS:
        raise ValueError(
            f"hashes have {32 * len(words)} bits; the GPU compares hashes of 256 bits, "
            "finhash.hamming those of other lengths"
        )


def _grid(rows: int, columns: int) -> tuple[int, int]:
    """Return the grid of thread blocks that covers the rows and columns."""
    return -(-rows // (THREADS * THREAD_ROWS)), -(-columns // BLOCK_COLUMNS)


def _pairs(keys: NDArray[np.uint64], first: int) -> Pairs:
    """Return the pairs of the sort keys of a launch whose first row is ``first``."""
    keys.sort()
    i = (keys >> (COLUMN + DISTANCE)).astype(np.int32) + np.int32(first)
    j = (keys >> DISTANCE & np.uint64((1 << int(COLUMN)) - 1)).astype(np.int32)
    return i, j, (keys & np.uint64((1 << int(DISTANCE)) - 1)).astype(np.uint16)


@cuda.jit
def _join(left, right, lo, hi, itself, radius, count, found):
    """Write the sort keys of all pairs of rows ``lo .. hi`` within the radius into ``found``.

    ``count`` grows beyond the length of ``found`` if there are more pairs than fit.
    """
    tile = cuda.shared.array((TILE, WORDS), np.uint32)
    words = cuda.local.array((THREAD_ROWS, WORDS), np.uint32)
    top, begin, end = _span(lo, right)
    if itself and end <= top + 1:
        return
    _load_rows(left, top, hi, words)
    for start in range(begin, end, TILE):
        _load_tile(right, start, end, tile)
        for k in range(min(TILE, end - start)):
            for r in range(THREAD_ROWS):
                distance = _distance(words, r, tile, k)
                if distance <= radius:
                    i, j = top + r * THREADS + cuda.threadIdx.x, start + k
                    if i < hi and not (itself and j <= i):
                        at = cuda.atomic.add(count, 0, 1)
                        if at < len(found):
                            key = np.uint64(i - lo) << COLUMN | np.uint64(j)
                            found[at] = key << DISTANCE | np.uint64(distance)


@cuda.jit
def _histogram(hashes, ends, lo, hi, counts):
    """Add the pairs of rows ``lo .. hi`` with all later rows to ``counts [2, BINS]``.

    ``counts[0]`` counts pairs within a family by distance, ``counts[1]`` pairs from different
    families.
    """
    tile = cuda.shared.array((TILE, WORDS), np.uint32)
    tally = cuda.shared.array((2, BINS), np.uint32)
    words = cuda.local.array((THREAD_ROWS, WORDS), np.uint32)
    last = cuda.local.array(THREAD_ROWS, np.int32)
    t = cuda.threadIdx.x
    top, begin, end = _span(lo, hashes)
    if end <= top + 1:
        return
    for b in range(t, BINS, THREADS):
        tally[0, b] = tally[1, b] = 0
    _load_rows(hashes, top, hi, words)
    for r in range(THREAD_ROWS):
        last[r] = ends[min(top + r * THREADS + t, hi - 1)]
    for start in range(begin, end, TILE):
        _load_tile(hashes, start, end, tile)
        for k in range(min(TILE, end - start)):
            for r in range(THREAD_ROWS):
                distance = _distance(words, r, tile, k)
                i, j = top + r * THREADS + t, start + k
                if i < hi and j > i:
                    cuda.atomic.add(tally, (0 if j < last[r] else 1, distance), 1)
    cuda.syncthreads()
    for b in range(t, BINS, THREADS):
        cuda.atomic.add(counts, (0, b), tally[0, b])
        cuda.atomic.add(counts, (1, b), tally[1, b])


@cuda.jit(device=True)
def _span(lo, right):
    """Return the first row of this block of threads, and the range of its columns."""
    begin = cuda.blockIdx.y * BLOCK_COLUMNS
    top = lo + cuda.blockIdx.x * THREADS * THREAD_ROWS
    return top, begin, min(right.shape[1], begin + BLOCK_COLUMNS)


@cuda.jit(device=True)
def _load_rows(left, top, hi, words):
    """Load this thread's rows into ``words``; row ``hi - 1`` replaces those beyond the launch."""
    for r in range(THREAD_ROWS):
        i = min(top + r * THREADS + cuda.threadIdx.x, hi - 1)
        for w in range(WORDS):
            words[r, w] = left[w, i]


@cuda.jit(device=True)
def _load_tile(right, start, end, tile):
    """Load the columns from ``start`` into ``tile``, one per thread."""
    j = start + cuda.threadIdx.x
    cuda.syncthreads()  # all threads have finished with the previous tile
    if j < end:
        for w in range(WORDS):
            tile[cuda.threadIdx.x, w] = right[w, j]
    cuda.syncthreads()


@cuda.jit(device=True)
def _distance(words, r, tile, k):
    """Return the Hamming distance between a row and a column.

    The hashes differ in the one bits of eight words. Carry-save adders reduce seven of these to
    three, whose bits count one, two and four each. Together with the eighth word, four are counted.
    """
    x0, x1 = words[r, 0] ^ tile[k, 0], words[r, 1] ^ tile[k, 1]
    x2, x3 = words[r, 2] ^ tile[k, 2], words[r, 3] ^ tile[k, 3]
    x4, x5 = words[r, 4] ^ tile[k, 4], words[r, 5] ^ tile[k, 5]
    x6, x7 = words[r, 6] ^ tile[k, 6], words[r, 7] ^ tile[k, 7]
    ones_a, twos_a = _add(x0, x1, x2)
    ones_b, twos_b = _add(x3, x4, x5)
    ones, twos_c = _add(ones_a, ones_b, x6)
    twos, fours = _add(twos_a, twos_b, twos_c)
    return _count(ones) + _count(x7) + 2 * _count(twos) + 4 * _count(fours)


@cuda.jit(device=True)
def _add(x, y, z):
    """Add three words bit by bit; return the low bit and the carry of each sum."""
    return x ^ y ^ z, x & y | z & (x ^ y)


@cuda.jit(device=True)
def _count(word):
    """Count the one bits of a word."""
    return np.int32(cuda.popc(np.uint32(word)))
