"""Hamming distances between packed hashes: joins within a radius, nearest, exact histograms.

Hashes are ``uint8 [n, bits / 8]`` with ``bits`` a multiple of 64. The kernels hold them as
``uint64 [words, n]``, a column a word, so that the innermost loop runs over neighbouring memory
and the compiler can count the bits of several pairs at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numba import njit, types
from numba.core.extending import intrinsic

ROWS = 256
"""Rows a task: the unit handed to a thread."""

TILE = 512
"""Columns compared at a time: their words stay in the L1 cache for all rows of a task."""

STRIP = 128
"""Columns of a near tile that are looked through together."""

PROBES = 16
"""Groups of rows on which each tile tries the lower bound, before it gives it up or not."""

GROUP = 3
"""Rows that share each load of a column's word; with more, long hashes exceed the registers."""


class Gallery:
    """Hashes laid out as the kernels hold them, for a service that asks again and again.

    It stands for its hashes wherever they are joined or searched. Laying them out costs several
    times as much as comparing one query with them.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self.words = as_words(hashes)

    def __len__(self) -> int:
        return self.words.shape[1]


Hashes = np.ndarray | Gallery
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
Block = TypeVar("Block")


def join(a: Hashes, b: Hashes | None = None, *, radius: int, workers: int = 1) -> Pairs:
    """All pairs within ``radius``: ``(i, j, distance)`` with ``i`` a row of ``a``, ``j`` of ``b``.

    Without ``b``, ``a`` is joined with itself and each pair is given once, ``i < j``. Indices are
    ``int32``, distances ``uint16``; pairs are ordered by ``i``, then ``j``.
    """
    blocks = join_blocks(a, b, radius=radius, workers=workers)
    i, j, distance = map(np.concatenate, zip(*blocks, strict=True))
    return i, j, distance


def join_blocks(
    a: Hashes,
    b: Hashes | None = None,
    *,
    radius: int,
    workers: int = 1,
    rows: int = ROWS,
) -> Iterator[Pairs]:
    """The pairs of ``join`` in its order, a block for every ``rows`` rows of ``a``.

    At most ``2 * workers`` blocks are computed ahead of the consumer, by one worker none. There is
    always a block, if an empty one.
    """
    left, right = both_as_words(a, b)
    check_radius(radius, 64 * len(left))
    bound, exact = _parts(len(left), _fold(len(left), radius)), _parts(len(left))

    def block(lo: int, hi: int) -> Pairs:
        found = _join_rows(left, right, radius, b is None, bound, exact, lo, hi)
        return found[:, 0].copy(), found[:, 1].copy(), found[:, 2].astype(np.uint16)

    return _by_rows(block, left.shape[1], rows, workers)


def nearest(
    queries: Hashes, gallery: Hashes, k: int, *, workers: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest of the gallery: ``(index int32 [n, k], distance uint16 [n, k])``.

    Those of a query are ordered by distance, then index.
    """
    left, right = both_as_words(queries, gallery)
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k must be between 1 and the gallery's {len(gallery)}, not {k}")
    bound, exact = _parts(len(left), 2 - len(left) % 2), _parts(len(left))
    task = partial(_nearest_rows, left, right, k, bound, exact)
    blocks = _by_rows(task, left.shape[1], ROWS, workers)
    index, distance = map(np.concatenate, zip(*blocks, strict=True))
    return index, distance


