"""Exact scans of all pairs: joins within a radius, nearest neighbours, histograms."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np

from finhash.hamming import kernels
from finhash.hamming.words import (
    Hashes,
    Pairs,
    as_labels,
    as_words,
    both_as_words,
    by_family,
    check_radius,
)

ROWS = 256
"""Rows a task: the unit handed to a thread."""


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
    bound, exact = (
        kernels.word_groups(len(left), kernels.largest_fold(len(left), radius)),
        kernels.word_groups(len(left)),
    )

    def block(lo: int, hi: int) -> Pairs:
        found = kernels.join_rows(left, right, radius, b is None, bound, exact, lo, hi)
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
    bound, exact = kernels.word_groups(len(left), 2 - len(left) % 2), kernels.word_groups(len(left))
    task = partial(kernels.nearest_rows, left, right, k, bound, exact)
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
    task = partial(kernels.histogram_rows, words, ends, kernels.word_groups(len(words)))
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
    labels = as_labels(labels, len(hashes))
    owners = labels if gallery is None else as_labels(gallery_labels, len(gallery))
    order = np.argsort(owners, kind="stable")
    right, owners = np.ascontiguousarray(right[:, order]), owners[order]
    # Sorted, those with a row's own label are one range of columns.
    firsts, ends = (np.searchsorted(owners, labels, side) for side in ("left", "right"))
    exact = kernels.word_groups(len(left))

    def block(lo: int, hi: int) -> tuple[int, int, np.ndarray, np.ndarray]:
        total, same = kernels.query_rows(left, right, firsts, ends, exact, lo, hi)
        other = total - same
        if gallery is None:
            same[:, 0] -= 1  # itself
        return lo, hi, same, other

    return _by_rows(block, len(labels), rows, workers)


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
