"""Hamming distances between 256-bit hashes on a GPU (Numba for CUDA): joins, exact histograms.

Each thread holds four rows in registers and compares them with the columns of a tile that its block
holds in shared memory. All pairs are compared exactly: where a CPU counts the bits of eight pairs
with one instruction, a GPU has few units that count and many that do logic, so that most of the
count is done by carry-save adders, twice as fast as counting every word, and as fast as the lower
bound of ``finhash.hamming``.

Needs what ``finhash.find.gpu`` needs; results are those of ``finhash.hamming``, order included.
"""

from collections.abc import Iterator

import numpy as np
from numba import cuda

from finhash.hamming.words import Pairs, as_words, both_as_words, by_family, check_radius

WORDS = 8
"""Words of 32 bits a hash: what a GPU's units work on."""

THREADS = 128
ROWS = 4
"""Rows a thread, in registers: they share each load of a column."""

TILE = THREADS
"""Columns in shared memory at a time: each thread fetches one."""

CHUNK = 2048
"""Columns a block: enough to pay for loading its rows, and many blocks even for few hashes."""

STRIP = 65_536
"""Most rows a launch: nothing interrupts one, and its pairs must fit their keys and the output."""

CAPACITY = 1 << 24
"""Pairs that a launch may give, 8 bytes each; a strip that gives more is halved."""

BINS = 32 * WORDS + 1
DISTANCE, COLUMN = np.uint64(9), np.uint64(32)
"""Bits of a distance and of a column in a pair's key, below those of its row."""


def join(a: np.ndarray, b: np.ndarray | None = None, *, radius: int) -> Pairs:
    """As ``hamming.join``, for hashes of 256 bits."""
    i, j, distance = map(np.concatenate, zip(*join_blocks(a, b, radius=radius), strict=True))
    return i, j, distance


def join_blocks(
    a: np.ndarray,
    b: np.ndarray | None = None,
    *,
    radius: int,
    rows: int = STRIP,
    capacity: int = CAPACITY,
) -> Iterator[Pairs]:
    """As ``hamming.join_blocks``, with a block for every ``rows`` rows of ``a`` or for fewer.

    The GPU holds ``capacity`` pairs at a time, or a row's if that is more: blocks of rows that have
    more pairs are halved.
    """
    left, right = both_as_words(a, b, np.uint32)
    _check_bits(left)
    check_radius(radius, 32 * WORDS)
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    n, rows = left.shape[1], min(rows, STRIP)
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
            hi = start(lo)  # meanwhile the CPU sorts
        yield _pairs(keys, first)
        if lo >= n:
            return


def pair_histogram(hashes: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As ``hamming.pair_histogram``, for hashes of 256 bits."""
    words, ends = by_family(as_words(hashes, np.uint32), families)
    _check_bits(words)
    n = words.shape[1]
    on_gpu, on_ends = cuda.to_device(words), cuda.to_device(ends.astype(np.int32))
    counts = cuda.to_device(np.zeros((2, BINS), np.uint64))
    for lo in range(0, n, STRIP):
        hi = min(n, lo + STRIP)
        _histogram[_grid(hi - lo, n), THREADS](on_gpu, on_ends, lo, hi, counts)
    same, other = counts.copy_to_host().astype(np.int64)
    return same, other


def _check_bits(words: np.ndarray) -> None:
    if len(words) != WORDS:
        raise ValueError(f"hashes of 256 bits are joined on a GPU, not of {32 * len(words)}")


def _grid(rows: int, columns: int) -> tuple[int, int]:
    return -(-rows // (THREADS * ROWS)), -(-columns // CHUNK)


def _pairs(keys: np.ndarray, first: int) -> Pairs:
    keys.sort()
    i = (keys >> (COLUMN + DISTANCE)).astype(np.int32) + np.int32(first)
    j = (keys >> DISTANCE & np.uint64((1 << int(COLUMN)) - 1)).astype(np.int32)
    return i, j, (keys & np.uint64((1 << int(DISTANCE)) - 1)).astype(np.uint16)


@cuda.jit
def _join(left, right, lo, hi, itself, radius, count, found):
    tile = cuda.shared.array((TILE, WORDS), np.uint32)
    words = cuda.local.array((ROWS, WORDS), np.uint32)
    top, begin, end = _part(lo, right)
    if itself and end <= top + 1:
        return
    _load_rows(left, top, hi, words)
    for start in range(begin, end, TILE):
        _load_tile(right, start, end, tile)
        for k in range(min(TILE, end - start)):
            for r in range(ROWS):
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
    """Counts ``[same or other, distance]`` of rows ``lo .. hi`` with all later ones."""
    tile = cuda.shared.array((TILE, WORDS), np.uint32)
    tally = cuda.shared.array((2, BINS), np.uint32)
    words = cuda.local.array((ROWS, WORDS), np.uint32)
    last = cuda.local.array(ROWS, np.int32)
    t = cuda.threadIdx.x
    top, begin, end = _part(lo, hashes)
    if end <= top + 1:
        return
    for b in range(t, BINS, THREADS):
        tally[0, b] = tally[1, b] = 0
    _load_rows(hashes, top, hi, words)
    for r in range(ROWS):
        last[r] = ends[min(top + r * THREADS + t, hi - 1)]
    for start in range(begin, end, TILE):
        _load_tile(hashes, start, end, tile)
        for k in range(min(TILE, end - start)):
            for r in range(ROWS):
                distance = _distance(words, r, tile, k)
                i, j = top + r * THREADS + t, start + k
                if i < hi and j > i:
                    cuda.atomic.add(tally, (0 if j < last[r] else 1, distance), 1)
    cuda.syncthreads()
    for b in range(t, BINS, THREADS):
        cuda.atomic.add(counts, (0, b), tally[0, b])
        cuda.atomic.add(counts, (1, b), tally[1, b])


@cuda.jit(device=True)
def _part(lo, right):
    """The first row of this block of threads, and where its columns begin and end."""
    begin = cuda.blockIdx.y * CHUNK
    top = lo + cuda.blockIdx.x * THREADS * ROWS
    return top, begin, min(right.shape[1], begin + CHUNK)


@cuda.jit(device=True)
def _load_rows(left, top, hi, words):
    for r in range(ROWS):
        i = min(top + r * THREADS + cuda.threadIdx.x, hi - 1)
        for w in range(WORDS):
            words[r, w] = left[w, i]


@cuda.jit(device=True)
def _load_tile(right, start, end, tile):
    j = start + cuda.threadIdx.x
    cuda.syncthreads()  # all are done with the last one
    if j < end:
        for w in range(WORDS):
            tile[cuda.threadIdx.x, w] = right[w, j]
    cuda.syncthreads()


@cuda.jit(device=True)
def _distance(words, r, tile, k):
    """Distance of a row to a column: of eight words' bits, three are counted as sums of others."""
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
    """Carry-save adder: of the bits at each place, their sum's low bit and its carry."""
    return x ^ y ^ z, x & y | z & (x ^ y)


@cuda.jit(device=True)
def _count(word):
    return np.int32(cuda.popc(np.uint32(word)))