def pair_histogram(
    hashes: np.ndarray, families: np.ndarray, *, workers: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Exact counts of same-family and other-family pairs by distance, over all pairs.

    Returns two ``int64 [bits + 1]`` arrays; together they sum to n(n - 1)/2. ``families`` holds
    an integer label for each hash.
    """
    words, ends = by_family(as_words(hashes), families)
    task = partial(_histogram_rows, words, ends, _parts(len(words)))
    # Fewer tasks than elsewhere, for each has large tables to clear and to sum.
    same, other = sum(_by_rows(task, len(ends), 4 * ROWS, workers))
    return same, other


def query_histograms(
    hashes: np.ndarray,
    labels: np.ndarray,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
    *,
    workers: int = 1,
    rows: int = ROWS,
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Exact counts by distance for each hash, in blocks of rows: ``(start, stop, same, other)``.

    ``same`` and ``other`` are ``int32 [stop - start, bits + 1]``: the gallery's hashes with the
    row's own label and with other labels. Without a gallery they are all the other hashes. Blocks
    come in order, computed ahead as those of ``join_blocks``.
    """
    left, right = both_as_words(hashes, gallery)
    labels = _as_labels(labels, len(hashes))
    owners = labels if gallery is None else _as_labels(gallery_labels, len(gallery))
    order = np.argsort(owners, kind="stable")
    right, owners = np.ascontiguousarray(right[:, order]), owners[order]
    # Sorted, those with a row's own label are one range of columns.
    firsts, ends = (np.searchsorted(owners, labels, side) for side in ("left", "right"))
    exact = _parts(len(left))

    def block(lo: int, hi: int) -> tuple[int, int, np.ndarray, np.ndarray]:
        total, same = _query_rows(left, right, firsts, ends, exact, lo, hi)
        other = total - same
        if gallery is None:
            same[:, 0] -= 1  # itself
        return lo, hi, same, other

    return _by_rows(block, len(labels), rows, workers)


def as_words(hashes: Hashes, word: type = np.uint64) -> np.ndarray:
    """``word [words, n]`` of ``uint8 [n, bytes]``, contiguous along n; a gallery's own words."""
    if isinstance(hashes, Gallery):
        if word is np.uint64:
            return hashes.words
        hashes = np.ascontiguousarray(hashes.words.T).view(np.uint8)
    hashes = np.asarray(hashes)
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] % 8 or not hashes.shape[1]:
        raise ValueError(
            "expected uint8 [n, bits / 8] with bits a multiple of 64, "
            f"got {hashes.dtype} {hashes.shape}"
        )
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(word).T)


def both_as_words(
    a: Hashes, b: Hashes | None, word: type = np.uint64
) -> tuple[np.ndarray, np.ndarray]:
    """``as_words`` of two sets of equally long hashes; without ``b``, ``a``'s twice."""
    left = as_words(a, word)
    right = left if b is None else as_words(b, word)
    if len(left) != len(right):
        bits = [8 * words.itemsize * len(words) for words in (left, right)]
        raise ValueError(f"hashes of {bits[0]} and {bits[1]} bits do not compare")
    return left, right


def by_family(words: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns sorted by family, and for each where its family ends, ``int [n]``.

    So sorted, a column's pairs with later ones split at one place.
    """
    families = _as_labels(families, words.shape[1])
    order = np.argsort(families, kind="stable")
    families = families[order]
    return np.ascontiguousarray(words[:, order]), np.searchsorted(families, families, side="right")


def check_radius(radius: int, bits: int) -> None:
    """A ValueError unless hashes of so many bits can be so far apart."""
    if not 0 <= radius <= bits:
        raise ValueError(f"radius must be between 0 and {bits}, not {radius}")


def _as_labels(labels: np.ndarray, n: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"expected {n} family labels, got shape {labels.shape}")
    return labels


def _parts(words: int, fold: int = 1) -> tuple[tuple[int, ...], ...]:
    """The words in parts of ``fold``, as ``_distance`` takes them.

    Only the lengths matter: they are part of a tuple's type, so the compiler unrolls what runs
    over them.
    """
    return ((0,) * fold,) * (words // fold)


def _fold(words: int, radius: int) -> int:
    """The most words to OR together so that the bound still keeps strangers beyond the radius."""
    # Of f random words ORed, a share 1 - 2**-f of the bits is set; 0.7 leaves room for the spread.
    folds = (f for f in range(2, words + 1) if words % f == 0)
    return max((f for f in folds if radius < 0.7 * 64 * words / f * (1 - 2**-f)), default=1)


def _by_rows(task: Callable[[int, int], Block], n: int, rows: int, workers: int) -> Iterator[Block]:
    """Results of ``task(lo, hi)`` over consecutive rows, in order; of no rows, one result."""
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    spans = ((lo, min(n, lo + rows)) for lo in range(0, max(1, n), rows))
    if workers == 1 or n <= rows:  # a thread would cost more than a single query's scan
        yield from (task(*span) for span in spans)
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead = deque(pool.submit(task, *span) for span in islice(spans, 2 * workers))
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(pool.submit(task, *span) for span in islice(spans, 1))
            yield result


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
def _join_rows(left, right, radius, itself, bound, exact, lo, hi):
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
def _nearest_rows(left, right, k, bound, exact, lo, hi):
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
def _histogram_rows(words, ends, exact, lo, hi):
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
def _query_rows(left, right, firsts, ends, exact, lo, hi):
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
