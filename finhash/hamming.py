"""Hamming distances between packed hashes: exact histogram of all pairs, join within a radius.

Hashes are ``uint8 [n, bits / 8]`` with ``bits`` a multiple of 64. The kernels hold them as
``uint64 [words, n]``, a column a word, so that the innermost loop runs over neighbouring memory
and the compiler can count the bits of several pairs at a time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit, types
from numba.core.extending import intrinsic

TILE = 1024
"""Columns compared at a time: their words and distances stay in the L1 cache."""

ROWS = 256
"""Rows a task: the unit handed to a thread."""


def pair_histogram(
    hashes: np.ndarray, families: np.ndarray, *, workers: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Exact counts of same-family and other-family pairs by distance, over all pairs.

    Returns two ``int64 [bits + 1]`` arrays; together they sum to n(n - 1)/2. ``families`` holds
    an integer label for each hash.
    """
    words = _as_words(hashes)
    families = np.asarray(families)
    if families.shape != (len(hashes),):
        raise ValueError(f"expected {len(hashes)} family labels, got shape {families.shape}")
    _, labels = np.unique(families, return_inverse=True)
    order = np.argsort(labels, kind="stable")
    words, labels = np.ascontiguousarray(words[:, order]), labels[order]
    # Sorted, a row's own family ends where the next begins: pairs split at one column.
    ends = np.searchsorted(labels, labels, side="right")
    parts = _by_rows(lambda lo, hi: _histogram_rows(words, ends, lo, hi), len(hashes), workers)
    same, other = sum(parts, start=np.zeros((2, 64 * len(words) + 1), np.int64))
    return same, other


def join(
    a: np.ndarray, b: np.ndarray | None = None, *, radius: int, workers: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs within ``radius``: ``(i, j, distance)`` with ``i`` a row of ``a``, ``j`` of ``b``.

    Without ``b``, ``a`` is joined with itself and each pair is given once, ``i < j``. Indices are
    ``int32``, distances ``uint16``; pairs are ordered by ``i``, then ``j``.
    """
    left = _as_words(a)
    right = left if b is None else _as_words(b)
    if len(left) != len(right):
        raise ValueError(f"hashes of {64 * len(left)} and {64 * len(right)} bits do not compare")
    if not 0 <= radius <= 64 * len(left):
        raise ValueError(f"radius must be between 0 and {64 * len(left)}, not {radius}")
    itself = b is None
    parts = _by_rows(
        lambda lo, hi: _join_rows(left, right, lo, hi, radius, itself), left.shape[1], workers
    )
    found = np.concatenate([np.empty((0, 3), np.int32), *parts])
    return found[:, 0].copy(), found[:, 1].copy(), found[:, 2].astype(np.uint16)


def _as_words(hashes: np.ndarray) -> np.ndarray:
    """``uint64 [words, n]`` of ``uint8 [n, bytes]``, contiguous along n."""
    hashes = np.asarray(hashes)
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] % 8 or not hashes.shape[1]:
        raise ValueError(
            "expected uint8 [n, bits / 8] with bits a multiple of 64, "
            f"got {hashes.dtype} {hashes.shape}"
        )
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(np.uint64).T)


def _by_rows(
    kernel: Callable[[int, int], np.ndarray], n: int, workers: int
) -> Iterator[np.ndarray]:
    starts = range(0, n, ROWS)
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda lo: kernel(lo, min(n, lo + ROWS)), starts)


@intrinsic
def _bit_count(typingctx, word):
    """Number of one bits of an integer, as LLVM's ``ctpop``, which vectorises."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return word(word), codegen if isinstance(word, types.Integer) else None


@njit(cache=True, nogil=True)
def _distances(left, i, right, start, stop, out):
    """Distances of row ``i`` to columns ``start..stop`` into ``out``.

    Sliced before the loop: a sum in an index could be negative for all the compiler knows, and
    the check for that would keep it from vectorising.
    """
    n = stop - start
    if len(left) == 4:  # 256 bits, written out so that one pass makes the sum
        a, b, c, d = left[0, i], left[1, i], left[2, i], left[3, i]
        w, x = right[0, start:stop], right[1, start:stop]
        y, z = right[2, start:stop], right[3, start:stop]
        for j in range(n):
            out[j] = (
                _bit_count(a ^ w[j])
                + _bit_count(b ^ x[j])
                + _bit_count(c ^ y[j])
                + _bit_count(d ^ z[j])
            )
        return
    out[:n] = 0
    for word in range(len(left)):
        a, w = left[word, i], right[word, start:stop]
        for j in range(n):
            out[j] += _bit_count(a ^ w[j])


@njit(cache=True, nogil=True)
def _histogram_rows(words, ends, lo, hi):
    n = words.shape[1]
    counts = np.zeros((2, 64 * len(words) + 1), np.int64)
    distances = np.empty(TILE, np.uint16)
    for start in range(lo, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, min(hi, stop)):
            first = max(start, i + 1)
            _distances(words, i, words, first, stop, distances)
            split = min(max(ends[i] - first, 0), stop - first)
            for j in range(split):
                counts[0, distances[j]] += 1
            for j in range(split, stop - first):
                counts[1, distances[j]] += 1
    return counts


@njit(cache=True, nogil=True)
def _join_rows(left, right, lo, hi, radius, itself):
    n = right.shape[1]
    found = np.empty((1024, 3), np.int32)
    count = 0
    distances = np.empty(TILE, np.uint16)
    for i in range(lo, hi):
        for start in range(i + 1 if itself else 0, n, TILE):
            stop = min(n, start + TILE)
            _distances(left, i, right, start, stop, distances)
            if count + TILE > len(found):
                larger = np.empty((2 * len(found) + TILE, 3), np.int32)
                larger[:count] = found[:count]
                found = larger
            for j in range(stop - start):
                if distances[j] <= radius:
                    found[count, 0] = i
                    found[count, 1] = start + j
                    found[count, 2] = distances[j]
                    count += 1
    return found[:count].copy()
